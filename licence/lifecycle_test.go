package licence_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"licgate/gm"
	"licgate/licence"
)

var numberForm = regexp.MustCompile(`^1100002026[0-9A-Z]{8}$`)

func TestCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.create(t, making("FZRQ", "2020-2-14", "unknown", "x", "BZ", ""))
	l := made.Licence
	if !numberForm.MatchString(l.Code) {
		t.Errorf("Code = %q, want division, year, 8 base-36", l.Code)
	}
	created := noon.Truncate(time.Millisecond)
	want := &licence.Licence{
		Code: l.Code, Item: "305018201", Name: "内地居民婚姻登记证", IDCode: "J110103-2020-000002", State: licence.Registered, Revision: 1,
		Department: civil.Department, HolderName: "李大华", HolderIdentityType: "10", HolderIdentityNum: alice,
		HolderIdentityNums: []string{alice, bob}, IssueOrgName: "北京市民政局", IssueOrgCode: civil.Department,
		Division: "北京市", DivisionCode: "110000", IssueDate: "2020-02-14", Group: "1", SealCode: "SEAL-0", BizNum: "20200721123",
		ServiceItem: "110103MZ001", ServiceItemName: "婚姻登记", Version: "1",
		Fields: map[string]any{
			"CZR": "李大华", "CYRSFZJHM": alice, "CYRSFZJLX": "10", "POXM": "王小明", "POSFZJH": bob, "JHZZH": "J110103-2020-000002",
			"FZRQ": "2020-02-14", "BZ": "",
		},
		Creator: civil.Account, CreationTime: created, LastModificator: civil.Account, LastModificationTime: created,
	}
	if !reflect.DeepEqual(l, want) {
		t.Errorf("Create\n got %+v\nwant %+v", l, want)
	}
	if got := w.load(t, l.Code); !reflect.DeepEqual(got, want) {
		t.Errorf("kept\n got %+v\nwant %+v", got, want)
	}
	if len(w.store.applied) == 0 || len(w.store.applied[0].Insert) != 1 || len(w.store.applied[0].InsertCodes) != 1 {
		t.Errorf("licence and auth code are not made in one write")
	}
	r, err := w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department)
	if err != nil || r.Licence.Code != l.Code {
		t.Fatalf("ByAuthCode = %+v, %v", r, err)
	}
	wantGrant := licence.Grant{
		App: civil.App, Account: civil.Account, Department: civil.Department,
		ServiceItem: "110103MZ001", ServiceItemName: "婚姻登记", BizNum: "20200721123",
	}
	if r.Grant != wantGrant {
		t.Errorf("Grant = %+v, want %+v", r.Grant, wantGrant)
	}
}

// Nothing personal may reach the store in clear.
func TestStoredRowIsSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.create(t, making()).Licence.Code
	row := w.stored(t, code)
	text := fmt.Appendf(nil, "%v", row)
	for _, secret := range []string{"李大华", "王小明", alice, bob, "J110103-2020-000002"} {
		if bytes.Contains(text, []byte(secret)) || bytes.Contains(row.Sealed, []byte(secret)) {
			t.Errorf("the stored row shows %s", secret)
		}
	}
	if want := w.Keys.Digest(gm.PurposeIDCode, []byte("305018201\x00J110103-2020-000002")); !bytes.Equal(row.IDCodeDigest, want) {
		t.Errorf("IDCodeDigest is not that of item, 0, id_code")
	}
	if want := w.Keys.Digest(gm.PurposeIdentity, []byte(bob)); len(row.HolderDigests) != 2 || !bytes.Equal(row.HolderDigests[1], want) {
		t.Errorf("HolderDigests are not those of the holders' numbers")
	}
	for _, write := range w.store.applied {
		for _, c := range write.InsertCodes {
			if len(c.Digest) != 32 {
				t.Errorf("code kept as %d bytes, want a digest", len(c.Digest))
			}
		}
	}
}

