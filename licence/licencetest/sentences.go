package licencetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"licgate/licence"
)

func licenceRoundTrip(t *testing.T, s licence.Store) {
	rows := []licence.Stored{
		row("L1"),
		row("L2", issued(epoch.Add(time.Minute)), heldBy("a", "b")),
		row("L3", issued(epoch), inState(licence.Abolished)),
		row("L4", func(r *licence.Stored) { r.IDCodeDigest, r.HolderDigests, r.BizNum, r.DivisionCode = nil, nil, "", "" }),
		row("L5", inState(licence.Deleted), func(r *licence.Stored) { r.IDCodeDigest, r.HolderDigests, r.Sealed = nil, nil, nil }),
		row("L6", inState(licence.Draft), func(r *licence.Stored) { r.Sealed = make([]byte, 3<<20) }),
	}
	insert(t, s, rows...)
	for _, want := range rows {
		wantRow(t, s, want)
	}
	got, err := s.Find(t.Context(), "L1")
	if err != nil || !got.IssueTime.IsZero() {
		t.Errorf("IssueTime = %v, %v; want the zero time back", got.IssueTime, err)
	}
	got, err = s.Find(t.Context(), "L5")
	if err != nil || got.Sealed != nil {
		t.Errorf("Sealed of a tombstone = %v, %v; want nil", got.Sealed, err)
	}
}

func notThere(t *testing.T, s licence.Store) {
	insert(t, s, row("L1"))
	wantNoRow(t, s, "")
	wantNoRow(t, s, "l1") // codes are exact
	wantNoCode(t, s, digest("nothing"))
	wantNoCode(t, s, nil)
	if rows, err := s.FindByIDCode(t.Context(), "A", digest("nothing")); err != nil || len(rows) != 0 {
		t.Errorf("FindByIDCode = %v, %v; want none", codesOf(rows), err)
	}
	if rows, total, err := s.ListByHolder(t.Context(), [][]byte{digest("nobody")}, []string{"A"}, 10, 0); err != nil || total != 0 || len(rows) != 0 {
		t.Errorf("ListByHolder = %v, %d, %v; want none", codesOf(rows), total, err)
	}
	if codes, err := s.ListRegistered(t.Context(), "A", "nobody", "", "", 10); err != nil || len(codes) != 0 {
		t.Errorf("ListRegistered = %v, %v; want none", codes, err)
	}
}

func updateReplaces(t *testing.T, s licence.Store) {
	first := row("L1", heldBy("a", "b"))
	insert(t, s, first, row("L2"))
	second := licence.Stored{
		Code: "L1", Item: "A", Department: "D1", DivisionCode: "110000", BizNum: "B-2", State: licence.Issued, Revision: 2,
		IDCodeDigest: digest("other"), HolderDigests: [][]byte{digest("b"), digest("c"), digest("d")},
		Created: epoch, IssueTime: epoch.Add(time.Second), Sealed: []byte("second"),
	}
	apply(t, s, licence.Write{Update: []licence.Stored{second}})
	wantRow(t, s, second)
	wantRow(t, s, row("L2"))
	tombstone := licence.Stored{Code: "L1", Item: "A", Department: "D1", State: licence.Deleted, Revision: 3, Created: epoch}
	apply(t, s, licence.Write{Update: []licence.Stored{tombstone}})
	wantRow(t, s, tombstone)
}

func updateStale(t *testing.T, s licence.Store) {
	first := row("L1")
	insert(t, s, first)
	applyFails(t, s, licence.Write{Update: []licence.Stored{first}}, licence.ErrStale)             // too old
	applyFails(t, s, licence.Write{Update: []licence.Stored{next(next(first))}}, licence.ErrStale) // too new
	missing := next(row("L2"))
	applyFails(t, s, licence.Write{Update: []licence.Stored{missing}}, licence.ErrStale)
	wantRow(t, s, first)
	wantNoRow(t, s, "L2")
	apply(t, s, licence.Write{Update: []licence.Stored{next(first)}})
	applyFails(t, s, licence.Write{Update: []licence.Stored{next(first)}}, licence.ErrStale) // once only
	wantRow(t, s, next(first))
}

