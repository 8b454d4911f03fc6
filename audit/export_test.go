package audit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestExportSelects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{SegmentSize: 500})
	base := Record{
		Time: testTime, Event: "request", Department: "D", App: "A", Account: "C", Interface: "auth", Item: "I", Outcome: "SUCCESS",
		Licences: []string{"l1", "l2"}, Identities: []string{"h1"},
	}
	for i, by := range []func(*Record){
		func(*Record) {},
		func(r *Record) { r.Department = "D2"; r.Time = testTime.Add(time.Hour) },
		func(r *Record) { r.App, r.Account = "A2", "C2"; r.Time = testTime.Add(2 * time.Hour) },
		func(r *Record) { r.Interface, r.Item = "token", "I2"; r.Time = testTime.Add(3 * time.Hour) },
		func(r *Record) { r.Outcome = "FAILURE"; r.Time = testTime.Add(4 * time.Hour).UTC() },
		func(r *Record) { r.Licences, r.Identities = []string{"l2"}, []string{"h2", "h3"} },
		func(r *Record) { r.Licences, r.Identities = nil, nil },
	} {
		r := base
		by(&r)
		r.ResponseID = string(rune('a' + i))
		if err := j.Append(context.Background(), &r); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		query Query
		want  string
	}{
		{Query{}, "abcdefg"},
		{Query{Department: "D2"}, "b"},
		{Query{App: "A2"}, "c"},
		{Query{Account: "C"}, "abdefg"},
		{Query{Interface: "token"}, "d"},
		{Query{Item: "I2"}, "d"},
		{Query{ResponseID: "e"}, "e"},
		{Query{Outcome: "FAILURE"}, "e"},
		{Query{Licence: "l1"}, "abcde"},
		{Query{Licence: "l2"}, "abcdef"},
		{Query{Identity: "h3"}, "f"},
		{Query{Identity: "h"}, ""},
		{Query{Since: testTime.Add(3 * time.Hour)}, "de"},
		{Query{Until: testTime.Add(time.Hour)}, "afg"},
		{Query{Since: testTime.Add(time.Hour), Until: testTime.Add(3 * time.Hour)}, "bc"},
		{Query{Limit: 3}, "abc"},
		{Query{Licence: "l2", Limit: 1, Since: testTime.Add(time.Minute)}, "b"},
		{Query{Department: "D2", App: "A2"}, ""},
	} {
		got := ""
		for _, r := range exportTest(t, dir, test.query) {
			got += r.ResponseID
		}
		if got != test.want {
			t.Errorf("%+v: got %s, want %s", test.query, got, test.want)
		}
	}
}

func TestExportReadsPastDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 12, 4)
	change(t, filepath.Join(dir, segmentName(5)), func(b []byte) []byte {
		_, list := frames(t, b)
		list[1][100] ^= 1
		b[15] ^= 1 // and its header
		return b
	})
	var out bytes.Buffer
	n, err := Export(context.Background(), dir, Query{}, &out)
	if !errors.Is(err, ErrDamaged) || n != 11 {
		t.Errorf("%d records, %v", n, err)
	}
	var got []uint64
	for _, r := range decodeLines(t, out.Bytes()) {
		got = append(got, r.Sequence)
	}
	if want := []uint64{1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestExportErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 3, 10)
	broken := errors.New("pipe")
	if n, err := Export(context.Background(), dir, Query{}, brokenWriter{broken}); n != 0 || !errors.Is(err, broken) {
		t.Errorf("%d, %v", n, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Export(ctx, dir, Query{}, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Export(context.Background(), filepath.Join(dir, "none"), Query{}, &bytes.Buffer{}); err == nil {
		t.Error("no directory, no error")
	}
}

// TestMissingSegmentIsDamage: what is left is written, and that it is not all is told; what was deleted past retention is not missing.
func TestMissingSegmentIsDamage(t *testing.T) {
	t.Parallel()
	made := t.TempDir()
	j, _ := openTest(t, made, Options{SegmentSize: 500, KeepPlain: true})
	for i := range 9 {
		appendTest(t, j, string(rune('a'+i)))
	}
	closeTest(t, j)
	names, err := segments(disk{}, made)
	if err != nil || len(names) < 4 {
		t.Fatalf("%v %v", names, err)
	}
	for _, indexed := range []bool{false, true} {
		for i, name := range names[:len(names)-1] {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			if indexed {
				if err := Reindex(t.Context(), dir); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if n, err := Export(t.Context(), dir, Query{}, io.Discard); !errors.Is(err, ErrDamaged) || n == 0 {
				t.Errorf("%s: exported %d, %v", name, n, err)
			}
			found := func(*Record, []byte) error { return nil }
			if err := Search(t.Context(), dir, Query{App: "hydj"}, found); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: searched: %v", name, err)
			}
			if i > 0 {
				continue
			}
			if err := writeRetired(disk{}, dir, retired{Version: 1, Last: segmentFirst(names[1]) - 1}); err != nil {
				t.Fatal(err)
			}
			if _, err := Export(t.Context(), dir, Query{}, io.Discard); err != nil {
				t.Errorf("retired: %v", err)
			}
		}
	}
}