func TestMakingRefused(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name string
		item *licence.Item
		m    licence.Making
		want error
	}{
		{"cancelled item", marriage(func(i *licence.Item) { i.Status = "CANCEL" }), making(), licence.ErrItemClosed},
		{"draft item", marriage(func(i *licence.Item) { i.Status = "DRAFT" }), making(), licence.ErrItemClosed},
		{"closed item", marriage(func(i *licence.Item) { i.Open = false }), making(), licence.ErrItemClosed},
		{"unknown group", marriage(), licence.Making{Group: "3", Fields: making().Fields}, licence.ErrGroup},
		{"group of an item without", marriage(func(i *licence.Item) { i.Groups = nil }), making(), licence.ErrGroup},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := w.issue(t, numbered("old")).Licence.Code
			before := len(w.store.applied)
			_, err := w.Create(t.Context(), civil, one.item, one.m)
			wantErr(t, "Create", err, one.want)
			_, err = w.Issue(t.Context(), civil, one.item, one.m)
			wantErr(t, "Issue", err, one.want)
			_, err = w.Change(t.Context(), civil, one.item, at(old), one.m)
			wantErr(t, "Change", err, one.want)
			if len(w.store.applied) != before {
				t.Error("a refused call wrote")
			}
		})
	}
}

func TestNotesRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for key, spoil := range map[string]func(*licence.Making){
		"biz_num":           func(m *licence.Making) { m.BizNum = "a\x00b" },
		"service_item_code": func(m *licence.Making) { m.ServiceItem = "\xff" },
		"service_item_name": func(m *licence.Making) { m.ServiceItemName = strings.Repeat("字", 501) },
		"seal_code":         func(m *licence.Making) { m.SealCode = "a\nb" },
	} {
		m := making()
		spoil(&m)
		_, err := w.Create(t.Context(), civil, marriage(), m)
		fieldError(t, "Create", err, key)
	}
	code := w.issue(t, making()).Licence.Code
	_, err := w.Abolish(t.Context(), civil, marriage(), at(code), "a\x1bb")
	fieldError(t, "Abolish", err, "abolish_reason")
	_, err = w.BatchSign(t.Context(), civil, marriage(), nil, "a\x00", "")
	fieldError(t, "BatchSign", err, "biz_num")
}

