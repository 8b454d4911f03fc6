package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"licgate/gm"
	"licgate/licence"
	"licgate/policy"
)

// Kinds of rows that carry an authentication code.
const (
	rowLicence  = "licence"
	rowCode     = "licence-code"
	rowRegistry = "registry/" // and the kind of the object
	rowVersion  = "policy-version"
	rowPending  = "pending-change"
	rowJob      = "key-job"
	rowFace     = "face"
)

// ErrUnguarded says that nobody gave the store the keys of the rows' authentication codes: then no such row is read or written.
var ErrUnguarded = errors.New("store: no keys for the authentication codes of rows")

// An Authenticator makes and checks authentication codes of rows. *gm.Keyring is one.
type Authenticator interface {
	Integrity(kind, key string, revision int64, content []byte) []byte
	CheckIntegrity(code []byte, kind, key string, revision int64, content []byte) error
}

type guard struct {
	Authenticator
	alarm func(error)
}

// Guard gives the store the keys of the rows' authentication codes. alarm is told of each row that is refused; nil: nobody is.
func (s *Store) Guard(keys Authenticator, alarm func(error)) {
	if alarm == nil {
		alarm = func(error) {}
	}
	s.guard.Store(&guard{keys, alarm})
}

// Faults is how many rows were refused since the store was opened.
func (s *Store) Faults() int64 { return s.faults.Load() }

// authenticated is a row in its canonical form.
type authenticated struct {
	kind, key string
	revision  int64
	content   []byte
}

// code returns the authentication code of a row that is to be written.
func (s *Store) code(r authenticated) ([]byte, error) {
	g := s.guard.Load()
	if g == nil {
		return nil, ErrUnguarded
	}
	return g.Integrity(r.kind, r.key, r.revision, r.content), nil
}

// check holds a row that was read against its code, and sounds the alarm: gm.ErrIntegrity.
func (s *Store) check(code []byte, r authenticated) error {
	err := s.holds(code, r)
	if errors.Is(err, gm.ErrIntegrity) {
		s.alarm(err)
	}
	return err
}

func (s *Store) alarm(err error) {
	s.faults.Add(1)
	s.guard.Load().alarm(err)
}

// holds is check without alarm.
func (s *Store) holds(code []byte, r authenticated) error {
	g := s.guard.Load()
	if g == nil {
		return ErrUnguarded
	}
	return g.CheckIntegrity(code, r.kind, r.key, r.revision, r.content)
}

// The canonical forms are frozen (docs/formats.md). Each text and each list of bytes stands behind its length, u32; numbers are u64.

func canonical(parts ...any) []byte {
	var b []byte
	field := func(p []byte) {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			field([]byte(p))
		case []byte:
			field(p)
		case int64:
			b = binary.BigEndian.AppendUint64(b, uint64(p))
		case bool:
			var n uint64
			if p {
				n = 1
			}
			b = binary.BigEndian.AppendUint64(b, n)
		default:
			panic(fmt.Sprintf("store: no canonical form of %T", p))
		}
	}
	return b
}

func licenceRow(l *licence.Stored) authenticated {
	holders := distinct(l.HolderDigests)
	content := canonical(l.Item, l.Department, l.DivisionCode, l.BizNum, string(l.State), l.IDCodeDigest, stamp(l.Created), stamp(l.IssueTime), l.Sealed, int64(len(holders)))
	for _, digest := range holders {
		content = append(content, canonical(digest)...)
	}
	return authenticated{rowLicence, l.Code, l.Revision, content}
}

func objectRow(o object) authenticated {
	return authenticated{rowRegistry + o.kind, o.code, 0, canonical(int64(o.place), o.body)}
}

// objectsDigest is of the whole registry, which is in order of kind, place and code: a row that is missing, or older than it was, is found out too.
func objectsDigest(all []object) []byte {
	var b []byte
	for _, o := range all {
		b = append(b, canonical(o.kind, o.code, int64(o.place), o.body)...)
	}
	sum := gm.SM3(b)
	return sum[:]
}

// storedVersion is a row of policy_versions: the version, and what else stands in it.
type storedVersion struct {
	policy.Version
	at, lines    string
	text         *string
	objects, mac []byte
}

func versionRow(v *storedVersion) authenticated {
	text := ""
	if v.text != nil {
		text = *v.text
	}
	return authenticated{rowVersion, fmt.Sprint(v.Number), v.Number, canonical(v.at, v.By, v.Why, v.ApprovedBy, v.Parent, v.Hash, v.lines, v.Changes, v.Platform, v.text != nil, text, v.objects)}
}
