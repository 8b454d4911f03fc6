package anchor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licgate/audit"
	"licgate/audit/evidence"
	"licgate/audit/ledger"
	"licgate/audit/ledger/ledgertest"
	"licgate/audit/witness"
)

const origin = "gateway.example/audit"

// world is a gateway's journal and the witness of another department.
type world struct {
	dir         string
	options     audit.Options
	keys        []ledger.Verifier
	witnessKeys []ledger.Verifier
	witness     *witness.Witness
	server      *httptest.Server
	down        atomic.Bool
	*audit.Journal
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: filepath.Join(t.TempDir(), "audit")}
	signers, keys := ledgertest.LogKeys(t, origin)
	w.keys = keys
	w.options = audit.Options{Node: "gw-1", KeepPlain: true, Ledger: &audit.LedgerOptions{Signers: signers, Busy: 2 * time.Millisecond, Within: 4 * time.Millisecond}}
	cosigners, witnessKeys := ledgertest.WitnessKeys(t, "witness.example", time.Now)
	w.witnessKeys = witnessKeys
	var err error
	if w.witness, err = witness.New(t.TempDir(), []witness.Log{{Origin: origin, Keys: keys}}, cosigners, nil); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.down.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.witness.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	w.open(t)
	return w
}

func (w *world) open(t *testing.T) {
	t.Helper()
	j, _, err := audit.OpenJournal(w.dir, w.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	w.Journal = j
}

// add appends records, and returns a checkpoint that covers them.
func (w *world) add(t *testing.T, n int) *ledger.Signed {
	t.Helper()
	last := uint64(0)
	for i := range n {
		r := audit.Record{ResponseID: fmt.Sprint(i), Time: time.Now(), Event: audit.EventRequest, Outcome: "SUCCESS"}
		if err := w.Append(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		last = r.Sequence
	}
	c, err := w.WaitCheckpoint(t.Context(), last-1)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) client() *Witness { return &Witness{URL: w.server.URL + "/", Keys: w.witnessKeys} }

// run runs an anchorage in the background until stop is called.
func run(t *testing.T, a *Anchorage) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
	return func() { cancel(); wg.Wait() }
}

func until(t *testing.T, a *Anchorage, ready func(Status) bool) Status {
	t.Helper()
	for {
		if s := a.Status(); ready(s) {
			return s
		}
		time.Sleep(time.Millisecond)
	}
}

func quick(ctx context.Context, _ time.Duration) error { return sleep(ctx, time.Millisecond) }

// TestWitnessed is the whole way: a journal's checkpoints, cosigned by another department, the receipts kept, verified with
// the journal and carried by exports.
func TestWitnessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := &Anchorage{Name: "bj-mzj", Log: w.Journal, Anchor: w.client(), Dir: audit.AnchorsDir(w.dir), Wait: quick}
	stop := run(t, a)
	c := w.add(t, 30)
	until(t, a, func(s Status) bool { return s.Size >= c.Size })
	c = w.add(t, 300)
	until(t, a, func(s Status) bool { return s.Size >= c.Size && s.Failing == nil })
	stop()
	all := append(slices.Clone(w.keys), w.witnessKeys...)
	report, err := audit.VerifyWith(t.Context(), w.dir, audit.VerifyOptions{Keys: all})
	if err != nil || report.Fault != nil || !slices.Equal(report.Cosigners, []string{"witness.example"}) {
		t.Errorf("%+v, %+v, %v", report, report.Fault, err)
	}
	var export bytes.Buffer
	if _, err := audit.ExportProofs(t.Context(), w.dir, audit.ProofOptions{}, &export); err != nil {
		t.Fatal(err)
	}
	result, err := evidence.Verify(&export, evidence.Options{Keys: all})
	if err != nil || result.Fault != nil || !slices.Equal(result.Cosigners, []string{"witness.example"}) {
		t.Errorf("%+v, %+v, %v", result, result.Fault, err)
	}
	// A restart goes on where it was.
	again := &Anchorage{Name: "bj-mzj", Log: w.Journal, Anchor: w.client(), Dir: audit.AnchorsDir(w.dir), Wait: quick}
	stop = run(t, again)
	c = w.add(t, 1)
	until(t, again, func(s Status) bool { return s.Size >= c.Size })
	stop()
	// Who rewrites the journal and signs it again is found by the receipts beside it, and refused by the witness.
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	receipts := snapshot(t, audit.AnchorsDir(w.dir))
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	w.open(t)
	w.add(t, 400)
	restore(t, audit.AnchorsDir(w.dir), receipts)
	report, err = audit.VerifyWith(t.Context(), w.dir, audit.VerifyOptions{Keys: all})
	if err != nil || report.Fault == nil || !strings.Contains(report.Fault.Cause, "anchors/bj-mzj.hourly:1") {
		t.Errorf("%+v, %v", report.Fault, err)
	}
	rewritten := &Anchorage{Name: "bj-mzj", Log: w.Journal, Anchor: w.client(), Dir: audit.AnchorsDir(w.dir), Wait: quick}
	stop = run(t, rewritten)
	s := until(t, rewritten, func(s Status) bool { return s.Failing != nil })
	stop()
	if !errors.Is(s.Failing, ErrForked) || s.FailedAt.IsZero() {
		t.Errorf("%+v", s)
	}
	if s := w.witness.Status()[0]; s.Evidence+s.Unproven == 0 {
		t.Error("the witness kept no evidence")
	}
}

