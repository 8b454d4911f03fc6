package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var testTime = time.Date(2020, 5, 22, 10, 30, 0, 123456789, time.FixedZone("", 8*3600))

// record makes a record that can be told from all others.
func record(id string) *Record {
	return &Record{
		ResponseID: id, Time: testTime, Event: "request", App: "hydj", Department: "11110000000021135M",
		Interface: "get_license", Allow: true, Outcome: "SUCCESS", Millis: 1.5,
	}
}

func openTest(t testing.TB, dir string, o Options) (*Journal, Repair) {
	t.Helper()
	if o.Node == "" {
		o.Node = "gw-1"
	}
	if o.Now == nil { // the day of the records
		began := time.Now()
		o.Now = func() time.Time { return testTime.Add(time.Since(began)) }
	}
	j, repair, err := OpenJournal(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j, repair
}

func appendTest(t testing.TB, j *Journal, id string) *Record {
	t.Helper()
	r := record(id)
	if err := j.Append(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func closeTest(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// fill makes a closed journal of n records, each its own write, and perSegment of them in a segment.
func fill(t testing.TB, dir string, n, perSegment int) {
	t.Helper()
	e, err := encodeRecord(record("r1"), "gw-1")
	if err != nil {
		t.Fatal(err)
	}
	size := len(header{node: "gw-1"}.append(nil)) + perSegment*(frameFixed+len(e.append(nil, 1)))
	j, _ := openTest(t, dir, Options{SegmentSize: int64(size), KeepPlain: true})
	for i := range n {
		appendTest(t, j, fmt.Sprintf("r%d", i+1))
	}
	closeTest(t, j)
}

func verifyTest(t testing.TB, dir string) Report {
	t.Helper()
	report, err := Verify(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// mustBeWhole verifies that the journal has records 1 to n and nothing else, and returns their response ids in order.
func mustBeWhole(t testing.TB, dir string) []string {
	t.Helper()
	report := verifyTest(t, dir)
	if report.Fault != nil {
		t.Fatalf("fault: %+v", *report.Fault)
	}
	var ids []string
	seen := make(map[string]bool)
	for i, r := range exportTest(t, dir, Query{}) {
		if r.Sequence != uint64(i+1) {
			t.Fatalf("record %d has sequence %d", i+1, r.Sequence)
		}
		if seen[r.ResponseID] {
			t.Fatalf("record %s is there twice", r.ResponseID)
		}
		seen[r.ResponseID] = true
		ids = append(ids, r.ResponseID)
	}
	if report.Records != uint64(len(ids)) {
		t.Fatalf("%d records verified, %d exported", report.Records, len(ids))
	}
	return ids
}

func exportTest(t testing.TB, dir string, q Query) []Record {
	t.Helper()
	var out bytes.Buffer
	n, err := Export(context.Background(), dir, q, &out)
	if err != nil {
		t.Fatal(err)
	}
	records := decodeLines(t, out.Bytes())
	if n != len(records) {
		t.Fatalf("Export says %d, wrote %d", n, len(records))
	}
	return records
}

func decodeLines(t testing.TB, lines []byte) []Record {
	t.Helper()
	var records []Record
	for line := range bytes.Lines(lines) {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

func TestAppendAndReopen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "audit")
	j, repair := openTest(t, dir, Options{})
	if repair != (Repair{}) {
		t.Errorf("a new journal was repaired: %+v", repair)
	}
	if sequence, chain := j.Last(); sequence != 0 || chain != [32]byte{} {
		t.Errorf("Last() = %d, %s", sequence, chain)
	}
	first := appendTest(t, j, "a")
	if first.Sequence != 1 || first.Node != "gw-1" {
		t.Errorf("got sequence %d, node %q", first.Sequence, first.Node)
	}
	closeTest(t, j)
	if err := j.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := j.Append(context.Background(), record("x")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("appending to a closed journal: %v", err)
	}

	j, repair = openTest(t, dir, Options{})
	if repair != (Repair{}) {
		t.Errorf("a closed journal was repaired: %+v", repair)
	}
	if second := appendTest(t, j, "b"); second.Sequence != 2 {
		t.Errorf("got sequence %d", second.Sequence)
	}
	_, chain := j.Last()
	if ids := mustBeWhole(t, dir); !slices.Equal(ids, []string{"a", "b"}) { // beside the running writer
		t.Errorf("got %v", ids)
	}
	if report := verifyTest(t, dir); report.Last != chain.String() || report.Segments != 1 {
		t.Errorf("got %+v, want last %s", report, chain)
	}
	for _, name := range []string{"000000000001.seg", "head", "lock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{Node: `北京<1>","sequence":9,`})
	r := Record{
		ResponseID: `a","sequence":7,`, CorrelationID: "ends,", TraceID: "t", Time: testTime, Event: "request", App: "hydj", Account: "110000_x",
		Department: "D", SessionID: "s", Operator: &Operator{Account: "o", Name: "n"}, Address: "127.0.0.1", TLS: "1.3",
		Method: "POST", Interface: "auth", Item: "305018201", ServiceItem: "i", ServiceItemName: "<婚姻&登记>\u2028\xff", BizNum: "1",
		Licences: []string{"l1", "l2"}, Identities: []string{"h"}, Reason: "no", Rules: []string{"r"}, PolicyVersion: 3, MaskPlan: "m",
		ClearFields: []string{"CZR"}, Outcome: "FAILURE", ErrorCode: "1", Status: 200, Millis: 0.25, Detail: "d",
	}
	if err := j.Append(context.Background(), &r); err != nil {
		t.Fatal(err)
	}
	mustBeWhole(t, dir)
	got := exportTest(t, dir, Query{})[0]
	r.ServiceItemName = strings.ToValidUTF8(r.ServiceItemName, "\ufffd")
	if !got.Time.Equal(r.Time) {
		t.Errorf("got time %v", got.Time)
	}
	got.Time = r.Time
	if have, want := standardJSON(t, got), standardJSON(t, r); have != want {
		t.Errorf("got  %s\nwant %s", have, want)
	}
}

func TestAppendRefusesWhatNoJournalCanKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{})
	large := record("large")
	large.Detail = strings.Repeat("x", maxFrame)
	odd := record("odd")
	odd.Millis = math.NaN()
	for _, r := range []*Record{large, odd} {
		if err := j.Append(context.Background(), r); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", r.ResponseID, err)
		}
	}
	// The largest that fits is kept, whatever its sequence.
	fits := record("fits")
	e, err := encodeRecord(fits, "gw-1")
	if err != nil {
		t.Fatal(err)
	}
	fits.Detail = strings.Repeat("x", maxFrame-frameFixed-maxSequenceDigits-len(e.text)-len(`,"detail":""`))
	if err := j.Append(context.Background(), fits); err != nil {
		t.Errorf("the largest record: %v", err)
	}
	appendTest(t, j, "after")
	if ids := mustBeWhole(t, dir); !slices.Equal(ids, []string{"fits", "after"}) {
		t.Errorf("got %v", ids)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, node := range []string{strings.Repeat("n", 256), "\xff"} {
		if _, _, err := OpenJournal(t.TempDir(), Options{Node: node}); err == nil {
			t.Errorf("node %q is taken", node)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenJournal(file, Options{}); err == nil {
		t.Error("a file is taken for a journal")
	}
	dir := t.TempDir()
	openTest(t, dir, Options{})
	if _, _, err := OpenJournal(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer: %v", err)
	}
}

func TestSegmentsRoll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 50, 4)
	names, err := segments(disk{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 10 || names[0] != "000000000001.seg" {
		t.Errorf("got segments %v", names)
	}
	if ids := mustBeWhole(t, dir); len(ids) != 50 || ids[49] != "r50" {
		t.Errorf("got %v", ids)
	}
	if report := verifyTest(t, dir); report.Segments != len(names) {
		t.Errorf("%d segments of %d", report.Segments, len(names))
	}
}

func TestAnotherNodeStartsASegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, node := range []string{"a", "b", "c", "c"} { // a writes nothing: its segment is taken over
		j, repair := openTest(t, dir, Options{Node: node})
		if repair.Damage != nil {
			t.Fatalf("%s: %+v", node, repair.Damage)
		}
		if node != "a" {
			appendTest(t, j, fmt.Sprintf("%s%d", node, len(mustBeWhole(t, dir))))
		}
		closeTest(t, j)
	}
	if report := verifyTest(t, dir); report.Segments != 2 || report.Records != 3 {
		t.Errorf("got %+v", report)
	}
	mustBeWhole(t, dir)
}

func TestConcurrentAppends(t *testing.T) {
	t.Parallel()
	const writers, each = 64, 200
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{SegmentSize: 1 << 20})
	var wg sync.WaitGroup
	ids := make([]string, 1+writers*each)
	for w := range writers {
		wg.Go(func() {
			var before uint64
			for i := range each {
				r := record(fmt.Sprintf("w%d-%d", w, i))
				if err := j.Append(context.Background(), r); err != nil {
					t.Error(err)
					return
				}
				if r.Sequence <= before {
					t.Errorf("%s: sequence %d after %d", r.ResponseID, r.Sequence, before)
				}
				before = r.Sequence
				ids[r.Sequence] = r.ResponseID
			}
		})
	}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() { // readers beside the writer see a whole journal at any time
		for {
			select {
			case <-stop:
				return
			default:
			}
			mustBeWholeBesideWriter(t, dir)
		}
	})
	wg.Wait()
	close(stop)
	reader.Wait()
	if got := mustBeWhole(t, dir); !slices.Equal(got, ids[1:]) {
		t.Error("the journal's order is not that of the sequences given")
	}
	if sequence, _ := j.Last(); sequence != writers*each {
		t.Errorf("Last() = %d", sequence)
	}
}

func mustBeWholeBesideWriter(t *testing.T, dir string) {
	report, err := Verify(context.Background(), dir)
	if err != nil || report.Fault != nil {
		t.Errorf("beside a writer: %+v, %v", report.Fault, err)
	}
	n, err := Export(context.Background(), dir, Query{}, &bytes.Buffer{})
	if err != nil || uint64(n) < report.Records {
		t.Errorf("beside a writer: %d exported, %d verified, %v", n, report.Records, err)
	}
}

func TestAppendHeedsItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	system := newFaulty()
	release := system.holdSync()
	j, _, err := openJournal(system, dir, Options{Node: "n"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	r := record("late")
	go func() { done <- j.Append(ctx, r) }()
	system.waitForSync()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if r.Sequence != 0 {
		t.Error("an unconfirmed record has a sequence")
	}
	release()
	closeTest(t, j)
	if ids := mustBeWhole(t, dir); !slices.Equal(ids, []string{"late"}) { // written all the same
		t.Errorf("got %v", ids)
	}
}

func TestGroupSharesOneSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	system := newFaulty()
	release := system.holdSync()
	j, _, err := openJournal(system, dir, Options{Node: "n"})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	add := func(id string) {
		wg.Go(func() {
			if err := j.Append(context.Background(), record(id)); err != nil {
				t.Error(err)
			}
		})
	}
	add("first")
	system.waitForSync()
	for i := range 100 {
		add(fmt.Sprint(i))
	}
	for j.Stats().Waiting < 101 {
		time.Sleep(time.Millisecond)
	}
	before := system.count("sync")
	release()
	wg.Wait()
	if syncs := system.count("sync") - before; syncs != 2 {
		t.Errorf("%d syncs for one record and the 100 that waited meanwhile", syncs)
	}
	closeTest(t, j)
	if ids := mustBeWhole(t, dir); len(ids) != 101 {
		t.Errorf("got %d records", len(ids))
	}
}

func TestUnplacedFilesAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 3, 10)
	left := filepath.Join(dir, segmentName(4)+unplaced)
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	openTest(t, dir, Options{})
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
	mustBeWhole(t, dir)
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			j, _ := openTest(b, b.TempDir(), Options{})
			b.SetParallelism((writers + 1) / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := j.Append(context.Background(), record("0190c9a4-0000-7000-8000-000000000000")); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// TestMonotonic: a time of the running process is also recorded by the clock that nobody sets.
func TestMonotonic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{})
	r := record("now")
	r.Time = time.Now()
	if err := j.Append(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	appendTest(t, j, "a wall clock's time")
	got := exportTest(t, dir, Query{})
	if want := int64(r.Time.Sub(j.opened)); got[0].Monotonic != want || want <= 0 || got[1].Monotonic != 0 {
		t.Errorf("%d and %d, want %d", got[0].Monotonic, got[1].Monotonic, want)
	}
	if r.Monotonic != 0 {
		t.Error("the caller's record is changed")
	}
}