func insertDuplicate(t *testing.T, s licence.Store) {
	tombstone := row("L2", inState(licence.Deleted), func(r *licence.Stored) { r.IDCodeDigest, r.HolderDigests, r.Sealed = nil, nil, nil })
	insert(t, s, row("L1"), tombstone)
	applyFails(t, s, licence.Write{Insert: []licence.Stored{row("L1", idCode("fresh"))}}, licence.ErrDuplicate)
	applyFails(t, s, licence.Write{Insert: []licence.Stored{row("L1", idCode("fresh"), ofItem("B"))}}, licence.ErrDuplicate)
	applyFails(t, s, licence.Write{Insert: []licence.Stored{row("L2", idCode("fresh"))}}, licence.ErrDuplicate) // a tombstone keeps its number
	applyFails(t, s, licence.Write{Insert: []licence.Stored{row("L3"), row("L3", idCode("fresh"))}}, licence.ErrDuplicate)
	wantRow(t, s, row("L1"))
	wantRow(t, s, tombstone)
	wantNoRow(t, s, "L3")
}

func idCodeUnique(t *testing.T, s licence.Store) {
	for i, state := range []licence.State{licence.Registered, licence.Issued} {
		name := "taken " + string(state)
		holder := row(fmt.Sprintf("H%d", i), idCode(name), inState(state))
		insert(t, s, holder)
		for _, again := range []licence.State{licence.Registered, licence.Issued} {
			applyFails(t, s, licence.Write{Insert: []licence.Stored{row("X", idCode(name), inState(again))}}, licence.ErrDuplicate)
		}
		foreign := row("X", idCode(name), func(r *licence.Stored) { r.Department = "D2" })
		applyFails(t, s, licence.Write{Insert: []licence.Stored{foreign}}, licence.ErrDuplicate) // whoever makes it
		wantNoRow(t, s, "X")
		insert(t, s, row(fmt.Sprintf("I%d", i), idCode(name), ofItem("B"))) // another item is free

		// An update may not take it either.
		mine := row(fmt.Sprintf("M%d", i))
		insert(t, s, mine)
		applyFails(t, s, licence.Write{Update: []licence.Stored{next(mine, idCode(name))}}, licence.ErrDuplicate)
		wantRow(t, s, mine)

		// A row does not collide with itself, and frees the id code when it ends.
		holder = next(holder)
		apply(t, s, licence.Write{Update: []licence.Stored{holder}})
		apply(t, s, licence.Write{Update: []licence.Stored{next(holder, inState(licence.Abolished))}})
		apply(t, s, licence.Write{Update: []licence.Stored{next(mine, idCode(name))}})
	}
	insert(t, s, row("E1", idCode("ended"), inState(licence.Abolished)), row("E2", idCode("ended"), inState(licence.Abolished)), row("E3", idCode("ended")))
	none := func(r *licence.Stored) { r.IDCodeDigest = nil }
	insert(t, s, row("N1", none), row("N2", none))
	applyFails(t, s, licence.Write{Insert: []licence.Stored{row("T1", idCode("twice")), row("T2", idCode("twice"))}}, licence.ErrDuplicate)
	wantNoRow(t, s, "T1")
}

func updatesBeforeInserts(t *testing.T, s licence.Store) {
	old := row("L1", idCode("same"), issued(epoch))
	insert(t, s, old)
	successor := row("L2", idCode("same"), issued(epoch.Add(time.Second)))
	apply(t, s, licence.Write{
		Insert: []licence.Stored{successor},
		Update: []licence.Stored{next(old, inState(licence.Abolished))},
	})
	wantRow(t, s, next(old, inState(licence.Abolished)))
	wantRow(t, s, successor)
}