func snapshot(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = b
	}
	return files
}

func restore(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWitnessClient asks a witness that answers in every way.
func TestWitnessClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.add(t, 5)
	client := w.client()
	if kept, err := client.Keep(t.Context(), w.Journal, c); err != nil || bytes.Count(kept.Note, []byte("— witness.example ")) != 2 {
		t.Fatalf("%s, %v", kept.Note, err)
	}
	later := w.add(t, 5)
	fresh := w.client() // knows nothing, and is told the size
	if _, err := fresh.Keep(t.Context(), w.Journal, later); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client().Keep(t.Context(), w.Journal, c); !errors.Is(err, ErrForked) { // as after a rollback
		t.Errorf("an older checkpoint: %v", err)
	}
	if _, err := fresh.Keep(t.Context(), w.Journal, c); !errors.Is(err, ErrForked) {
		t.Errorf("an older checkpoint: %v", err)
	}
	_, otherKeys := ledgertest.WitnessKeys(t, "witness.example", time.Now)
	for name, witness := range map[string]*Witness{
		"another's keys": {URL: w.server.URL, Keys: otherKeys}, "no keys": {URL: w.server.URL}, "the log's keys": {URL: w.server.URL, Keys: w.keys},
		"another address": {URL: w.server.URL + "/x?", Keys: w.witnessKeys}, "no address": {URL: ":", Keys: w.witnessKeys},
	} {
		if _, err := witness.Keep(t.Context(), w.Journal, later); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, answers := range map[string][]func(http.ResponseWriter){
		"not a size":    {conflict("x\n")},
		"changing":      {conflict("3\n"), conflict("4\n")},
		"inconsistent":  {func(rw http.ResponseWriter) { rw.WriteHeader(422) }},
		"down":          {func(rw http.ResponseWriter) { rw.WriteHeader(500) }},
		"no signatures": {func(rw http.ResponseWriter) { rw.WriteHeader(200) }},
		"nonsense":      {func(rw http.ResponseWriter) { fmt.Fprint(rw, "— witness.example AAAA\n") }},
		"redirect":      {func(rw http.ResponseWriter) { rw.Header().Set("Location", w.server.URL); rw.WriteHeader(307) }},
	} {
		n := 0
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			answers[min(n, len(answers)-1)](rw)
			n++
		}))
		_, err := (&Witness{URL: server.URL, Keys: w.witnessKeys}).Keep(t.Context(), w.Journal, later)
		if want := map[bool]error{true: ErrForked, false: ErrAnswer}[name == "inconsistent"]; !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}

func conflict(size string) func(http.ResponseWriter) {
	return func(rw http.ResponseWriter) {
		rw.Header().Set("Content-Type", sizeType)
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprint(rw, size)
	}
}

