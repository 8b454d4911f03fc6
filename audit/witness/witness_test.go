package witness

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"licgate/audit/ledger"
	"licgate/audit/ledger/ledgertest"
)

const origin = "gateway.example/audit"

var testTime = time.Date(2026, 11, 24, 3, 13, 7, 0, time.UTC)

// log is a log of 40 records that can sign any of its states.
type log struct {
	signers []ledger.Signer
	keys    []ledger.Verifier
	tiles   *ledger.Tiles
}

// grow gives the log's records: another history is another log.
func (l *log) grow(t testing.TB, history string) {
	t.Helper()
	files := ledgertest.Files{}
	tree := ledger.NewTree(files)
	for i := range 40 {
		tree.Append(ledger.Leaf(fmt.Appendf(nil, "%s %d", history, i)))
	}
	if err := tree.Save(); err != nil {
		t.Fatal(err)
	}
	l.tiles = ledger.OpenTiles(files, 40)
}

func newLog(t testing.TB, name string) *log {
	t.Helper()
	l := &log{}
	l.signers, l.keys = ledgertest.LogKeys(t, name)
	l.grow(t, "true")
	return l
}

func (l *log) checkpoint(t testing.TB, size uint64, at time.Time) []byte {
	t.Helper()
	root, err := l.tiles.Root(size)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := ledger.Checkpoint{Origin: l.signers[0].Name(), Size: size, Root: root, Time: at}.Sign(l.signers...)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// body asks to go on from old to size.
func (l *log) body(t testing.TB, old, size uint64) []byte {
	t.Helper()
	var path []ledger.Hash
	if old > 0 && old < size {
		var err error
		if path, err = l.tiles.Consistency(old, size); err != nil {
			t.Fatal(err)
		}
	}
	return bodyOf(old, path, l.checkpoint(t, size, testTime.Add(time.Duration(size)*time.Second)))
}

func bodyOf(old uint64, path []ledger.Hash, note []byte) []byte {
	b := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range path {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), note...)
}

func post(t testing.TB, w http.Handler, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRecorder()
	w.ServeHTTP(r, httptest.NewRequest(http.MethodPost, "/witness/add-checkpoint", bytes.NewReader(body)))
	return r
}

type world struct {
	*log
	dir       string
	cosigners []ledger.Signer
	keys      []ledger.Verifier // of the witness
	*Witness
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{log: newLog(t, origin), dir: t.TempDir()}
	w.cosigners, w.keys = ledgertest.WitnessKeys(t, "witness.example", func() time.Time { return testTime })
	w.open(t)
	return w
}

func (w *world) open(t testing.TB) {
	t.Helper()
	var err error
	if w.Witness, err = New(w.dir, []Log{{Origin: origin, Keys: w.log.keys}}, w.cosigners, func() time.Time { return testTime }); err != nil {
		t.Fatal(err)
	}
}

func (w *world) mustSign(t testing.TB, old, size uint64) {
	t.Helper()
	body := w.body(t, old, size)
	r := post(t, w, body)
	if r.Code != http.StatusOK {
		t.Fatalf("from %d to %d: %d %s", old, size, r.Code, r.Body)
	}
	_, note, _ := bytes.Cut(body, []byte("\n\n"))
	signed, err := ledger.OpenCheckpoint(append(note, r.Body.Bytes()...), append(w.log.keys[:2:2], w.keys...))
	if err != nil || len(signed.CosignedBy(w.keys)) != 2 {
		t.Fatalf("%v", err)
	}
}

func (w *world) status() Status { return w.Status()[0] }

func TestWitness(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustSign(t, 0, 5)
	w.mustSign(t, 5, 5) // again
	w.mustSign(t, 5, 17)
	w.open(t) // a restart forgets nothing
	r := post(t, w, w.body(t, 5, 20))
	if r.Code != http.StatusConflict || r.Header().Get("Content-Type") != "text/x.tlog.size" || r.Body.String() != "17\n" {
		t.Errorf("%d %v %s", r.Code, r.Header(), r.Body)
	}
	w.mustSign(t, 17, 40)
	if s := w.status(); s.Size != 40 || s.Origin != origin || s.Evidence != 0 || !s.Time.Equal(testTime.Add(40*time.Second)) {
		t.Errorf("%+v", s)
	}
}