func findByIDCode(t *testing.T, s licence.Store) {
	insert(t, s,
		row("L1", idCode("x"), inState(licence.Abolished)),
		row("L2", idCode("x"), inState(licence.Deleted)),
		row("L3", idCode("x"), inState(licence.Draft)),
		row("L4", idCode("x")),
		row("L5", idCode("x"), ofItem("B"), issued(epoch)),
		row("L6", idCode("y")),
		row("L7", func(r *licence.Stored) { r.IDCodeDigest = nil }),
	)
	for _, one := range []struct {
		item   string
		digest []byte
		want   licence.Stored
	}{
		{"A", digest("x"), row("L4", idCode("x"))},
		{"B", digest("x"), row("L5", idCode("x"), ofItem("B"), issued(epoch))},
	} {
		rows, err := s.FindByIDCode(t.Context(), one.item, one.digest)
		if err != nil || len(rows) != 1 || !sameRow(rows[0], one.want) {
			t.Errorf("FindByIDCode(%s) = %+v, %v; want %+v", one.item, rows, err, one.want)
		}
	}
	for _, none := range [][]byte{nil, {}} {
		if rows, err := s.FindByIDCode(t.Context(), "A", none); err != nil || len(rows) != 0 {
			t.Errorf("FindByIDCode without a digest = %v, %v; want none", codesOf(rows), err)
		}
	}
}

func listByHolder(t *testing.T, s licence.Store) {
	second := func(n int) func(*licence.Stored) { return issued(epoch.Add(time.Duration(n) * time.Second)) }
	insert(t, s,
		row("L1", heldBy("a"), second(1)),
		row("L3", heldBy("a", "b"), second(5)),
		row("L2", heldBy("b"), second(5)), // the same moment: by code
		row("L4", heldBy("b"), second(3), ofItem("B")),
		row("L5", heldBy("a"), second(9), ofItem("C")),
		row("L6", heldBy("a")), // not issued
		row("L7", heldBy("a"), second(2), inState(licence.Abolished)),
		row("L8", heldBy("a"), inState(licence.Deleted)),
		row("L9", heldBy("c"), second(4)),
		row("LA", heldBy("a"), second(7), func(r *licence.Stored) { r.Department = "D2" }), // of any department
	)
	for _, one := range []struct {
		name          string
		holders       []string
		items         []string
		limit, offset int
		want          []string
		total         int
	}{
		{"one holder", []string{"a"}, []string{"A", "B"}, 10, 0, []string{"LA", "L3", "L1"}, 3},
		{"two holders, each licence once", []string{"a", "b"}, []string{"A", "B"}, 10, 0, []string{"LA", "L2", "L3", "L4", "L1"}, 5},
		{"holder asked twice", []string{"a", "a"}, []string{"A", "A"}, 10, 0, []string{"LA", "L3", "L1"}, 3},
		{"items narrow", []string{"a", "b"}, []string{"B"}, 10, 0, []string{"L4"}, 1},
		{"page", []string{"a", "b"}, []string{"A", "B", "C"}, 2, 2, []string{"L2", "L3"}, 6},
		{"last page", []string{"a", "b"}, []string{"A", "B"}, 2, 4, []string{"L1"}, 5},
		{"past the end", []string{"a", "b"}, []string{"A", "B"}, 2, 6, nil, 5},
		{"far past the end", []string{"a"}, []string{"A"}, 150, 1 << 40, nil, 3},
		{"no items", []string{"a"}, nil, 10, 0, nil, 0},
		{"no holders", nil, []string{"A"}, 10, 0, nil, 0},
		{"unknown item", []string{"a"}, []string{"Z"}, 10, 0, nil, 0},
	} {
		var digests [][]byte
		for _, name := range one.holders {
			digests = append(digests, digest(name))
		}
		rows, total, err := s.ListByHolder(t.Context(), digests, one.items, one.limit, one.offset)
		if err != nil || total != one.total || !slices.Equal(codesOf(rows), one.want) {
			t.Errorf("%s: %v, %d, %v; want %v, %d", one.name, codesOf(rows), total, err, one.want, one.total)
		}
	}
	rows, _, err := s.ListByHolder(t.Context(), [][]byte{digest("b")}, []string{"A"}, 1, 1)
	if want := row("L3", heldBy("a", "b"), second(5)); err != nil || len(rows) != 1 || !sameRow(rows[0], want) {
		t.Errorf("ListByHolder = %+v, %v; want the whole row %+v", rows, err, want)
	}
}

