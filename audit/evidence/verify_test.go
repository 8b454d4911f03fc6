package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"licgate/audit/ledger"
	"licgate/audit/ledger/ledgertest"
)

const origin = "gateway.example/audit"

var testTime = time.Date(2026, 11, 24, 3, 13, 7, 0, time.UTC)

// world is a log of 20 records with checkpoints.
type world struct {
	signers, witnesses []ledger.Signer
	keys, witnessKeys  []ledger.Verifier
	records            [][]byte
	tiles              *ledger.Tiles
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{}
	w.signers, w.keys = ledgertest.LogKeys(t, origin)
	w.witnesses, w.witnessKeys = ledgertest.WitnessKeys(t, "witness.example", func() time.Time { return testTime })
	files := ledgertest.Files{}
	tree := ledger.NewTree(files)
	for i := range 20 {
		r := fmt.Appendf(nil, `{"response_id":"r%d","sequence":%d,"department":"D%d","x":"<北京>&"}`, i, i+1, i%2)
		w.records = append(w.records, r)
		tree.Append(ledger.Leaf(r))
	}
	if err := tree.Save(); err != nil {
		t.Fatal(err)
	}
	w.tiles = ledger.OpenTiles(files, 20)
	return w
}

func (w *world) checkpoint(t testing.TB, size uint64, signers ...ledger.Signer) string {
	t.Helper()
	root, err := w.tiles.Root(size)
	if err != nil {
		t.Fatal(err)
	}
	if signers == nil {
		signers = w.signers
	}
	signed, err := ledger.Checkpoint{Origin: origin, Size: size, Root: root, Time: testTime}.Sign(signers...)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func (w *world) consistency(t testing.TB, from, to uint64) []ledger.Hash {
	t.Helper()
	path, err := w.tiles.Consistency(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// export is an export of records by sequence, as lines.
func (w *world) export(t testing.TB, h Header, sequences ...uint64) [][]byte {
	t.Helper()
	if h.Checkpoint == "" {
		h.Checkpoint = w.checkpoint(t, 20)
	}
	h.Version, h.Made = Version, testTime
	lines := [][]byte{line(t, h)}
	for _, n := range sequences {
		e := Entry{Sequence: n, Record: w.records[n-1]}
		if !h.Complete {
			path, err := w.tiles.Inclusion(n-1, 20)
			if err != nil {
				t.Fatal(err)
			}
			e.Proof = path
		}
		lines = append(lines, line(t, e))
	}
	n := len(sequences)
	return append(lines, line(t, End{Records: &n}))
}

func line(t testing.TB, v any) []byte {
	t.Helper()
	b, err := Line(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func join(lines [][]byte) []byte { return bytes.Join(lines, nil) }

func all() (list []uint64) {
	for i := range uint64(20) {
		list = append(list, i+1)
	}
	return list
}

func TestVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := append(slices.Clone(w.keys), w.witnessKeys...)
	witnessed := w.checkpoint(t, 12, append(slices.Clone(w.signers), w.witnesses...)...)
	h := Header{Department: "D1", Earlier: []Earlier{
		{Size: 5, Proof: w.consistency(t, 5, 20)}, {Size: 12, Proof: w.consistency(t, 12, 20), Note: witnessed},
	}}
	got, err := Verify(bytes.NewReader(join(w.export(t, h, 2, 4, 8, 20))), Options{
		Keys: keys, Checkpoints: []Kept{{"a", []byte(w.checkpoint(t, 5))}, {"b", []byte(w.checkpoint(t, 12))}, {"c", []byte(w.checkpoint(t, 20))}},
		Receipts: []ledger.Receipt{{Sequence: 8, Leaf: ledger.Leaf(w.records[7])}},
	})
	if err != nil || got.Fault != nil {
		t.Fatalf("%+v, %v", got.Fault, err)
	}
	root, _ := w.tiles.Root(20)
	if got.Origin != origin || got.Size != 20 || got.Root != root || !got.Time.Equal(testTime) || got.Records != 4 || got.Complete || got.Department != "D1" ||
		!got.Pinned || got.Agreed != 3 || !slices.Equal(got.Cosigners, []string{"witness.example"}) {
		t.Errorf("%+v", got)
	}
	got, err = Verify(bytes.NewReader(join(w.export(t, Header{Complete: true}, all()...))), Options{
		Keys: keys, Checkpoints: []Kept{{"a", []byte(w.checkpoint(t, 7))}, {"b", []byte(witnessed)}, {"c", []byte(w.checkpoint(t, 1))}},
	})
	if err != nil || got.Fault != nil || got.Records != 20 || got.Agreed != 3 || len(got.Cosigners) != 1 {
		t.Errorf("complete: %+v, %+v, %v", got, got.Fault, err)
	}
	// With the keys of the export alone it says so.
	h = Header{Keys: []string{w.keys[0].Key, w.keys[1].Key, w.witnessKeys[0].Key, "what?"}}
	if got, err = Verify(bytes.NewReader(join(w.export(t, h, 3))), Options{}); err != nil || got.Fault != nil || got.Pinned {
		t.Errorf("%+v, %+v, %v", got, got.Fault, err)
	}
	if got, err = Verify(bytes.NewReader(join(w.export(t, Header{}))), Options{Keys: keys}); err != nil || got.Fault != nil || got.Records != 0 {
		t.Errorf("of nothing: %+v, %v", got.Fault, err)
	}
}

// TestVerifyFinds changes exports in every way, and demands the line.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	swap := func(at int, from, to string) func([][]byte) [][]byte {
		return func(l [][]byte) [][]byte {
			l[at] = bytes.Replace(l[at], []byte(from), []byte(to), 1)
			return l
		}
	}
	forged, err := ledger.Checkpoint{Origin: origin, Size: 5, Root: ledger.Leaf(nil)}.Sign(w.signers...)
	if err != nil {
		t.Fatal(err)
	}
	larger, err := ledger.Checkpoint{Origin: origin, Size: 25, Root: ledger.Leaf(nil)}.Sign(w.signers...)
	if err != nil {
		t.Fatal(err)
	}
	half := Header{Checkpoint: w.checkpoint(t, 20, w.signers[0])}
	earlier := func(size uint64, proof []ledger.Hash, note string) Header {
		return Header{Earlier: []Earlier{{Size: size, Proof: proof, Note: note}}}
	}
	four := []uint64{2, 4, 8, 20}
	receipt := ledger.Receipt{Sequence: 8, Leaf: ledger.Leaf(w.records[7])}
	for name, test := range map[string]struct {
		header   Header
		entries  []uint64
		change   func([][]byte) [][]byte
		options  Options
		line     int
		sequence uint64
		cause    string
	}{
		"nothing":            {change: func([][]byte) [][]byte { return nil }, line: 1, cause: causeHeader},
		"another version":    {change: swap(0, `"licgate_export":1`, `"licgate_export":2`), line: 1, cause: causeHeader},
		"an unknown member":  {change: swap(0, `"made"`, `"x":1,"made"`), line: 1, cause: causeHeader},
		"a blank in a line":  {entries: four, change: swap(2, `"sequence":4`, `"sequence": 4`), line: 3, sequence: 3, cause: causeEntry},
		"a second record":    {entries: four, change: swap(2, `"record":`, `"record":{"a":1},"record":`), line: 3, sequence: 3, cause: causeEntry},
		"changed checkpoint": {change: swap(0, `\n20\n`, `\n21\n`), line: 1, cause: causeCheckpoint},
		"half signed":        {header: half, line: 1, cause: causeCheckpoint},
		"signed by another":  {header: Header{Checkpoint: other.checkpoint(t, 20)}, line: 1, cause: causeCheckpoint},
		"keys of the export": {header: Header{Checkpoint: other.checkpoint(t, 20), Keys: []string{other.keys[0].Key, other.keys[1].Key}}, line: 1, cause: causeCheckpoint},
		"changed record":     {entries: four, change: swap(2, `"response_id":"r3"`, `"response_id":"r4"`), line: 3, sequence: 4, cause: causeProof},
		"no proof":           {entries: four, change: func(l [][]byte) [][]byte { l[2] = line(t, Entry{Sequence: 4, Record: w.records[3]}); return l }, line: 3, sequence: 4, cause: causeProof},
		"another's proof": {entries: four, change: func(l [][]byte) [][]byte {
			l[2] = bytes.Replace(l[4], []byte(`"sequence":20`), []byte(`"sequence":4`), 2)
			return l
		}, line: 3, sequence: 4, cause: causeProof},
		"another place":        {entries: four, change: swap(2, `{"sequence":4`, `{"sequence":5`), line: 3, sequence: 5, cause: causeSequence},
		"swapped":              {entries: four, change: func(l [][]byte) [][]byte { l[2], l[3] = l[3], l[2]; return l }, line: 4, sequence: 4, cause: causeOrder},
		"twice":                {entries: four, change: func(l [][]byte) [][]byte { return slices.Insert(l, 2, l[2]) }, line: 4, sequence: 4, cause: causeOrder},
		"dropped":              {entries: four, change: func(l [][]byte) [][]byte { return slices.Delete(l, 2, 3) }, line: 5, sequence: 21, cause: causeCount},
		"cut":                  {entries: four, change: func(l [][]byte) [][]byte { return l[:5] }, line: 6, sequence: 21, cause: causeEnd},
		"cut in a line":        {entries: four, change: func(l [][]byte) [][]byte { l[3] = l[3][:50]; return l[:4] }, line: 4, sequence: 5, cause: causeEntry},
		"more behind":          {entries: four, change: func(l [][]byte) [][]byte { return append(l, l[1]) }, line: 7, cause: causeTrailing},
		"no count":             {change: swap(1, `{"records":0}`, `{"records":null}`), line: 2, sequence: 1, cause: causeCount},
		"beyond":               {header: Header{Checkpoint: w.checkpoint(t, 10)}, entries: four, line: 2, sequence: 2, cause: causeProof},
		"far beyond":           {header: Header{Checkpoint: w.checkpoint(t, 1)}, entries: four, line: 2, sequence: 2, cause: fmt.Sprintf(causeBeyond, 1)},
		"another department":   {header: Header{Department: "D1"}, entries: []uint64{2, 3}, line: 3, sequence: 3, cause: "记录不属于 D1"},
		"a long line":          {entries: four, change: func(l [][]byte) [][]byte { l[2] = append(bytes.Repeat([]byte("x"), maxLine+10), '\n'); return l }, line: 3, sequence: 3, cause: causeEntry},
		"complete, dropped":    {header: Header{Complete: true}, entries: slices.Delete(all(), 4, 5), line: 6, sequence: 5, cause: fmt.Sprintf(causeGap, 5)},
		"complete, cut":        {header: Header{Complete: true}, entries: all()[:19], line: 21, sequence: 20, cause: fmt.Sprintf(causeGap, 20)},
		"complete, changed":    {header: Header{Complete: true}, entries: all(), change: swap(3, "北京", "上海"), line: 22, sequence: 1, cause: causeRoot},
		"complete, kept fork":  {header: Header{Complete: true}, entries: all(), options: Options{Checkpoints: []Kept{{"paper", forged}}}, line: 6, sequence: 5, cause: fmt.Sprintf(causeKeptFork, "paper", 5)},
		"kept, not signed":     {options: Options{Checkpoints: []Kept{{"paper", []byte(other.checkpoint(t, 5))}}}, line: 1, cause: fmt.Sprintf(causeKept, "paper")},
		"kept, without proof":  {options: Options{Checkpoints: []Kept{{"paper", []byte(w.checkpoint(t, 5))}}}, line: 1, cause: fmt.Sprintf(causeKeptProof, "paper", 5)},
		"kept, newer":          {options: Options{Checkpoints: []Kept{{"paper", larger}}}, line: 1, cause: fmt.Sprintf(causeKeptNewer, "paper", 25, 20)},
		"kept, fork":           {header: earlier(5, w.consistency(t, 5, 20), ""), options: Options{Checkpoints: []Kept{{"paper", forged}}}, line: 1, cause: fmt.Sprintf(causeKeptFork, "paper", 5)},
		"kept, fork of a note": {header: earlier(5, w.consistency(t, 5, 20), w.checkpoint(t, 5)), options: Options{Checkpoints: []Kept{{"paper", forged}}}, line: 1, cause: fmt.Sprintf(causeKeptFork, "paper", 5)},
		"earlier, fork":        {header: earlier(5, w.consistency(t, 5, 20), string(forged)), line: 1, cause: fmt.Sprintf(causeEarlier, 5)},
		"earlier, other size":  {header: earlier(6, w.consistency(t, 6, 20), w.checkpoint(t, 5)), line: 1, cause: causeCheckpoint},
		"receipt, changed":     {entries: four, options: Options{Receipts: []ledger.Receipt{{Sequence: 8}}}, line: 4, sequence: 8, cause: "与回执 8:"},
		"receipt, no record":   {entries: []uint64{2}, options: Options{Receipts: []ledger.Receipt{receipt}}, line: 3, sequence: 8, cause: "没有回执 8:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := w.export(t, test.header, test.entries...)
			if test.change != nil {
				lines = test.change(lines)
			}
			if test.options.Keys == nil {
				test.options.Keys = w.keys
			}
			got, err := Verify(bytes.NewReader(join(lines)), test.options)
			if err != nil {
				t.Fatal(err)
			}
			offset := int64(len(join(lines[:min(test.line-1, len(lines))])))
			if f := got.Fault; f == nil || f.Line != test.line || f.Offset != offset || f.Sequence != test.sequence || !strings.Contains(f.Cause, test.cause) {
				t.Errorf("got %+v, want line %d at %d, %d, %s", f, test.line, offset, test.sequence, test.cause)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestVerifyCannotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole := join(w.export(t, Header{}, 2, 4))
	for _, n := range []int{0, 10, len(whole) - 20} {
		if _, err := Verify(io.MultiReader(bytes.NewReader(whole[:n]), broken{}), Options{Keys: w.keys}); !errors.Is(err, ErrRead) || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// FuzzVerify: nothing panics, and nothing passes but what the log signed.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	whole := join(w.export(f, Header{Earlier: []Earlier{{Size: 5, Proof: w.consistency(f, 5, 20)}}}, 2, 4))
	complete := join(w.export(f, Header{Complete: true}, all()...))
	f.Add(whole)
	f.Add(complete)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Verify(bytes.NewReader(b), Options{Keys: w.keys})
		if err != nil {
			t.Fatal(err)
		}
		if got.Fault != nil {
			return
		}
		for _, l := range bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))[1:] {
			if bytes.HasPrefix(l, []byte(`{"records":`)) {
				continue
			}
			if !slices.ContainsFunc(w.records, func(r []byte) bool { return bytes.Contains(l, r) }) {
				t.Errorf("a record that the log does not have: %s", l)
			}
		}
	})
}
