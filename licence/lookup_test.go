package licence_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"licgate/licence"
)

func codesOf(licences []*licence.Licence) []string {
	var codes []string
	for _, l := range licences {
		codes = append(codes, l.Code)
	}
	return codes
}

func TestByHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	items := []string{"305018201", "100185101"}
	issue := func(a licence.Actor, item string, m licence.Making) string {
		t.Helper()
		w.pass(time.Minute)
		made, err := w.Issue(t.Context(), a, marriage(func(i *licence.Item) { i.Code = item }), m)
		if err != nil {
			t.Fatal(err)
		}
		return made.Licence.Code
	}
	passport := " e12345678 "
	both := issue(civil, items[0], numbered("J-1"))
	foreign := issue(other, items[0], making("JHZZH", "J-2", "POSFZJH", nil)) // of any department
	elsewhere := issue(civil, items[1], making("CYRSFZJHM", passport, "POSFZJH", nil))
	abolished := issue(civil, items[0], numbered("J-3"))
	if _, err := w.Abolish(t.Context(), civil, marriage(), at(abolished), ""); err != nil {
		t.Fatal(err)
	}
	w.create(t, numbered("J-4")) // not issued
	expired := issue(civil, items[0], making("JHZZH", "J-5", "POSFZJH", nil, "FZRQ", "2019-01-01", "YXQJSRQ", "2020-01-01"))

	masked := issue(civil, items[1], making("CYRSFZJHM", "110105*****", "POSFZJH", nil, "JHZZH", nil))
	old := alice[:6] + alice[8:17]
	full := strings.Map(func(r rune) rune { return r + 0xFEE0 }, alice)
	for _, one := range []struct {
		name    string
		numbers []string
		items   []string
		page    licence.Page
		want    []string
		total   int
	}{
		{"newest first", []string{alice}, items, licence.Page{}, []string{expired, foreign, both}, 3},
		{"the other holder", []string{bob}, items, licence.Page{}, []string{both}, 1},
		{"both, each licence once", []string{bob, alice, alice}, items, licence.Page{}, []string{expired, foreign, both}, 3},
		{"old form", []string{old}, items, licence.Page{}, []string{expired, foreign, both}, 3},
		{"full-width with blanks", []string{"　" + full + " "}, items, licence.Page{}, []string{expired, foreign, both}, 3},
		{"letters", []string{"Ｅ12345678"}, items, licence.Page{}, []string{elsewhere}, 1},
		{"masked literal", []string{"110105*****"}, items, licence.Page{}, []string{masked}, 1},
		{"first page", []string{alice}, items, licence.Page{Index: 1, Size: 2}, []string{expired, foreign}, 3},
		{"last page", []string{alice}, items, licence.Page{Index: 2, Size: 2}, []string{both}, 3},
		{"past the end", []string{alice}, items, licence.Page{Index: 1 << 62, Size: 150}, nil, 3},
		{"items narrow", []string{alice, passport}, items[1:], licence.Page{}, []string{elsewhere}, 1},
		{"no items", []string{alice}, nil, licence.Page{}, nil, 0},
		{"nobody", []string{identity("110101", "19800101", 9)}, items, licence.Page{}, nil, 0},
		{"blank", []string{"", " "}, items, licence.Page{}, nil, 0},
		{"none", nil, items, licence.Page{}, nil, 0},
	} {
		got, total, err := w.ByHolder(t.Context(), one.numbers, one.items, one.page)
		if err != nil || total != one.total || !slices.Equal(codesOf(got), one.want) {
			t.Errorf("%s: %v, %d, %v; want %v, %d", one.name, codesOf(got), total, err, one.want, one.total)
		}
	}
	twenty := make([]string, 20)
	for i := range twenty {
		twenty[i] = fmt.Sprintf("N%d", i)
	}
	if _, _, err := w.ByHolder(t.Context(), twenty, items, licence.Page{}); err != nil {
		t.Errorf("20 numbers: %v", err)
	}
	_, _, err := w.ByHolder(t.Context(), append(twenty, alice), items, licence.Page{})
	wantErr(t, "21 numbers", err, licence.ErrHolders)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = w.ByHolder(ctx, []string{alice}, items, licence.Page{})
	wantErr(t, "cancelled", err, context.Canceled)
}