func listEverHeld(t *testing.T, s licence.Store) {
	insert(t, s,
		row("L3", heldBy("a", "b"), issued(epoch)),
		row("L1", heldBy("a"), ofItem("B")), // not issued
		row("L4", heldBy("a"), issued(epoch), inState(licence.Abolished)),
		row("L2", heldBy("c"), issued(epoch)),
		row("L5", inState(licence.Deleted)),
	)
	for _, one := range []struct {
		holder, after string
		limit         int
		want          []string
	}{
		{"a", "", 10, []string{"L1", "L3", "L4"}},
		{"a", "", 2, []string{"L1", "L3"}},
		{"a", "L3", 2, []string{"L4"}},
		{"a", "L4", 2, nil},
		{"b", "", 10, []string{"L3"}},
		{"nobody", "", 10, nil},
	} {
		rows, err := s.ListEverHeld(t.Context(), digest(one.holder), one.after, one.limit)
		if err != nil || !slices.Equal(codesOf(rows), one.want) {
			t.Errorf("%+v: %v, %v", one, codesOf(rows), err)
		}
	}
	rows, err := s.ListEverHeld(t.Context(), digest("b"), "", 1)
	if want := row("L3", heldBy("a", "b"), issued(epoch)); err != nil || len(rows) != 1 || !sameRow(rows[0], want) {
		t.Errorf("ListEverHeld = %+v, %v; want the whole row %+v", rows, err, want)
	}
}

func listByHolderAfterUpdate(t *testing.T, s licence.Store) {
	first := row("L1", heldBy("a", "b"), issued(epoch))
	insert(t, s, first)
	apply(t, s, licence.Write{Update: []licence.Stored{next(first, heldBy("b", "c"))}})
	for name, want := range map[string]int{"a": 0, "b": 1, "c": 1} {
		rows, total, err := s.ListByHolder(t.Context(), [][]byte{digest(name)}, []string{"A"}, 10, 0)
		if err != nil || total != want || len(rows) != want {
			t.Errorf("ListByHolder(%s) = %v, %d, %v; want %d", name, codesOf(rows), total, err, want)
		}
	}
}

func listRegistered(t *testing.T, s licence.Store) {
	age := func(n int) func(*licence.Stored) { return created(epoch.Add(time.Duration(n) * time.Second)) }
	biz := func(n string) func(*licence.Stored) { return func(r *licence.Stored) { r.BizNum = n } }
	division := func(c string) func(*licence.Stored) { return func(r *licence.Stored) { r.DivisionCode = c } }
	insert(t, s,
		row("L3", age(2)),
		row("L1", age(3), biz("B-2")),
		row("L2", age(1), division("110101")),
		row("L4", age(2)), // the same age: by code
		row("L5", issued(epoch)),
		row("L6", inState(licence.Abolished)),
		row("L7", inState(licence.Deleted)),
		row("L8", ofItem("B")),
		row("L9", func(r *licence.Stored) { r.Department = "D2" }),
		row("LA", inState(licence.Draft)),
	)
	for _, one := range []struct {
		name, biz, division string
		limit               int
		want                []string
	}{
		{"all, oldest first", "", "", 10, []string{"L2", "L3", "L4", "L1"}},
		{"limited", "", "", 2, []string{"L2", "L3"}},
		{"by biz_num", "B-2", "", 10, []string{"L1"}},
		{"by division", "", "110101", 10, []string{"L2"}},
		{"by both", "B-1", "110105", 10, []string{"L3", "L4"}},
		{"by both, none", "B-2", "110101", 10, nil},
	} {
		got, err := s.ListRegistered(t.Context(), "A", "D1", one.biz, one.division, one.limit)
		if err != nil || !slices.Equal(got, one.want) {
			t.Errorf("%s: %v, %v; want %v", one.name, got, err, one.want)
		}
	}
}

