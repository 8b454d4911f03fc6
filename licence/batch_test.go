package licence_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"licgate/licence"
)

func TestBatchCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	badGroup := numbered("J-5")
	badGroup.Group = "9"
	rows, err := w.BatchCreate(t.Context(), civil, marriage(), []licence.Making{
		numbered("J-1"), making("CZR", nil), numbered("J-1"), numbered("J-2"), badGroup,
	})
	if err != nil || len(rows) != 5 {
		t.Fatalf("BatchCreate = %d rows, %v", len(rows), err)
	}
	for i, want := range []error{nil, nil, licence.ErrDuplicate, nil, licence.ErrGroup} {
		if i != 1 {
			wantErr(t, "row", rows[i].Err, want)
		}
	}
	fieldError(t, "row 2", rows[1].Err, "CZR")
	for _, i := range []int{0, 3} {
		if rows[i].Code == "" || rows[i].Code != rows[i].Made.Licence.Code || rows[i].Made.AuthCode == "" || w.stored(t, rows[i].Code).State != licence.Registered {
			t.Errorf("row %d = %+v", i+1, rows[i])
		}
	}
	for _, i := range []int{1, 2, 4} {
		if rows[i].Code != "" || rows[i].Made != (licence.Made{}) {
			t.Errorf("refused row %d = %+v", i+1, rows[i])
		}
	}
	codes, err := w.Store.ListRegistered(t.Context(), "305018201", civil.Department, "", "", 10)
	slices.Sort(codes)
	want := []string{rows[0].Code, rows[3].Code}
	slices.Sort(want)
	if err != nil || !slices.Equal(codes, want) {
		t.Errorf("kept %v, %v; want %v", codes, err, want)
	}
	closed, err := w.BatchCreate(t.Context(), civil, marriage(func(i *licence.Item) { i.Open = false }), []licence.Making{making()})
	if err != nil || len(closed) != 1 || !errors.Is(closed[0].Err, licence.ErrItemClosed) {
		t.Errorf("closed item: %+v, %v", closed, err)
	}
	if none, err := w.BatchCreate(t.Context(), civil, marriage(), nil); err != nil || len(none) != 0 {
		t.Errorf("no rows: %v, %v", none, err)
	}
}

// What fails beneath the rows stops the batch; rows before it are made, and reported.
func TestBatchStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := errors.New("disk full")
	w.store.apply = func(ctx context.Context, write licence.Write) error {
		if len(w.store.applied) == 2 {
			return broken
		}
		return w.store.Store.Apply(ctx, write)
	}
	rows, err := w.BatchCreate(t.Context(), civil, marriage(), []licence.Making{numbered("J-1"), numbered("J-2"), numbered("J-3")})
	wantErr(t, "BatchCreate", err, broken)
	if len(rows) != 1 || rows[0].Code == "" {
		t.Errorf("rows %+v, want the one made", rows)
	}
	w.store.apply = nil
	more := w.create(t, numbered("J-4")).Licence.Code

	ctx, cancel := context.WithCancel(t.Context())
	w.store.apply = func(ctx context.Context, write licence.Write) error {
		defer cancel()
		return w.store.Store.Apply(ctx, write)
	}
	signed, err := w.BatchSign(ctx, civil, marriage(), []string{rows[0].Code, more}, "", "")
	wantErr(t, "BatchSign", err, context.Canceled)
	if len(signed) != 1 || signed[0].Err != nil || w.stored(t, more).State != licence.Registered {
		t.Errorf("signed %+v", signed)
	}
	made, err := w.BatchCreate(ctx, civil, marriage(), []licence.Making{making()})
	wantErr(t, "BatchCreate", err, context.Canceled)
	if len(made) != 0 {
		t.Errorf("made %+v after cancellation", made)
	}
	w.store.apply = func(context.Context, licence.Write) error { return broken }
	signed, err = w.BatchSign(t.Context(), civil, marriage(), []string{more}, "", "")
	wantErr(t, "BatchSign", err, broken)
	if len(signed) != 0 {
		t.Errorf("signed %+v", signed)
	}
}

func TestBatchSign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two, three := w.create(t, numbered("J-1")).Licence.Code, w.create(t, numbered("J-2")).Licence.Code, w.create(t, numbered("J-3")).Licence.Code
	foreign, err := w.Create(t.Context(), other, marriage(), numbered("J-4"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := w.BatchSign(t.Context(), civil, marriage(), []string{two + " ", "110000202600000000", foreign.Licence.Code, one, two, ""}, "", "")
	if err != nil || len(rows) != 6 {
		t.Fatalf("BatchSign = %+v, %v", rows, err)
	}
	for i, want := range []struct {
		code string
		err  error
	}{
		{two, nil},
		{"110000202600000000", licence.ErrNotFound},
		{foreign.Licence.Code, licence.ErrNotFound},
		{one, nil},
		{two, licence.ErrState},
		{"", licence.ErrTarget},
	} {
		if rows[i].Code != want.code {
			t.Errorf("row %d is of %q, want %q", i+1, rows[i].Code, want.code)
		}
		wantErr(t, "row", rows[i].Err, want.err)
		if (rows[i].Made.Licence != nil) != (want.err == nil) {
			t.Errorf("row %d = %+v", i+1, rows[i])
		}
	}
	for code, want := range map[string]licence.State{one: licence.Issued, two: licence.Issued, three: licence.Registered, foreign.Licence.Code: licence.Registered} {
		if got := w.stored(t, code).State; got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
	}
}

func TestBatchSignAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	make1 := func(a licence.Actor, idCode, biz string) string {
		t.Helper()
		m := numbered(idCode)
		m.BizNum = biz
		w.pass(time.Second)
		made, err := w.Create(t.Context(), a, marriage(), m)
		if err != nil {
			t.Fatal(err)
		}
		return made.Licence.Code
	}
	district := civil
	district.DivisionCode = "110105"
	c1, c2, c3 := make1(civil, "J-1", "B-1"), make1(civil, "J-2", "B-2"), make1(district, "J-3", "B-1")
	foreign := make1(other, "J-4", "B-1")
	for _, one := range []struct {
		name, biz, division string
		want                []string
	}{
		{"both narrow", "B-1", "110105", []string{c3}},
		{"by biz_num", "B-1", "", []string{c1}},
		{"the rest", "", "", []string{c2}},
		{"nothing left", "", "", nil},
	} {
		rows, err := w.BatchSign(t.Context(), civil, marriage(), nil, one.biz, one.division)
		var got []string
		for _, row := range rows {
			wantErr(t, one.name, row.Err, nil)
			got = append(got, row.Code)
		}
		if err != nil || !slices.Equal(got, one.want) {
			t.Errorf("%s: %v, %v; want %v", one.name, got, err, one.want)
		}
	}
	if got := w.stored(t, foreign).State; got != licence.Registered {
		t.Errorf("a foreign licence is %s", got)
	}
}