// Whoever writes to the database without the key is found out, by every way to the row.
func TestTampered(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]func(row *licence.Stored, donor licence.Stored){
		"sealed bytes":      func(row *licence.Stored, _ licence.Stored) { row.Sealed[len(row.Sealed)-1] ^= 1 },
		"sealed cut":        func(row *licence.Stored, _ licence.Stored) { row.Sealed = row.Sealed[:4] },
		"sealed taken away": func(row *licence.Stored, _ licence.Stored) { row.Sealed = nil },
		"sealed of another": func(row *licence.Stored, donor licence.Stored) { row.Sealed = donor.Sealed },
		"division":          func(row *licence.Stored, _ licence.Stored) { row.DivisionCode = "110105" },
		"biz_num":           func(row *licence.Stored, _ licence.Stored) { row.BizNum = "x" },
		"revision":          func(row *licence.Stored, _ licence.Stored) { row.Revision++ },
		"age":               func(row *licence.Stored, _ licence.Stored) { row.Created = row.Created.Add(time.Second) },
		"issue time":        func(row *licence.Stored, _ licence.Stored) { row.IssueTime = row.IssueTime.Add(time.Second) },
		"id_code":           func(row *licence.Stored, donor licence.Stored) { row.IDCodeDigest = donor.IDCodeDigest },
		"holder added": func(row *licence.Stored, donor licence.Stored) {
			row.HolderDigests = append(row.HolderDigests, donor.HolderDigests...)
		},
		"holder removed": func(row *licence.Stored, _ licence.Stored) { row.HolderDigests = row.HolderDigests[1:] },
		"state back":     func(row *licence.Stored, _ licence.Stored) { row.State = licence.Registered },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			made := w.issue(t, numbered("J-1"))
			donor := w.stored(t, w.issue(t, making("CYRSFZJHM", "X1", "POSFZJH", "X2", "JHZZH", "J-2")).Licence.Code)
			row := w.stored(t, made.Licence.Code)
			tamper(&row, donor)
			w.store.find = func(context.Context, string) (licence.Stored, error) { return row, nil }
			w.store.listByHolder = func([]licence.Stored) []licence.Stored { return []licence.Stored{row} }
			w.store.findByIDCode = func(context.Context, string, []byte) ([]licence.Stored, error) {
				registered := row
				registered.State = licence.Registered
				return []licence.Stored{registered}, nil
			}
			found, _, err := w.ByHolder(t.Context(), []string{alice}, []string{"305018201"}, licence.Page{})
			wantErr(t, "ByHolder", err, licence.ErrTampered)
			if found != nil {
				t.Errorf("ByHolder gave %v along with the error", codesOf(found))
			}
			_, err = w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department)
			wantErr(t, "ByAuthCode", err, licence.ErrTampered)
			_, err = w.Abolish(t.Context(), civil, marriage(), at(made.Licence.Code), "")
			wantErr(t, "Abolish", err, licence.ErrTampered)
			_, err = w.Sign(t.Context(), civil, marriage(), licence.Target{IDCode: "J-1"})
			wantErr(t, "Sign", err, licence.ErrTampered)
			rows, err := w.BatchSign(t.Context(), civil, marriage(), []string{made.Licence.Code}, "", "")
			if err != nil || len(rows) != 1 || !errors.Is(rows[0].Err, licence.ErrTampered) {
				t.Errorf("BatchSign = %+v, %v", rows, err)
			}
			for _, secret := range []string{"李大华", alice} {
				if strings.Contains(rows[0].Err.Error(), secret) {
					t.Errorf("error %q tells %s", rows[0].Err, secret)
				}
			}
		})
	}
}