func TestDuplicate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.create(t, numbered("京(2020)第 7 号x")).Licence.Code
	for _, same := range []string{"京(2020)第 7 号x", " 京（2020）第 7 号X ", "京(2020)第　7 号Ｘ"} {
		for name, call := range map[string]func(context.Context, licence.Actor, *licence.Item, licence.Making) (licence.Made, error){"Create": w.Create, "Issue": w.Issue} {
			_, err := call(t.Context(), civil, marriage(), numbered(same))
			wantErr(t, name+" "+same, err, licence.ErrDuplicate)
			_, err = call(t.Context(), other, marriage(), numbered(same))
			wantErr(t, name+" by another department", err, licence.ErrDuplicate)
		}
	}
	if _, err := w.Create(t.Context(), civil, marriage(func(i *licence.Item) { i.Code = "100185101" }), numbered("京(2020)第 7 号x")); err != nil {
		t.Errorf("another item: %v", err)
	}
	if _, err := w.Delete(t.Context(), civil, marriage(), at(first)); err != nil {
		t.Fatal(err)
	}
	second := w.issue(t, numbered("京(2020)第 7 号x")).Licence.Code
	if _, err := w.Abolish(t.Context(), civil, marriage(), at(second), ""); err != nil {
		t.Fatal(err)
	}
	w.create(t, numbered("京(2020)第 7 号x"))
	// Licences without a number never collide.
	w.create(t, making("JHZZH", nil))
	w.create(t, making("JHZZH", "  "))
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.create(t, making("FZRQ", "2020-02-14"))
	w.pass(time.Minute)
	m := numbered("J-2")
	m.Group, m.BizNum, m.SealCode, m.ServiceItem = "2", "", "", "S-2"
	m.Fields["CYRSFZJHM"] = bob
	delete(m.Fields, "POSFZJH")
	l, err := w.Update(t.Context(), civil, marriage(), licence.Target{Code: " " + made.Licence.Code + " ", IDCode: "j110103-2020-000002"}, m)
	if err != nil {
		t.Fatal(err)
	}
	if l.Revision != 2 || l.State != licence.Registered || l.IDCode != "J-2" || l.Group != "2" || l.ServiceItem != "S-2" || l.IssueDate != "" ||
		l.BizNum != "20200721123" || l.SealCode != "SEAL-0" || l.HolderIdentityNum != bob || !slices.Equal(l.HolderIdentityNums, []string{bob}) ||
		!l.LastModificationTime.Equal(l.CreationTime.Add(time.Minute)) {
		t.Errorf("Update = %+v", l)
	}
	if got := w.load(t, l.Code); !reflect.DeepEqual(got, l) {
		t.Errorf("kept %+v, returned %+v", got, l)
	}
	w.create(t, making()) // the old id_code is free again
	_, err = w.Update(t.Context(), civil, marriage(), at(l.Code), making())
	wantErr(t, "Update to a used id_code", err, licence.ErrDuplicate)
	if got := w.load(t, l.Code); !reflect.DeepEqual(got, l) {
		t.Error("a refused update changed the licence")
	}
	_, err = w.Update(t.Context(), civil, marriage(), at(l.Code), licence.Making{Group: "9"})
	wantErr(t, "Update to an unknown group", err, licence.ErrGroup)
	_, err = w.Update(t.Context(), civil, marriage(), at(l.Code), making("CZR", nil))
	fieldError(t, "Update without a name", err, "CZR")
	closed := marriage(func(i *licence.Item) { i.Open = false })
	if _, err := w.Update(t.Context(), civil, closed, at(l.Code), m); err != nil {
		t.Errorf("Update of a closed item: %v; only making needs it open", err)
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.create(t, making())
	// 2026-03-05 23:30 UTC is already the 6th in Beijing.
	w.pass(19*time.Hour + 30*time.Minute)
	signer := civil
	signer.Account = "signer"
	l, err := w.Sign(t.Context(), signer, marriage(validFor("5年")), at(made.Licence.Code))
	if err != nil {
		t.Fatal(err)
	}
	now := noon.Truncate(time.Millisecond).Add(19*time.Hour + 30*time.Minute)
	if l.State != licence.Issued || l.Issuer != "signer" || l.Creator != civil.Account || !l.IssueTime.Equal(now) || l.LastModificator != "signer" ||
		l.IssueDate != "2026-03-06" || l.ExpiryDate != "2031-03-05" || l.BeginDate != "" || l.Revision != 2 {
		t.Errorf("Sign = %+v", l)
	}
	if got := w.load(t, l.Code); !reflect.DeepEqual(got, l) {
		t.Errorf("kept %+v, returned %+v", got, l)
	}
	if row := w.stored(t, l.Code); row.State != licence.Issued || !row.IssueTime.Equal(now) || row.Revision != 2 {
		t.Errorf("row %+v", row)
	}
	_, err = w.Sign(t.Context(), civil, marriage(), at(l.Code))
	wantErr(t, "Sign twice", err, licence.ErrState)
}

