package registry

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func TestCheckLock(t *testing.T) {
	t.Parallel()
	s := NewSnapshot(load(t, "everything.yaml"))
	const (
		shape = "应当是 IP 地址或网段，如 10.1.2.3、10.0.0.0/8、2001:db8::/32"
		all   = "不能锁定全部地址，请缩小网段"
	)
	for _, test := range []struct{ kind, key, want, fault string }{
		{LockApplication, "10086", "10086", ""},
		{LockAccount, "110000", "110000", ""},
		{LockDepartment, "91350100M000100Y43", "91350100M000100Y43", ""},
		{LockItem, "305018201", "305018201", ""},
		{LockItem, "305018201006939684110000", "305018201", ""}, // by its basic part
		{LockItem, "123456789", "123456789006939684110000", ""},
		{LockApplication, "110000", "", `没有应用 "110000"，请核对`},
		{LockAccount, "10086", "", `没有账户 "10086"，请核对`},
		{LockAccount, "007", "", `没有账户 "007"，请核对`}, // an administrator is none
		{LockDepartment, "", "", `没有单位 ""，请核对`},
		{LockItem, "30501820", "", `没有证照目录 "30501820"，请核对`},
		{"", "a", "", "kind：缺少锁定对象，可用 application（应用）、account（账户）、department（单位）、item（证照目录）、address（地址）"},
		{
			"app", "10086", "",
			`kind：未知的锁定对象 "app"，可用 application（应用）、account（账户）、department（单位）、item（证照目录）、address（地址）`,
		},

		{LockAddress, "10.1.2.3", "10.1.2.3/32", ""},
		{LockAddress, "10.1.2.3/8", "10.0.0.0/8", ""},
		{LockAddress, "2001:DB8::1", "2001:db8::/64", ""},
		{LockAddress, "2001:DB8::1/128", "2001:db8::1/128", ""},
		{LockAddress, "2001:db8::1/64", "2001:db8::/64", ""},
		{LockAddress, "::ffff:10.1.2.3", "10.1.2.3/32", ""},
		{LockAddress, "::ffff:10.1.2.3/104", "10.0.0.0/8", ""},
		{LockAddress, "0.0.0.0/1", "0.0.0.0/1", ""},
		{LockAddress, "0.0.0.0/0", "", all},
		{LockAddress, "10.0.0.0/0", "", all},
		{LockAddress, "::/0", "", all},
		{LockAddress, "::ffff:0:0/96", "", all},
		{LockAddress, "::ffff:10.0.0.0/90", "", all},
		{LockAddress, "fe80::1%eth0", "", shape},
		{LockAddress, "10.1.2", "", shape},
		{LockAddress, "010.1.2.3", "", shape},
		{LockAddress, "10.0.0.0/33", "", shape},
		{LockAddress, "example.com", "", shape},
		{LockAddress, " 10.1.2.3", "", shape},
		{LockAddress, "", "", shape},
	} {
		got, err := CheckLock(test.kind, test.key, s)
		if test.fault == "" {
			if err != nil || got != test.want {
				t.Errorf("%s %q: got %q, %v, want %q", test.kind, test.key, got, err, test.want)
			} else if again, err := CheckLock(test.kind, got, s); err != nil || again != got {
				t.Errorf("%s %q: its own key is kept as %q, %v", test.kind, got, again, err)
			}
			continue
		}
		var problems Problems
		if got != "" || !errors.As(err, &problems) || err.Error() != test.fault {
			t.Errorf("%s %q: got %q, %v, want %s", test.kind, test.key, got, err, test.fault)
		}
	}
}

func TestLocksFind(t *testing.T) {
	t.Parallel()
	end := monday.Add(time.Hour)
	set := NewLocks([]Lock{
		{Kind: LockApplication, Key: "hydj", Reason: "why", By: "anquan"},
		{Kind: LockAccount, Key: "zhang", Expires: end},
		{Kind: LockAddress, Key: "hydj"},
	})
	for _, test := range []struct {
		kind, key string
		now       time.Time
		want      bool
	}{
		{LockApplication, "hydj", monday, true},
		{LockApplication, "hydj", monday.AddDate(100, 0, 0), true}, // until somebody ends it
		{LockApplication, "zhang", monday, false},
		{LockApplication, "", monday, false},
		{LockAccount, "hydj", monday, false},
		{LockAccount, "zhang", end.Add(-1), true},
		{LockAccount, "zhang", end, false},
		{LockAddress, "hydj", monday, false}, // FindAddress is for those
	} {
		l, ok := set.Find(test.kind, test.key, test.now)
		if ok != test.want || ok && (l.Kind != test.kind || l.Key != test.key) {
			t.Errorf("Find(%s, %s, %v) = %+v, %t", test.kind, test.key, test.now, l, ok)
		}
	}
	if l, _ := set.Find(LockApplication, "hydj", monday); l.Reason != "why" || l.By != "anquan" {
		t.Errorf("found %+v", l)
	}
}