func listIssued(t *testing.T, s licence.Store) {
	second := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }
	insert(t, s,
		row("L5", issued(second(1))),
		row("L3", issued(second(2)), heldBy("a", "b")),
		row("L4", issued(second(2))), // the same time: by code
		row("L1", issued(second(3))),
		row("L2"), // not issued
		row("L6", issued(second(2)), inState(licence.Abolished)),
		row("L7", inState(licence.Deleted)),
		row("L8", issued(second(2)), ofItem("B")),
		row("L9", issued(second(2)), func(r *licence.Stored) { r.Department = "D2" }),
	)
	for _, one := range []struct {
		name  string
		from  time.Time
		after string
		limit int
		want  []string
		count int
	}{
		{"all", time.Time{}, "", 10, []string{"L5", "L3", "L4", "L1"}, 4},
		{"limited", time.Time{}, "", 2, []string{"L5", "L3"}, 4},
		{"none asked for", time.Time{}, "", 0, nil, 4},
		{"from a time on", second(2), "", 10, []string{"L3", "L4", "L1"}, 3},
		{"from a moment later", second(2).Add(time.Microsecond), "", 10, []string{"L1"}, 1},
		{"behind a code of that time", second(2), "L3", 10, []string{"L4", "L1"}, 2},
		{"behind the last of that time", second(2), "L4", 1, []string{"L1"}, 1},
		{"behind a code that is gone", second(2), "L6", 10, []string{"L1"}, 1},
		{"at the end", second(3), "L1", 10, nil, 0},
	} {
		rows, err := s.ListIssued(t.Context(), "A", "D1", one.from, one.after, one.limit)
		if err != nil || !slices.Equal(codesOf(rows), one.want) {
			t.Errorf("%s: %v, %v; want %v", one.name, codesOf(rows), err, one.want)
		}
		if n, err := s.CountIssued(t.Context(), "A", "D1", one.from, one.after); err != nil || n != one.count {
			t.Errorf("%s: CountIssued = %d, %v; want %d", one.name, n, err, one.count)
		}
	}
	rows, err := s.ListIssued(t.Context(), "A", "D1", second(2), "", 1)
	if want := row("L3", heldBy("a", "b"), issued(second(2))); err != nil || len(rows) != 1 || !sameRow(rows[0], want) {
		t.Errorf("ListIssued = %+v, %v; want the whole row %+v", rows, err, want)
	}
}

func hasLicences(t *testing.T, s licence.Store) {
	insert(t, s,
		row("L1"), row("L2", ofItem("B"), inState(licence.Abolished)), row("L3", ofItem("C"), inState(licence.Deleted)),
		row("L4", ofItem("D"), inState(licence.Draft)), row("L5", ofItem("E"), issued(epoch)),
	)
	for item, want := range map[string]bool{"A": true, "B": true, "C": false, "D": true, "E": true, "Z": false} {
		if got, err := s.HasLicences(t.Context(), item); err != nil || got != want {
			t.Errorf("HasLicences(%s) = %v, %v; want %v", item, got, err, want)
		}
	}
}

func codeRoundTrip(t *testing.T, s licence.Store) {
	codes := []licence.StoredCode{
		useCode("auth"),
		useCode("show", func(c *licence.StoredCode) {
			c.Kind, c.Grant.Sensitive = licence.ShowCode, false
			c.Redeemer = &licence.Redeemer{
				App: "other", Department: "D2", ServiceItem: "S2", BizNum: "B-2", Uses: map[string]string{"get_license_qr": "请求-1", "archive_qr": ""},
			}
		}),
		useCode("token", func(c *licence.StoredCode) { c.Kind, c.Grant = licence.AccessToken, licence.Grant{} }),
		useCode("expired", func(c *licence.StoredCode) { c.Expires = epoch.Add(-time.Hour) }),
	}
	apply(t, s, licence.Write{Insert: []licence.Stored{row("L1")}, InsertCodes: codes})
	for _, want := range codes {
		wantCode(t, s, want) // expired or not
	}
}