// TestWitnessRefusesForks and keeps what proves them.
func TestWitnessRefusesForks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustSign(t, 0, 17)
	rolledBack := bodyOf(5, nil, w.checkpoint(t, 5, testTime.Add(time.Hour)))
	w.grow(t, "other")
	late := w.checkpoint(t, 17, testTime.Add(time.Hour))
	for _, test := range []struct {
		body []byte
		code int
		what string
	}{
		{bodyOf(17, nil, late), 409, "fork"},
		{bodyOf(0, nil, late), 409, "fork"}, // the same is kept once
		{w.body(t, 17, 30), 422, "inconsistent"},
		{rolledBack, 409, "rollback"},
	} {
		if r := post(t, w, test.body); r.Code != test.code {
			t.Errorf("%s: %d %s", test.what, r.Code, r.Body)
		}
		found, err := filepath.Glob(filepath.Join(w.dir, evidenceName, "*-"+test.what+"-*.json"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", test.what, found, err)
		}
		content, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		var e Evidence
		if err := json.Unmarshal(content, &e); err != nil || e.Version != 1 || e.Origin != origin || e.What != test.what || !e.Time.Equal(testTime) {
			t.Fatalf("%+v, %v", e, err)
		}
		one, err := ledger.OpenCheckpoint([]byte(e.Signed), w.log.keys) // whoever has the log's keys judges
		if err != nil {
			t.Fatal(err)
		}
		two, err := ledger.OpenCheckpoint([]byte(e.Asked), w.log.keys)
		if err != nil || one.Size == two.Size && one.Root == two.Root {
			t.Errorf("%s: no evidence: %v", test.what, err)
		}
	}
	if s := w.status(); s.Evidence != 2 || s.Unproven != 1 || s.Size != 17 {
		t.Errorf("%+v", s)
	}
	w.open(t)
	if s := w.status(); s.Evidence != 2 || s.Unproven != 1 || s.Size != 17 {
		t.Errorf("after a restart: %+v", s)
	}
	w.grow(t, "true")
	w.mustSign(t, 17, 18) // the true log goes on
}

// TestWitnessAnswersAgain: who repeats the newest checkpoint, with whatever signatures of others behind it, gets what was answered;
// nothing is signed or written for it.
func TestWitnessAnswersAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustSign(t, 0, 17)
	state := filepath.Join(w.dir, w.logs[origin].name+stateSuffix)
	before, err := os.Stat(state)
	if err != nil {
		t.Fatal(err)
	}
	again := func(body []byte) string {
		t.Helper()
		r := post(t, w, body)
		if r.Code != http.StatusOK {
			t.Fatalf("%d %s", r.Code, r.Body)
		}
		return r.Body.String()
	}
	first := again(w.body(t, 17, 17))
	strangers, _ := ledgertest.LogKeys(t, "stranger.example")
	more, err := ledger.Checkpoint{Origin: origin, Size: 17, Time: testTime}.Sign(strangers...)
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := bytes.Cut(more, []byte("\n\n"))
	for range 3 {
		if again(w.body(t, 17, 17)) != first || again(append(w.body(t, 17, 17), line...)) != first {
			t.Error("it signs again")
		}
	}
	w.open(t) // the answer is gone: it is signed once more, and nothing written
	if first = again(w.body(t, 17, 17)); again(w.body(t, 17, 17)) != first {
		t.Error("it signs again after a restart")
	}
	if after, err := os.Stat(state); err != nil || !os.SameFile(before, after) {
		t.Errorf("the state was written again: %v", err)
	}
}