// An index that leads to somebody else's licence, or to one that is not issued, is not followed.
func TestIndexDoesNotDecide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.stored(t, w.issue(t, making("CYRSFZJHM", "X1", "POSFZJH", nil)).Licence.Code)
	unsigned := w.stored(t, w.create(t, numbered("J-9")).Licence.Code)
	for _, row := range []licence.Stored{theirs, unsigned} {
		w.store.listByHolder = func([]licence.Stored) []licence.Stored { return []licence.Stored{row} }
		_, _, err := w.ByHolder(t.Context(), []string{alice}, []string{"305018201"}, licence.Page{})
		wantErr(t, "ByHolder", err, licence.ErrTampered)
	}
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.issue(t, making())
	sealed := bytes.Clone(w.stored(t, made.Licence.Code).Sealed)
	keys, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	w.Keys = keys
	_, err = w.Abolish(t.Context(), civil, marriage(), at(made.Licence.Code), "")
	wantErr(t, "Abolish", err, licence.ErrTampered)
	_, err = w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department)
	wantErr(t, "ByAuthCode", err, licence.ErrNoCode) // even its digest is another
	if !bytes.Equal(sealed, w.stored(t, made.Licence.Code).Sealed) {
		t.Error("the row was rewritten")
	}
}

func TestByIssue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issue := func(a licence.Actor, item, number string) string {
		t.Helper()
		w.pass(time.Minute)
		made, err := w.Issue(t.Context(), a, marriage(func(i *licence.Item) { i.Code = item }), numbered(number))
		if err != nil {
			t.Fatal(err)
		}
		return made.Licence.Code
	}
	list := func(a licence.Actor, since time.Time, after string, limit int) licence.IssuePage {
		t.Helper()
		page, err := w.ByIssue(t.Context(), a, marriage(), since, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	const item = "305018201"
	var own []string
	for i := range 5 {
		own = append(own, issue(civil, item, fmt.Sprintf("J-%d", i)))
		issue(other, item, fmt.Sprintf("K-%d", i))
	}
	elsewhere := issue(civil, "100185101", "J-9")
	unsigned := w.create(t, numbered("J-8")).Licence.Code
	if _, err := w.Abolish(t.Context(), civil, marriage(), at(own[2]), ""); err != nil {
		t.Fatal(err)
	}
	valid := []string{own[0], own[1], own[3], own[4]}

	// Pages follow one another, and none is missed when the licence at the border is abolished meanwhile.
	first := list(civil, time.Time{}, "", 2)
	if !slices.Equal(codesOf(first.Licences), valid[:2]) || first.Next != own[1] || first.Total == nil || *first.Total != 4 {
		t.Errorf("first page: %v, next %s, total %v", codesOf(first.Licences), first.Next, first.Total)
	}
	if _, err := w.Abolish(t.Context(), civil, marriage(), at(own[1]), ""); err != nil {
		t.Fatal(err)
	}
	second := list(civil, time.Time{}, first.Next, 2)
	if !slices.Equal(codesOf(second.Licences), valid[2:]) || second.Next != own[4] || second.Total != nil {
		t.Errorf("second page: %v, next %s, total %v", codesOf(second.Licences), second.Next, second.Total)
	}
	last := list(civil, time.Time{}, second.Next, 2)
	if len(last.Licences) != 0 || last.Next != "" {
		t.Errorf("last page: %v, next %s", codesOf(last.Licences), last.Next)
	}

	// Since a time; a later since wins over an earlier cursor.
	since := w.load(t, own[4]).IssueTime
	if page := list(civil, since, "", 10); !slices.Equal(codesOf(page.Licences), own[4:]) || *page.Total != 1 || page.Next != "" {
		t.Errorf("since: %v of %d", codesOf(page.Licences), *page.Total)
	}
	if page := list(civil, since, own[0], 10); !slices.Equal(codesOf(page.Licences), own[4:]) {
		t.Errorf("since, behind an earlier one: %v", codesOf(page.Licences))
	}
	if page := list(civil, since.Add(time.Millisecond), "", 10); len(page.Licences) != 0 || *page.Total != 0 {
		t.Errorf("since a moment later: %v", codesOf(page.Licences))
	}

	// Nobody's else licences, and no cursor that is not among one's own.
	if page := list(other, time.Time{}, "", 10); len(page.Licences) != 5 {
		t.Errorf("another department: %v", codesOf(page.Licences))
	}
	for _, after := range []string{list(other, time.Time{}, "", 1).Licences[0].Code, elsewhere, unsigned, "nothing"} {
		_, err := w.ByIssue(t.Context(), civil, marriage(), time.Time{}, after, 10)
		wantErr(t, "behind "+after, err, licence.ErrNotFound)
	}
}