func TestSignTargets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.create(t, numbered("J-1")).Licence.Code
	foreign, err := w.Create(t.Context(), other, marriage(), numbered("J-2"))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		name string
		t    licence.Target
		want error
	}{
		{"nothing", licence.Target{}, licence.ErrTarget},
		{"blanks", licence.Target{Code: " ", IDCode: "　"}, licence.ErrTarget},
		{"unknown code", at("11000020260000ZZZZ"), licence.ErrNotFound},
		{"no code at all", at("x'; --\x00"), licence.ErrNotFound},
		{"code and another's id_code", licence.Target{Code: code, IDCode: "J-2"}, licence.ErrMismatch},
		{"unknown id_code", licence.Target{IDCode: "J-9"}, licence.ErrNotFound},
		{"foreign code", at(foreign.Licence.Code), licence.ErrNotFound},
		{"foreign code and its id_code", licence.Target{Code: foreign.Licence.Code, IDCode: "J-2"}, licence.ErrNotFound},
		{"foreign id_code", licence.Target{IDCode: "J-2"}, licence.ErrNotFound},
	} {
		_, err := w.Sign(t.Context(), civil, marriage(), one.t)
		wantErr(t, one.name, err, one.want)
	}
	if got := w.load(t, code); got.State != licence.Registered {
		t.Fatalf("state %s after refusals", got.State)
	}
	l, err := w.Sign(t.Context(), civil, marriage(), licence.Target{IDCode: " j-1"})
	if err != nil || l.Code != code || l.State != licence.Issued {
		t.Fatalf("Sign by id_code = %+v, %v", l, err)
	}
	_, err = w.Sign(t.Context(), civil, marriage(), licence.Target{IDCode: "J-1"})
	wantErr(t, "Sign by id_code again", err, licence.ErrState)
	both := w.create(t, numbered("J-3")).Licence.Code
	if _, err := w.Sign(t.Context(), civil, marriage(), licence.Target{Code: both, IDCode: "Ｊ-3"}); err != nil {
		t.Errorf("Sign by both: %v", err)
	}
}

// A store keeps id codes unique, yet older data may hold several: then the code must be given.
func TestSignSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.create(t, numbered("J-1")), w.create(t, numbered("J-2"))
	done := w.issue(t, numbered("J-3"))
	rows := []licence.Stored{w.stored(t, one.Licence.Code), w.stored(t, two.Licence.Code), w.stored(t, done.Licence.Code)}
	w.store.findByIDCode = func(context.Context, string, []byte) ([]licence.Stored, error) { return rows, nil }
	_, err := w.Sign(t.Context(), civil, marriage(), licence.Target{IDCode: "J-1"})
	wantErr(t, "Sign", err, licence.ErrSeveral)
	rows = rows[1:]
	l, err := w.Sign(t.Context(), civil, marriage(), licence.Target{IDCode: "J-2"})
	if err != nil || l.Code != two.Licence.Code {
		t.Errorf("Sign takes %+v, %v; want the one that is REGISTERED", l, err)
	}
}

func TestForeignAndMissingAreAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.create(t, numbered("J-1")).Licence.Code
	issued := w.issue(t, numbered("J-2")).Licence.Code
	gone := w.create(t, numbered("J-3")).Licence.Code
	if _, err := w.Delete(t.Context(), civil, marriage(), at(gone)); err != nil {
		t.Fatal(err)
	}
	another := marriage(func(i *licence.Item) { i.Code = "100185101" })
	for _, one := range []struct {
		name  string
		actor licence.Actor
		item  *licence.Item
		code  string
	}{
		{"foreign registered", other, marriage(), code},
		{"foreign issued", other, marriage(), issued},
		{"another item", civil, another, code},
		{"another item, issued", civil, another, issued},
		{"deleted", civil, marriage(), gone},
		{"missing", civil, marriage(), "11000020260000ZZZZ"},
		{"missing, old form", civil, marriage(), "11000016D000020"},
	} {
		target := licence.Target{Code: one.code, IDCode: "J-wrong"} // must not tell a mismatch either
		_, err := w.Update(t.Context(), one.actor, one.item, target, making())
		wantErr(t, one.name+": Update", err, licence.ErrNotFound)
		_, err = w.Delete(t.Context(), one.actor, one.item, target)
		wantErr(t, one.name+": Delete", err, licence.ErrNotFound)
		_, err = w.Sign(t.Context(), one.actor, one.item, target)
		wantErr(t, one.name+": Sign", err, licence.ErrNotFound)
		_, err = w.Change(t.Context(), one.actor, one.item, target, making())
		wantErr(t, one.name+": Change", err, licence.ErrNotFound)
		_, err = w.Abolish(t.Context(), one.actor, one.item, target, "")
		wantErr(t, one.name+": Abolish", err, licence.ErrNotFound)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registered, issued, abolished := w.create(t, numbered("J-1")).Licence.Code, w.issue(t, numbered("J-2")).Licence.Code, w.issue(t, numbered("J-3")).Licence.Code
	if _, err := w.Abolish(t.Context(), civil, marriage(), at(abolished), ""); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{issued, abolished} {
		_, err := w.Update(t.Context(), civil, marriage(), at(code), making())
		wantErr(t, "Update", err, licence.ErrState)
		_, err = w.Delete(t.Context(), civil, marriage(), at(code))
		wantErr(t, "Delete", err, licence.ErrState)
		_, err = w.Sign(t.Context(), civil, marriage(), at(code))
		wantErr(t, "Sign", err, licence.ErrState)
	}
	for _, code := range []string{registered, abolished} {
		_, err := w.Change(t.Context(), civil, marriage(), at(code), making())
		wantErr(t, "Change", err, licence.ErrState)
		_, err = w.Abolish(t.Context(), civil, marriage(), at(code), "")
		wantErr(t, "Abolish", err, licence.ErrState)
	}
	for name, call := range map[string]func(licence.Target) error{
		"Update": func(t0 licence.Target) error {
			_, err := w.Update(t.Context(), civil, marriage(), t0, making())
			return err
		},
		"Delete": func(t0 licence.Target) error { _, err := w.Delete(t.Context(), civil, marriage(), t0); return err },
		"Change": func(t0 licence.Target) error {
			_, err := w.Change(t.Context(), civil, marriage(), t0, making())
			return err
		},
		"Abolish": func(t0 licence.Target) error { _, err := w.Abolish(t.Context(), civil, marriage(), t0, ""); return err },
	} {
		wantErr(t, name+" by id_code alone", call(licence.Target{IDCode: "J-2"}), licence.ErrTarget)
		wantErr(t, name+" of another id_code", call(licence.Target{Code: issued, IDCode: "J-1"}), licence.ErrMismatch)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.create(t, making())
	code := made.Licence.Code
	l, err := w.Delete(t.Context(), civil, marriage(), licence.Target{Code: code, IDCode: "J110103-2020-000002"})
	if err != nil || l.State != licence.Deleted || l.HolderName != "李大华" {
		t.Fatalf("Delete = %+v, %v", l, err)
	}
	want := licence.Stored{Code: code, Item: "305018201", Department: civil.Department, State: licence.Deleted, Revision: 2, Created: noon.Truncate(time.Millisecond)}
	if got := w.stored(t, code); !reflect.DeepEqual(got, want) {
		t.Errorf("tombstone %+v, want %+v", got, want)
	}
	_, err = w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department)
	wantErr(t, "code of a deleted licence", err, licence.ErrNoCode)
}

func TestAbolish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.issue(t, making())
	w.pass(time.Hour)
	l, err := w.Abolish(t.Context(), civil, marriage(func(i *licence.Item) { i.Status = "CANCEL" }), at(made.Licence.Code), "离婚")
	if err != nil {
		t.Fatal(err)
	}
	if l.State != licence.Abolished || l.Abolisher != civil.Account || l.AbolishReason != "离婚" || !l.AbolishTime.Equal(l.IssueTime.Add(time.Hour)) || l.Revision != 2 {
		t.Errorf("Abolish = %+v", l)
	}
	r, err := w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department)
	if err != nil || !reflect.DeepEqual(r.Licence, l) {
		t.Errorf("code of an abolished licence = %+v, %v; the page must be able to say so", r.Licence, err)
	}
}