// TestAnchorDown: an anchor that is down delays no record and no other anchor; when it comes back it gets the newest.
func TestAnchorDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.down.Store(true)
	path := filepath.Join(t.TempDir(), "anchored")
	down := &Anchorage{Name: "down", Log: w.Journal, Anchor: w.client(), Dir: audit.AnchorsDir(w.dir), Wait: quick}
	well := &Anchorage{Name: "well", Log: w.Journal, Anchor: File{Path: path}, Dir: audit.AnchorsDir(w.dir), Wait: quick}
	stopDown, stopWell := run(t, down), run(t, well)
	for range 3 {
		c := w.add(t, 20)
		until(t, well, func(s Status) bool { return s.Size >= c.Size })
	}
	if s := until(t, down, func(s Status) bool { return s.Failing != nil }); s.Size != 0 || !errors.Is(s.Failing, ErrAnswer) || errors.Is(s.Failing, ErrForked) {
		t.Errorf("%+v", s)
	}
	w.down.Store(false)
	until(t, down, func(s Status) bool { return s.Size >= 60 && s.Failing == nil })
	stopDown()
	stopWell()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		var note string
		if err := json.Unmarshal(line, &note); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.OpenCheckpoint([]byte(note), w.keys); err != nil {
			t.Error(err)
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	for _, note := range []string{"one\n", "two\n"} {
		if _, err := (File{Path: path}).Keep(t.Context(), nil, &ledger.Signed{Note: []byte(note)}); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("half"); err != nil { // a crash
			t.Fatal(err)
		}
		f.Close()
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "\"one\\n\"\nhalf\n\"two\\n\"\nhalf" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := (File{Path: t.TempDir()}).Keep(t.Context(), nil, &ledger.Signed{}); err == nil {
		t.Error("a folder is written to")
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	code := http.StatusCreated
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "note" || r.Header.Get("Authorization") != "x" || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s %v %s", r.Method, r.Header, body)
		}
		rw.WriteHeader(code)
		_, _ = rw.Write(bytes.Repeat([]byte("a"), maxAnswer+10))
	}))
	defer server.Close()
	h := HTTP{URL: server.URL, Header: http.Header{"Authorization": {"x"}}}
	kept, err := h.Keep(t.Context(), nil, &ledger.Signed{Note: []byte("note")})
	if err != nil || len(kept.Answer) != maxAnswer || kept.Note != nil {
		t.Errorf("%d, %v", len(kept.Answer), err)
	}
	for _, code = range []int{302, 404, 500} {
		if _, err := h.Keep(t.Context(), nil, &ledger.Signed{Note: []byte("note")}); !errors.Is(err, ErrAnswer) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// TestReceipts: the newest is replaced, one of each hour stays, and what a crash left half written is written over.
func TestReceipts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	a := &Anchorage{Name: "a", Dir: dir, Now: func() time.Time { return now }}
	if err := a.open(); err != nil {
		t.Fatal(err)
	}
	store := func(size uint64) {
		t.Helper()
		if err := a.store(&ledger.Signed{Checkpoint: ledger.Checkpoint{Size: size}, Note: fmt.Appendf(nil, "note %d", size)}, Kept{Answer: []byte{1}}, now); err != nil {
			t.Fatal(err)
		}
	}
	sizes := func(suffix string) (list []uint64) {
		t.Helper()
		b, err := os.ReadFile(a.path(suffix))
		if err != nil {
			t.Fatal(err)
		}
		receipts, _, damaged := evidence.ParseAnchored(b)
		for _, r := range receipts {
			if list = append(list, r.Size); damaged || r.Note != fmt.Sprint("note ", r.Size) || len(r.Answer) != 1 {
				t.Errorf("%+v", r)
			}
		}
		return list
	}
	store(1)
	now = now.Add(30 * time.Minute)
	store(2)
	now = now.Add(30 * time.Minute)
	store(3)
	if h, n := sizes(evidence.HourlySuffix), sizes(evidence.NewestSuffix); !slices.Equal(h, []uint64{1, 3}) || !slices.Equal(n, []uint64{3}) {
		t.Errorf("%v, %v", h, n)
	}
	f, err := os.OpenFile(a.path(evidence.HourlySuffix), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"version":1,` + strings.Repeat("x", 1000)); err != nil { // a crash
		t.Fatal(err)
	}
	f.Close()
	a = &Anchorage{Name: "a", Dir: dir, Now: a.Now}
	if err := a.open(); err != nil || a.Status().Size != 3 {
		t.Fatalf("%+v, %v", a.Status(), err)
	}
	now = now.Add(time.Hour)
	store(4)
	if h := sizes(evidence.HourlySuffix); !slices.Equal(h, []uint64{1, 3, 4}) {
		t.Errorf("%v", h)
	}
	for _, name := range []string{"", "a/b", "..", "a b", strings.Repeat("a", 65)} {
		if err := (&Anchorage{Name: name, Dir: dir}).Run(t.Context()); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if list, _, damaged := evidence.ParseAnchored([]byte("{\"version\":2}\n")); len(list) != 0 || !damaged {
		t.Error("another version is read")
	}
}