// TestBogusProofsAreNoFork: what anybody can send raises no alarm and leaves room for what does.
func TestBogusProofsAreNoFork(t *testing.T) {
	t.Parallel()
	w, impostor := newWorld(t), newLog(t, origin)
	w.mustSign(t, 0, 5)
	strangers, _ := ledgertest.LogKeys(t, "stranger.example")
	for i := range 3 * maxUnproven {
		size := uint64(6 + i)
		body := bodyOf(5, []ledger.Hash{{byte(i)}}, w.checkpoint(t, size, testTime))
		if r := post(t, w, body); r.Code != http.StatusUnprocessableEntity {
			t.Errorf("bogus: %d", r.Code)
		}
		more, err := ledger.Checkpoint{Origin: origin, Size: size, Time: testTime}.Sign(strangers...)
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := bytes.Cut(more, []byte("\n\n"))
		if r := post(t, w, append(body, line...)); r.Code != http.StatusUnprocessableEntity {
			t.Errorf("bogus: %d", r.Code)
		}
		if r := post(t, w, impostor.body(t, 5, size)); r.Code != http.StatusForbidden {
			t.Errorf("not signed: %d", r.Code)
		}
	}
	if s := w.status(); s.Evidence != 0 || s.Unproven != maxUnproven || s.Refused != 3*maxUnproven {
		t.Errorf("%+v", s)
	}
	files, err := os.ReadDir(filepath.Join(w.dir, evidenceName))
	if err != nil || len(files) != maxUnproven {
		t.Errorf("%d files, %v", len(files), err)
	}
	w.grow(t, "other")
	late := bodyOf(5, nil, w.checkpoint(t, 5, testTime.Add(time.Hour)))
	for range 3 {
		post(t, w, late)
		if s := w.status(); s.Evidence != 1 {
			t.Errorf("a fork: %+v", s)
		}
	}
}