func TestLocksFindAddress(t *testing.T) {
	t.Parallel()
	end := monday.Add(time.Hour)
	set := NewLocks([]Lock{
		{Kind: LockAddress, Key: "10.1.0.0/16", Reason: "net"},
		{Kind: LockAddress, Key: "10.2.0.7/32", Expires: end, Reason: "host"},
		{Kind: LockAddress, Key: "10.2.0.0/16", Expires: end.Add(time.Hour), Reason: "around it"},
		{Kind: LockAddress, Key: "2001:db8::/32", Reason: "six"},
		{Kind: LockAddress, Key: "::ffff:192.0.2.0/120", Reason: "mapped"}, // not as CheckLock keeps it
		{Kind: LockApplication, Key: "10.3.0.0/16"},
	})
	for _, test := range []struct {
		address string
		now     time.Time
		want    string // reason; "" for none
	}{
		{"10.1.255.255", monday, "net"},
		{"::ffff:10.1.2.3", monday, "net"},
		{"10.2.0.7", monday, "host"},
		{"10.2.0.7", end, "around it"},
		{"10.2.0.7", end.Add(time.Hour), ""},
		{"10.3.0.1", monday, ""},
		{"2001:db8:1::1", monday, "six"},
		{"2001:db9::1", monday, ""},
		{"2001:db8::1%eth0", monday, "six"},
		{"192.0.2.9", monday, "mapped"},
		{"192.0.3.9", monday, ""},
	} {
		l, ok := set.FindAddress(netip.MustParseAddr(test.address), test.now)
		if ok != (test.want != "") || l.Reason != test.want {
			t.Errorf("FindAddress(%s) = %+v, %t, want %q", test.address, l, ok, test.want)
		}
	}
}

// What cannot be read must not open a door; what is not there keeps nobody out.
func TestLocksUnreadable(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "10.1.2", "0.0.0.0/0", "::/0"} {
		set := NewLocks([]Lock{{Kind: LockAddress, Key: key, Expires: tuesday}})
		for _, address := range []string{"10.1.2.3", "::1", "2001:db8::1", "::ffff:10.1.2.3"} {
			if _, ok := set.FindAddress(netip.MustParseAddr(address), monday); !ok {
				t.Errorf("%q: %s is not locked", key, address)
			}
			if _, ok := set.FindAddress(netip.MustParseAddr(address), tuesday); ok {
				t.Errorf("%q: %s is locked for ever", key, address)
			}
		}
	}
	for name, set := range map[string]*Locks{"nil": nil, "empty": NewLocks(nil)} {
		if _, ok := set.Find(LockApplication, "a", monday); ok {
			t.Errorf("%s: found", name)
		}
		if _, ok := set.FindAddress(netip.MustParseAddr("10.1.2.3"), monday); ok {
			t.Errorf("%s: address found", name)
		}
	}
}

// An address that nobody can read is under any lock of addresses that holds.
func TestNoAddressIsLocked(t *testing.T) {
	t.Parallel()
	lock := Lock{Kind: LockAddress, Key: "10.0.0.0/8", Expires: tuesday}
	if _, held := NewLocks([]Lock{lock}).FindAddress(netip.Addr{}, monday); !held {
		t.Error("let through while a lock holds")
	}
	if _, held := NewLocks([]Lock{lock}).FindAddress(netip.Addr{}, tuesday); held {
		t.Error("locked when the lock is over")
	}
	if _, held := NewLocks([]Lock{{Kind: LockAccount, Key: "a"}}).FindAddress(netip.Addr{}, monday); held {
		t.Error("locked by the lock of an account")
	}
}