func TestIssue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made, err := w.Issue(t.Context(), civil, marriage(validFor("90天")), making("YXQQSRQ", "2026-4-1", "FZJGMC", "朝阳区民政局", "FZJGZZJGDM", "1100A1000000"))
	if err != nil {
		t.Fatal(err)
	}
	l := made.Licence
	if l.State != licence.Issued || l.Revision != 1 || l.IssueDate != "2026-03-05" || l.BeginDate != "2026-04-01" || l.ExpiryDate != "2026-06-29" ||
		l.IssueOrgName != "朝阳区民政局" || l.IssueOrgCode != "1100A1000000" || l.Issuer != civil.Account || l.IssueTime.IsZero() {
		t.Errorf("Issue = %+v", l)
	}
	if len(w.store.applied) != 1 {
		t.Errorf("Issue made %d writes, want 1", len(w.store.applied))
	}
	if r, err := w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department); err != nil || !reflect.DeepEqual(r.Licence, l) {
		t.Errorf("ByAuthCode = %+v, %v", r, err)
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item := marriage(validFor("1年"))
	first, err := w.Issue(t.Context(), civil, item, making("BZ", "旧"))
	if err != nil {
		t.Fatal(err)
	}
	w.pass(48 * time.Hour)
	m := making("BZ", "新") // the same id_code
	m.Group = ""
	changer := civil
	changer.Account, changer.DivisionCode = "changer", "110105000000"
	second, err := w.Change(t.Context(), changer, item, licence.Target{Code: first.Licence.Code, IDCode: "J110103-2020-000002"}, m)
	if err != nil {
		t.Fatal(err)
	}
	if last := w.store.applied[len(w.store.applied)-1]; len(last.Update) != 1 || len(last.Insert) != 1 || len(last.InsertCodes) != 1 {
		t.Errorf("Change is not one write: %+v", last)
	}
	now := noon.Truncate(time.Millisecond).Add(48 * time.Hour)
	old := w.load(t, first.Licence.Code)
	if old.State != licence.Abolished || old.Correlative != second.Licence.Code || old.Abolisher != "changer" || old.AbolishReason != "变更" ||
		!old.AbolishTime.Equal(now) || old.Revision != 2 || old.Fields["BZ"] != "旧" {
		t.Errorf("old = %+v", old)
	}
	l := w.load(t, second.Licence.Code)
	if !reflect.DeepEqual(l, second.Licence) {
		t.Errorf("kept %+v, returned %+v", l, second.Licence)
	}
	if !strings.HasPrefix(l.Code, "1101052026") || l.State != licence.Issued || l.Correlative != old.Code || l.Issuer != "changer" || l.Creator != "changer" ||
		l.Fields["BZ"] != "新" || l.IDCode != old.IDCode || l.Version != "2" || l.Group != "1" || l.IssueDate != "2026-03-07" || l.ExpiryDate != "2027-03-06" {
		t.Errorf("new = %+v", l)
	}
	if r, err := w.ByAuthCode(t.Context(), second.AuthCode, changer.App, changer.Department); err != nil || r.Licence.Code != l.Code {
		t.Errorf("ByAuthCode = %+v, %v", r, err)
	}
	third, err := w.Change(t.Context(), civil, item, at(l.Code), numbered("J-other"))
	if err != nil || third.Licence.Version != "3" || third.Licence.IDCode != "J-other" {
		t.Errorf("Change with another id_code = %+v, %v", third.Licence, err)
	}
}

func TestChangeRefusedLeavesAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.issue(t, numbered("J-1"))
	w.create(t, numbered("J-2"))
	before := w.stored(t, first.Licence.Code)
	_, err := w.Change(t.Context(), civil, marriage(), at(first.Licence.Code), numbered("J-2"))
	wantErr(t, "Change to a used id_code", err, licence.ErrDuplicate)
	_, err = w.Change(t.Context(), civil, marriage(), at(first.Licence.Code), making("CZR", " "))
	fieldError(t, "Change without a name", err, "CZR")
	broken := errors.New("disk full")
	w.store.apply = func(context.Context, licence.Write) error { return broken }
	_, err = w.Change(t.Context(), civil, marriage(), at(first.Licence.Code), numbered("J-1"))
	wantErr(t, "Change on a broken store", err, broken)
	if got := w.stored(t, first.Licence.Code); !reflect.DeepEqual(got, before) {
		t.Errorf("a refused change left %+v, want %+v", got, before)
	}
}

