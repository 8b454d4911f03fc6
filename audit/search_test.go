package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func searchTest(t testing.TB, dir string, q Query) (ids []string) {
	t.Helper()
	err := Search(context.Background(), dir, q, func(r *Record, payload []byte) error {
		if !bytes.Contains(payload, []byte(`"response_id":"`+r.ResponseID+`"`)) {
			t.Errorf("%s comes with %s", r.ResponseID, payload)
		}
		ids = append(ids, r.ResponseID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// exported is what Search must find.
func exported(t testing.TB, dir string, q Query) (ids []string) {
	t.Helper()
	for _, r := range exportTest(t, dir, q) {
		ids = append(ids, r.ResponseID)
	}
	return ids
}

// variedJournal has n records whose fields take few values, in segments of 40, some packed, all indexed but the last.
func variedJournal(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{SegmentSize: 12_000, KeepPlain: true})
	for i := range n {
		r := record(fmt.Sprint("r", i))
		r.Time = testTime.Add(time.Duration(i) * time.Minute)
		r.Department, r.App, r.Account = fmt.Sprint("D", i%3), fmt.Sprint("A", i%5), fmt.Sprint("C", i%7)
		r.Interface, r.Item, r.Outcome = fmt.Sprint("I", i%4), fmt.Sprint("L", i%2), []string{"SUCCESS", "FAILURE"}[i%11/10]
		r.Event, r.Kind, r.CorrelationID = EventRequest, []string{KindUse, ""}[i%2], fmt.Sprint("c", i/2)
		if i%6 == 0 {
			r.Event, r.AttemptOf = EventAttempt, fmt.Sprint("r", i+1)
		}
		r.Licences, r.Identities = []string{fmt.Sprint("l", i%13), fmt.Sprint("l", i%13)}, []string{fmt.Sprint("h", i%17), "h"}
		if err := j.Append(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	closeTest(t, j)
	names, err := segments(disk{}, dir)
	if err != nil || len(names) < 4 {
		t.Fatalf("%v, %v", names, err)
	}
	packTest(t, dir, names[0])
	packTest(t, dir, names[2])
	if err := Reindex(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSearchFindsWhatExportFinds asks both, at random.
func TestSearchFindsWhatExportFinds(t *testing.T) {
	t.Parallel()
	dir := variedJournal(t, 300)
	if names, err := filepath.Glob(filepath.Join(dir, "*"+indexSuffix)); err != nil || len(names) < 4 {
		t.Fatalf("%v, %v", names, err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	maybe := func(format string, n int) string {
		if random.IntN(4) > 0 {
			return ""
		}
		return fmt.Sprintf(format, random.IntN(n))
	}
	for range 300 {
		q := Query{
			Department: maybe("D%d", 4), App: maybe("A%d", 5), Account: maybe("C%d", 7), Interface: maybe("I%d", 4), Item: maybe("L%d", 2),
			Licence: maybe("l%d", 13), Identity: maybe("h%d", 18), CorrelationID: maybe("c%d", 150), WithAttempts: random.IntN(2) == 0,
		}
		if random.IntN(3) == 0 {
			q.About = &About{Identity: fmt.Sprintf("h%d", random.IntN(18)), Licences: []string{"nobody's"}}
			for range random.IntN(4) {
				q.About.Licences = append(q.About.Licences, fmt.Sprintf("l%d", random.IntN(14)))
			}
		}
		if random.IntN(3) == 0 {
			q.After = uint64(random.IntN(310))
		}
		if random.IntN(8) == 0 {
			q.ResponseID = fmt.Sprint("r", random.IntN(300))
		}
		if random.IntN(4) == 0 {
			q.Outcome, q.Event, q.Kind = "FAILURE", EventRequest, KindUse
		}
		if random.IntN(3) == 0 {
			q.Since = testTime.Add(time.Duration(random.IntN(300)) * time.Minute)
			q.Until = q.Since.Add(time.Duration(random.IntN(200)) * time.Minute)
		}
		if random.IntN(4) == 0 {
			q.Limit = 1 + random.IntN(5)
		}
		if got, want := searchTest(t, dir, q), exported(t, dir, q); !slices.Equal(got, want) {
			t.Fatalf("%+v:\ngot  %v\nwant %v", q, got, want)
		}
	}
	report, err := VerifyWith(t.Context(), dir, VerifyOptions{Indexes: true})
	if err != nil || report.Fault != nil {
		t.Errorf("%+v, %v", report.Fault, err)
	}
}

// TestBrokenIndexes: an index that is broken or of another segment hides nothing; one that was made to lie is found.
func TestBrokenIndexes(t *testing.T) {
	t.Parallel()
	made := variedJournal(t, 200)
	names, err := segments(disk{}, made)
	if err != nil {
		t.Fatal(err)
	}
	for what, tamper := range map[string]func(t *testing.T, dir, index string){
		"gone":  func(t *testing.T, _, index string) { mustRemove(t, index) },
		"flip":  func(t *testing.T, _, index string) { change(t, index, flip(300)) },
		"cut":   func(t *testing.T, _, index string) { change(t, index, cutTo(100)) },
		"empty": func(t *testing.T, _, index string) { change(t, index, cutTo(0)) },
		"another segment's": func(t *testing.T, dir, index string) {
			b, err := os.ReadFile(filepath.Join(dir, names[0]+indexSuffix))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(index, b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"another offset": func(t *testing.T, dir, index string) { // with a good checksum
			change(t, index, func([]byte) []byte {
				x := newIndexer(segmentFirst(names[1]))
				for i := range 40 {
					x.add(int64(100+i), &Record{Department: "D1"})
				}
				return x.bytes()
			})
		},
	} {
		t.Run(strings.ReplaceAll(what, "'", ""), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			index := filepath.Join(dir, names[1]+indexSuffix)
			tamper(t, dir, index)
			q := Query{Department: "D1"}
			if what == "another offset" {
				if err := Search(t.Context(), dir, q, func(*Record, []byte) error { return nil }); !errors.Is(err, ErrDamaged) {
					t.Errorf("%v", err)
				}
			} else if got, want := searchTest(t, dir, q), exported(t, dir, q); !slices.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			report, err := VerifyWith(t.Context(), dir, VerifyOptions{Indexes: true})
			if err != nil || (report.Fault != nil) != (what != "gone") || report.Fault != nil && (report.Fault.File != names[1]+indexSuffix || report.Fault.Cause != causeIndex) {
				t.Errorf("%+v, %v", report.Fault, err)
			}
			if err := Reindex(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			if report, err := VerifyWith(t.Context(), dir, VerifyOptions{Indexes: true}); err != nil || report.Fault != nil {
				t.Errorf("made again: %+v, %v", report.Fault, err)
			}
		})
	}
}

func mustRemove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestIndexesAreMade: the keeper indexes what was sealed; a segment with damage is read whole, and said to be damaged.
func TestIndexesAreMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 40, 10)
	change(t, filepath.Join(dir, segmentName(11)), func(b []byte) []byte {
		_, list := frames(t, b)
		list[3][100] ^= 1
		return b
	})
	j, _ := openTest(t, dir, Options{})
	for n := 0; n < 2; { // the first and the third; the second has none
		names, err := filepath.Glob(filepath.Join(dir, "*"+indexSuffix))
		if err != nil {
			t.Fatal(err)
		}
		n = len(names)
	}
	closeTest(t, j)
	n := 0
	err := Search(t.Context(), dir, Query{App: "hydj"}, func(*Record, []byte) error { n++; return nil })
	if !errors.Is(err, ErrDamaged) || n != 39 {
		t.Errorf("%d found, %v", n, err)
	}
	stop := errors.New("stop")
	if err := Search(t.Context(), dir, Query{App: "hydj"}, func(*Record, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// FuzzIndex: nothing that claims to be an index makes anything panic or run away.
func FuzzIndex(f *testing.F) {
	x := newIndexer(7)
	for i := range 20 {
		x.add(int64(i*100), &Record{Department: fmt.Sprint(i % 3), App: "a", Time: testTime})
	}
	f.Add(x.bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeIndex(b)
		if err != nil {
			return
		}
		hits, err := x.hits([]uint64{termOf("app", "a")}, nil)
		if err == nil && len(hits) > x.records() {
			t.Errorf("%d of %d", len(hits), x.records())
		}
		for _, n := range hits {
			x.offset(n)
		}
	})
}

// TestIndexIsFrozen holds the bytes of version 1.
func TestIndexIsFrozen(t *testing.T) {
	t.Parallel()
	x := newIndexer(7)
	x.add(50, &Record{Department: "D", ResponseID: "r1", Time: testTime})
	x.add(300, &Record{Department: "D", ResponseID: "r2", Time: testTime.Add(time.Hour)})
	const golden = "4c47494e4445585300010000000000000007161138cdd4855d1516113c14053dfd150000000200000003" + // header
		"000000320000012c" + // offsets
		"96dae727bdf92f0b0000000096dae827bdf930be00000001ee18b822034bfcd300000002" + // terms
		"00010001" + "c55cf714"
	if got := fmt.Sprintf("%x", x.bytes()); got != golden {
		t.Errorf("%s", got)
	}
}