func TestWitnessRefuses(t *testing.T) {
	t.Parallel()
	w, stranger := newWorld(t), newLog(t, "other.example")
	w.mustSign(t, 0, 5)
	impostor := newLog(t, origin)
	good := w.body(t, 5, 17)
	long := bodyOf(5, make([]ledger.Hash, maxProof+1), w.checkpoint(t, 17, testTime))
	for name, test := range map[string]struct {
		body []byte
		code int
	}{
		"nothing":        {nil, 400},
		"no old":         {bytes.Replace(good, []byte("old"), []byte("new"), 1), 400},
		"a zero before":  {bytes.Replace(good, []byte("old 5"), []byte("old 05"), 1), 400},
		"negative":       {bytes.Replace(good, []byte("old 5"), []byte("old -5"), 1), 400},
		"no hash":        {bytes.Replace(good, []byte("old 5\n"), []byte("old 5\nAAAA\n"), 1), 400},
		"too many":       {long, 400},
		"too large":      {append(good, make([]byte, maxBody)...), 400},
		"old is larger":  {bodyOf(6, nil, w.checkpoint(t, 5, testTime)), 400},
		"another log":    {stranger.body(t, 0, 5), 404},
		"an impostor":    {impostor.body(t, 5, 17), 403},
		"not signed":     {bytes.Replace(good, []byte("\n17\n"), []byte("\n18\n"), 1), 403},
		"no proof":       {bodyOf(5, nil, w.checkpoint(t, 17, testTime)), 422},
		"proof of same":  {bodyOf(5, make([]ledger.Hash, 1), w.checkpoint(t, 5, testTime)), 409},
		"proof of empty": {bodyOf(0, nil, w.checkpoint(t, 17, testTime)), 409},
	} {
		if r := post(t, w, test.body); r.Code != test.code || strings.Contains(r.Body.String(), "example") {
			t.Errorf("%s: %d %s, want %d", name, r.Code, r.Body, test.code)
		}
	}
	for _, test := range []struct {
		method, path string
		code         int
	}{{http.MethodGet, "/add-checkpoint", 405}, {http.MethodPost, "/", 404}, {http.MethodPost, "/add-checkpoint/x", 404}} {
		r := httptest.NewRecorder()
		w.ServeHTTP(r, httptest.NewRequest(test.method, test.path, bytes.NewReader(good)))
		if r.Code != test.code {
			t.Errorf("%s %s: %d", test.method, test.path, r.Code)
		}
	}
	w.mustSign(t, 5, 17)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := Log{Origin: origin, Keys: w.log.keys}
	for _, logs := range [][]Log{{l, l}, {{Origin: "x"}}, {{Keys: w.log.keys}}} {
		if _, err := New(t.TempDir(), logs, w.cosigners, nil); !errors.Is(err, ErrLogs) {
			t.Errorf("%v", err)
		}
	}
	if _, err := New(t.TempDir(), []Log{l}, nil, nil); !errors.Is(err, ErrLogs) {
		t.Errorf("%v", err)
	}
	w.mustSign(t, 0, 5)
	states, err := filepath.Glob(filepath.Join(w.dir, "*"+stateSuffix))
	if err != nil || len(states) != 1 {
		t.Fatal(states, err)
	}
	if err := os.WriteFile(states[0], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(w.dir, []Log{l}, w.cosigners, nil); !errors.Is(err, ErrState) {
		t.Errorf("a state that cannot be read: %v", err)
	}
	// What cannot be kept is not signed.
	w = newWorld(t)
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	if r := post(t, w, w.body(t, 0, 5)); r.Code != http.StatusInternalServerError || w.status().Size != 0 {
		t.Errorf("%d, %+v", r.Code, w.status())
	}
}

// TestWitnessAtOnce: of many checkpoints that come at once, those that are signed are one history, each size once further.
func TestWitnessAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wg sync.WaitGroup
	var mu sync.Mutex // a log makes one checkpoint at a time
	body := func(old, size uint64) []byte {
		mu.Lock()
		defer mu.Unlock()
		return w.body(t, old, size)
	}
	for c := range 8 {
		wg.Go(func() {
			old := uint64(0)
			for size := uint64(c + 1); size <= 40; size += 3 {
				for old < size {
					r := post(t, w, body(old, size))
					if r.Code == http.StatusOK {
						old = size
					} else if _, err := fmt.Sscan(r.Body.String(), &old); err != nil || r.Code != http.StatusConflict {
						t.Errorf("%d %s", r.Code, r.Body)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if s := w.status(); s.Evidence != 0 || s.Size < 38 {
		t.Errorf("%+v", s)
	}
}

// FuzzAdd: nothing panics, and nothing is signed that the log did not.
func FuzzAdd(f *testing.F) {
	l := newLog(f, origin)
	cosigners, _ := ledgertest.WitnessKeys(f, "witness.example", func() time.Time { return testTime })
	f.Add(l.body(f, 0, 5))
	f.Add(l.body(f, 5, 17))
	f.Add([]byte("old 0\n\n\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := New(dir, []Log{{Origin: origin, Keys: l.keys}}, cosigners, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := parse(body); ok && !bytes.Equal(bodyOf(r.old, r.path, r.note), body) {
			t.Errorf("%q is read as %+v", body, r)
		}
		if r := post(t, w, body); r.Code == http.StatusOK && !bytes.Contains(body, l.checkpoint(t, 5, testTime.Add(5*time.Second))[:60]) && !bytes.Contains(body, l.checkpoint(t, 17, testTime.Add(17*time.Second))[:60]) {
			t.Errorf("signed: %q", body)
		}
	})
}

// TestSetLogs: what was signed of a log stays in force when the list changes, also when the log was off it for a while.
func TestSetLogs(t *testing.T) {
	t.Parallel()
	l := newLog(t, origin)
	cosigners, _ := ledgertest.WitnessKeys(t, "w.example/witness", func() time.Time { return testTime })
	w, err := New(t.TempDir(), []Log{{Origin: origin, Keys: l.keys}}, cosigners, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(old, size uint64) int {
		t.Helper()
		root, err := l.tiles.Root(size)
		if err != nil {
			t.Fatal(err)
		}
		text, err := ledger.Checkpoint{Origin: origin, Size: size, Root: root, Time: testTime}.Sign(l.signers...)
		if err != nil {
			t.Fatal(err)
		}
		return w.add(append(fmt.Appendf(nil, "old %d\n\n", old), text...)).status
	}
	if status := ask(0, 20); status != http.StatusOK {
		t.Fatal(status)
	}
	if err := w.SetLogs(nil); err != nil {
		t.Fatal(err)
	}
	if status := ask(20, 20); status != http.StatusNotFound {
		t.Errorf("it is not witnessed any more: %d", status)
	}
	if err := w.SetLogs([]Log{{Origin: origin, Keys: l.keys}}); err != nil {
		t.Fatal(err)
	}
	l.grow(t, "other")
	if status := ask(0, 20); status != http.StatusConflict {
		t.Errorf("it signs a fork: %d", status)
	}
	if w.Status()[0].Evidence != 1 {
		t.Error("no evidence is kept")
	}
	if err := w.SetLogs([]Log{{Origin: origin}}); !errors.Is(err, ErrLogs) || ask(20, 20) == http.StatusNotFound {
		t.Errorf("a list that cannot be is taken: %v", err)
	}
}
