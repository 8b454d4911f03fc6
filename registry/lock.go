package registry

import (
	"context"
	"net/netip"
	"time"
)

// Kinds of locks: what is kept from acting, or from being used, until the lock ends.
const (
	LockApplication = "application" // Key: app_key
	LockAccount     = "account"     // Key: account
	LockDepartment  = "department"  // Key: code; acting for it, and its applications and accounts
	LockItem        = "item"        // Key: license_item_code; every interface about its licences
	LockAddress     = "address"     // Key: address or prefix (CIDR), in netip.Prefix form; an IPv6 address alone is its /64
)

// A Lock keeps one object or address from acting. It is an emergency brake, not a right: it changes no policy version.
type Lock struct {
	Kind    string    `json:"kind"`
	Key     string    `json:"key"`
	Reason  string    `json:"reason"` // for administrators; callers never see it
	By      string    `json:"by"`
	Created time.Time `json:"created"`
	// Expires ends the lock by itself; the zero time: only an administrator does.
	Expires time.Time `json:"expires,omitzero"`
}

// LockStore keeps locks for all nodes. Implementations are durable when they return nil, and safe for concurrent use.
type LockStore interface {
	// PutLock adds a lock, or replaces the one of the same Kind and Key.
	PutLock(ctx context.Context, l Lock) error
	// RemoveLock takes a lock away; found is false when there was none.
	RemoveLock(ctx context.Context, kind, key string) (found bool, err error)
	// Locks returns all locks by Kind and Key, expired ones included: whoever judges knows the time.
	Locks(ctx context.Context) ([]Lock, error)
	// PurgeLocks removes locks that expired before t.
	PurgeLocks(ctx context.Context, t time.Time) error
}

// Locks is a set of locks made ready for look-ups: immutable, swapped whole, safe for concurrent use. The zero value of *Locks (nil) holds none.
type Locks struct {
	byKey    map[lockKey]Lock
	prefixes []addressLock
}

// lockKinds names what may be locked.
var lockKinds = vocabulary{
	what:  "锁定对象",
	words: []string{LockApplication, LockAccount, LockDepartment, LockItem, LockAddress},
	names: map[string]string{LockApplication: "应用", LockAccount: "账户", LockDepartment: "单位", LockItem: "证照目录", LockAddress: "地址"},
}

type lockKey struct{ kind, key string }

type addressLock struct {
	prefix netip.Prefix
	lock   Lock
}

// NewLocks makes a set. An address lock whose key CheckLock would refuse locks every address: it was checked when it was put, and what
// can't be read must not open a door.
func NewLocks(all []Lock) *Locks {
	set := &Locks{byKey: make(map[lockKey]Lock, len(all))}
	for _, l := range all {
		if l.Kind != LockAddress {
			set.byKey[lockKey{l.Kind, l.Key}] = l
			continue
		}
		prefix, fault := lockPrefix(l.Key)
		if fault != "" {
			set.prefixes = append(set.prefixes, addressLock{netip.PrefixFrom(netip.IPv4Unspecified(), 0), l}, addressLock{netip.PrefixFrom(netip.IPv6Unspecified(), 0), l})
			continue
		}
		set.prefixes = append(set.prefixes, addressLock{prefix, l})
	}
	return set
}

func (l Lock) holds(now time.Time) bool { return l.Expires.IsZero() || now.Before(l.Expires) }

// CheckLock looks at what is to be locked: there must be such a kind, and such an object in p. It returns the key to keep: the
// registered code of an item, which may be asked for in another form, and an address as a prefix without host bits. A prefix of all
// addresses is refused: it would lock everybody out. The error is a Problems.
func CheckLock(kind, key string, p *Snapshot) (canonicalKey string, err error) {
	known, canonical := false, key
	switch kind {
	case LockApplication:
		_, known = p.Application(key)
	case LockAccount:
		_, known = p.Account(key)
	case LockDepartment:
		_, known = p.Department(key)
	case LockItem:
		var item *Item
		if item, known = p.Item(key); known {
			canonical = item.LicenseItemCode
		}
	case LockAddress:
		prefix, fault := lockPrefix(key)
		if fault != "" {
			return "", Problems{{Message: fault}}
		}
		return prefix.String(), nil
	default:
		return "", Problems{{Path: "kind", Message: lockKinds.fault(kind)}}
	}
	if !known {
		return "", Problems{{Message: "没有" + lockKinds.names[kind] + " " + quote(key) + "，请核对"}}
	}
	return canonical, nil
}

// lockPrefix reads the address or prefix of a lock. IPv4 in the form of IPv6 is IPv4, as callers' addresses are.
func lockPrefix(key string) (prefix netip.Prefix, fault string) {
	prefix, err := netip.ParsePrefix(key)
	if err != nil {
		address, err := netip.ParseAddr(key)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, "应当是 IP 地址或网段，如 10.1.2.3、10.0.0.0/8、2001:db8::/32"
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
		if address.Is6() && !address.Is4In6() {
			prefix = netip.PrefixFrom(address, hostBits6)
		}
	}
	if address := prefix.Addr(); address.Is4In6() {
		prefix = netip.PrefixFrom(address.Unmap(), max(prefix.Bits()-mappedBits, 0))
	}
	if prefix.Bits() == 0 {
		return netip.Prefix{}, "不能锁定全部地址，请缩小网段"
	}
	return prefix.Masked(), ""
}

// hostBits6 is the prefix that an IPv6 address without one stands for: a single host commonly has that many to choose from.
const hostBits6 = 64

// mappedBits are those before the IPv4 address in ::ffff:0:0/96 (RFC 4291 2.5.5.2).
const mappedBits = 96

// Find returns the lock that holds on an object at now.
func (s *Locks) Find(kind, key string, now time.Time) (Lock, bool) {
	if s == nil || len(s.byKey) == 0 {
		return Lock{}, false
	}
	l, ok := s.byKey[lockKey{kind, key}]
	return l, ok && l.holds(now)
}

// FindAddress returns a lock that holds on an address at now. What is no address is under any lock of addresses: nobody can say that it
// is not.
func (s *Locks) FindAddress(address netip.Addr, now time.Time) (Lock, bool) {
	if s == nil {
		return Lock{}, false
	}
	address = address.Unmap().WithZone("")
	for _, one := range s.prefixes {
		if (one.prefix.Contains(address) || !address.IsValid()) && one.lock.holds(now) {
			return one.lock, true
		}
	}
	return Lock{}, false
}