// A fresh number that is taken is tried again; a source that gives no free one ends in an error.
func TestNumberCollision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	number := bytes.Repeat([]byte{1}, 16) // 16 bytes are read for a number, 24 for a code
	code := func(b byte) []byte { return bytes.Repeat([]byte{b}, 24) }
	w.Random = bytes.NewReader(slices.Concat(
		number, code(1), // the first licence
		number, code(2), bytes.Repeat([]byte{2}, 16), code(3), // the second meets it once
		number, code(4), number, code(5), number, code(6), // the third never gets past
		number, code(7), bytes.Repeat([]byte{3}, 16), code(8), // a change meets it once
	))
	first := w.create(t, numbered("J-1")).Licence.Code
	second := w.issue(t, numbered("J-2")).Licence.Code
	if first != "110000202611111111" || second != "110000202622222222" {
		t.Errorf("numbers %s, %s", first, second)
	}
	_, err := w.Create(t.Context(), civil, marriage(), numbered("J-3"))
	if err == nil || errors.Is(err, licence.ErrDuplicate) {
		t.Errorf("Create without a free number: %v; must fail, and not as a duplicate", err)
	}
	third, err := w.Change(t.Context(), civil, marriage(), at(second), numbered("J-2"))
	if err != nil || third.Licence.Code != "110000202633333333" {
		t.Fatalf("Change = %+v, %v", third, err)
	}
	if old := w.load(t, second); old.Correlative != third.Licence.Code || old.Revision != 2 {
		t.Errorf("old = %+v", old)
	}
	_, err = w.Create(t.Context(), civil, marriage(), numbered("J-4"))
	if err == nil {
		t.Error("Create with an empty random source succeeded")
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	evening := time.Date(2026, 3, 5, 15, 59, 59, 0, time.UTC) // 23:59:59 in Beijing
	for _, one := range []struct {
		state  licence.State
		expiry string
		now    time.Time
		want   string
	}{
		{licence.Issued, "", evening, "ISSUED"},
		{licence.Issued, "2026-03-05", evening, "ISSUED"}, // the expiry date itself is valid
		{licence.Issued, "2026-03-05", evening.Add(time.Second), "EXPIRED"},
		{licence.Issued, "2026-03-04", evening, "EXPIRED"},
		{licence.Issued, "2026-12-31", evening, "ISSUED"},
		{licence.Abolished, "2026-03-04", evening, "ABOLISHED"},
		{licence.Registered, "2026-03-04", evening, "REGISTERED"},
	} {
		l := &licence.Licence{State: one.state, ExpiryDate: one.expiry}
		if got := l.Status(one.now); got != one.want {
			t.Errorf("%s until %q at %v: %s, want %s", one.state, one.expiry, one.now, got, one.want)
		}
	}
}

// The catalogue may change between making and signing; what is signed must still hold.
func TestSignUnderAnotherItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.create(t, making("YXQJSRQ", "2026-03-04")).Licence.Code
	_, err := w.Sign(t.Context(), civil, itemOf(), at(code))
	wantErr(t, "Sign under another item", err, licence.ErrNotFound)
	bare := marriage(func(i *licence.Item) { i.Fields = nil })
	_, err = w.Sign(t.Context(), civil, bare, at(code))
	fieldError(t, "Sign of what has ended", err, "expiry_date")
	code = w.create(t, numbered("J-2")).Licence.Code
	if _, err = w.Sign(t.Context(), civil, marriage(validFor("三年")), at(code)); err == nil {
		t.Error("signed under an unreadable validity")
	}
	if l, err := w.Sign(t.Context(), civil, marriage(validFor("3年")), at(code)); err != nil || l.ExpiryDate != "2029-03-04" {
		t.Errorf("Sign = %+v, %v", l, err)
	}
	_, err = w.Change(t.Context(), civil, marriage(), at(code), making("YXQJSRQ", "2026-03-04"))
	fieldError(t, "Change to what has ended", err, "YXQJSRQ")
}