func codeUpdate(t *testing.T, s licence.Store) {
	first, other := useCode("c"), useCode("d")
	apply(t, s, licence.Write{Insert: []licence.Stored{row("L1")}, InsertCodes: []licence.StoredCode{first, other}})
	second := useCode("c", func(c *licence.StoredCode) {
		c.Revision, c.Expires = 2, epoch.Add(2*time.Hour)
		c.Redeemer = &licence.Redeemer{App: "x", Uses: map[string]string{"archive_qr": "1"}}
	})
	apply(t, s, licence.Write{UpdateCodes: []licence.StoredCode{second}})
	wantCode(t, s, second)
	wantCode(t, s, other)
	applyFails(t, s, licence.Write{UpdateCodes: []licence.StoredCode{second}}, licence.ErrStale)
	tooNew := second
	tooNew.Revision = 4
	applyFails(t, s, licence.Write{UpdateCodes: []licence.StoredCode{tooNew}}, licence.ErrStale)
	missing := useCode("nothing", func(c *licence.StoredCode) { c.Revision = 2 })
	applyFails(t, s, licence.Write{UpdateCodes: []licence.StoredCode{missing}}, licence.ErrStale)
	wantCode(t, s, second)
	wantNoCode(t, s, missing.Digest)
}

func codeDuplicate(t *testing.T, s licence.Store) {
	first := useCode("c")
	apply(t, s, licence.Write{Insert: []licence.Stored{row("L1")}, InsertCodes: []licence.StoredCode{first}})
	again := useCode("c", func(c *licence.StoredCode) { c.Kind = licence.AccessToken })
	applyFails(t, s, licence.Write{InsertCodes: []licence.StoredCode{useCode("d"), again}}, licence.ErrDuplicate)
	wantCode(t, s, first)
	wantNoCode(t, s, useCode("d").Digest)
}

func purgeCodes(t *testing.T, s licence.Store) {
	at := func(name string, d time.Duration) licence.StoredCode {
		return useCode(name, func(c *licence.StoredCode) { c.Expires = epoch.Add(d) })
	}
	gone1, gone2 := at("gone1", -time.Hour), at("gone2", -time.Microsecond)
	edge, stays := at("edge", 0), at("stays", time.Microsecond)
	apply(t, s, licence.Write{Insert: []licence.Stored{row("L1")}, InsertCodes: []licence.StoredCode{gone1, edge, stays, gone2}})
	if n, err := s.PurgeCodes(t.Context(), epoch); err != nil || n != 2 {
		t.Errorf("PurgeCodes = %d, %v; want 2", n, err)
	}
	wantNoCode(t, s, gone1.Digest)
	wantNoCode(t, s, gone2.Digest)
	wantCode(t, s, edge)
	wantCode(t, s, stays)
	wantRow(t, s, row("L1"))
	if n, err := s.PurgeCodes(t.Context(), epoch); err != nil || n != 0 {
		t.Errorf("PurgeCodes again = %d, %v; want 0", n, err)
	}
}

// nothingByHalves gives writes whose one part fails; every other part must leave nothing.
func nothingByHalves(t *testing.T, s licence.Store) {
	kept, keptCode := row("K1"), useCode("kept", func(c *licence.StoredCode) { c.LicenceCode = "K1" })
	apply(t, s, licence.Write{Insert: []licence.Stored{kept, row("K2")}, InsertCodes: []licence.StoredCode{keptCode}})
	codeNext := keptCode
	codeNext.Revision, codeNext.Redeemer = 2, &licence.Redeemer{App: "x"}
	staleCode := keptCode // revision 1 replaces nothing
	whole := func() licence.Write {
		return licence.Write{
			Insert:      []licence.Stored{row("N1")},
			Update:      []licence.Stored{next(kept, inState(licence.Abolished))},
			InsertCodes: []licence.StoredCode{useCode("new", func(c *licence.StoredCode) { c.LicenceCode = "N1" })},
			UpdateCodes: []licence.StoredCode{codeNext},
		}
	}
	for _, one := range []struct {
		name  string
		spoil func(*licence.Write)
		want  error
	}{
		{"insert", func(w *licence.Write) { w.Insert = append(w.Insert, row("K2", idCode("free"))) }, licence.ErrDuplicate},
		{"id code", func(w *licence.Write) { w.Insert = append(w.Insert, row("N2", idCode("id K2"))) }, licence.ErrDuplicate},
		{"update", func(w *licence.Write) { w.Update = append(w.Update, row("K2")) }, licence.ErrStale},
		{"insert code", func(w *licence.Write) { w.InsertCodes = append(w.InsertCodes, keptCode) }, licence.ErrDuplicate},
		{"update code", func(w *licence.Write) { w.UpdateCodes = []licence.StoredCode{staleCode} }, licence.ErrStale},
	} {
		w := whole()
		one.spoil(&w)
		if err := s.Apply(t.Context(), w); !errors.Is(err, one.want) {
			t.Errorf("%s: Apply = %v, want %v", one.name, err, one.want)
		}
		wantRow(t, s, kept)
		wantRow(t, s, row("K2"))
		wantCode(t, s, keptCode)
		wantNoRow(t, s, "N1")
		wantNoRow(t, s, "N2")
		wantNoCode(t, s, useCode("new").Digest)
	}
	apply(t, s, whole()) // and unspoilt it is taken whole
	wantRow(t, s, row("N1"))
	wantRow(t, s, next(kept, inState(licence.Abolished)))
	wantCode(t, s, codeNext)
}

func emptyWrite(t *testing.T, s licence.Store) {
	apply(t, s, licence.Write{})
}

func cancelledContext(t *testing.T, s licence.Store) {
	insert(t, s, row("L1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Apply(ctx, licence.Write{Insert: []licence.Stored{row("L2")}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply = %v, want context.Canceled", err)
	}
	wantNoRow(t, s, "L2")
	if _, err := s.Find(ctx, "L1"); !errors.Is(err, context.Canceled) || errors.Is(err, licence.ErrNotFound) {
		t.Errorf("Find = %v, want context.Canceled: a failure is not an absence", err)
	}
	if _, err := s.FindCode(ctx, digest("x")); !errors.Is(err, context.Canceled) || errors.Is(err, licence.ErrNoCode) {
		t.Errorf("FindCode = %v, want context.Canceled: a failure is not an absence", err)
	}
	if _, err := s.FindByIDCode(ctx, "A", digest("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("FindByIDCode = %v, want context.Canceled", err)
	}
	if _, _, err := s.ListByHolder(ctx, [][]byte{digest("x")}, []string{"A"}, 1, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("ListByHolder = %v, want context.Canceled", err)
	}
	if _, err := s.ListEverHeld(ctx, digest("x"), "", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("ListEverHeld = %v, want context.Canceled", err)
	}
	if _, err := s.ListRegistered(ctx, "A", "D1", "", "", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("ListRegistered = %v, want context.Canceled", err)
	}
	if _, err := s.ListIssued(ctx, "A", "D1", epoch, "", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("ListIssued = %v, want context.Canceled", err)
	}
	if _, err := s.CountIssued(ctx, "A", "D1", epoch, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("CountIssued = %v, want context.Canceled", err)
	}
	if _, err := s.HasLicences(ctx, "A"); !errors.Is(err, context.Canceled) {
		t.Errorf("HasLicences = %v, want context.Canceled", err)
	}
	if _, err := s.PurgeCodes(ctx, epoch); !errors.Is(err, context.Canceled) {
		t.Errorf("PurgeCodes = %v, want context.Canceled", err)
	}
}

// rowsAreCopies changes what went in and what came out; the store's own row must not move.
func rowsAreCopies(t *testing.T, s licence.Store) {
	in := row("L1")
	c := useCode("c", func(c *licence.StoredCode) {
		c.Redeemer = &licence.Redeemer{App: "x", Uses: map[string]string{"archive_qr": "1"}}
	})
	apply(t, s, licence.Write{Insert: []licence.Stored{in}, InsertCodes: []licence.StoredCode{c}})
	in.Sealed[0] ^= 0xff
	c.Redeemer.Uses["archive_qr"] = "2"
	out, err := s.Find(t.Context(), "L1")
	if err != nil {
		t.Fatal(err)
	}
	out.Sealed[1] ^= 0xff
	out.IDCodeDigest[0] ^= 0xff
	out.HolderDigests[0][0] ^= 0xff
	wantRow(t, s, row("L1"))
	want := useCode("c", func(c *licence.StoredCode) {
		c.Redeemer = &licence.Redeemer{App: "x", Uses: map[string]string{"archive_qr": "1"}}
	})
	wantCode(t, s, want)
}
