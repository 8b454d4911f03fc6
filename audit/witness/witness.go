// Package witness cosigns the checkpoints of other departments' logs (C2SP tlog-witness), each only when it goes on from
// the one before. A log that shows two histories is refused, and what it signed is kept as evidence.
package witness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"licgate/audit/ledger"
)

// Log is a log that is witnessed.
type Log struct {
	Origin string
	Keys   []ledger.Verifier // all of them have to sign
}

// Witness is an http.Handler for POST …/add-checkpoint. Safe for concurrent use; one process alone may use its folder.
type Witness struct {
	cosigners []ledger.Signer
	dir       string
	now       func() time.Time

	mu   sync.RWMutex
	logs map[string]*witnessed
}

// witnessed is what is known of a log. Its lock makes comparing, keeping and answering one step: of two checkpoints that
// come at once, the second is compared with the first.
type witnessed struct {
	Log
	name string // of its files

	mu       sync.Mutex
	last     *ledger.Signed // nil: none was signed
	lines    []byte         // that were answered to last; nil: they are signed anew
	evidence int
	unproven int
	refused  uint64
}

// Errors.
var (
	// ErrState says that the folder does not hold what the witness needs: it must not sign, as it could sign a fork.
	ErrState = errors.New("witness: the state cannot be used")
	// ErrLogs says that logs are given twice, or without keys.
	ErrLogs = errors.New("witness: each log needs an origin of its own and its keys")
)

// Files under the folder.
const (
	stateSuffix  = ".checkpoint"
	evidenceName = "evidence"
	// maxEvidence bounds the files kept for one log: the first say it all. maxUnproven bounds those that anybody can bring about.
	maxEvidence = 100
	maxUnproven = 10
)

// What evidence shows.
const (
	whatFork         = "fork"
	whatRollback     = "rollback"
	whatInconsistent = "inconsistent"
)

// maxBody bounds a request: 63 hashes and a checkpoint.
const maxBody = 64 << 10

// maxProof is the most hashes that a request may have.
const maxProof = 63

// New opens the witness whose state is under dir, which is made when missing. now is the clock for evidence; nil:
// time.Now.
func New(dir string, logs []Log, cosigners []ledger.Signer, now func() time.Time) (*Witness, error) {
	if now == nil {
		now = time.Now
	}
	w := &Witness{cosigners: cosigners, dir: dir, now: now}
	if len(cosigners) == 0 {
		return nil, fmt.Errorf("%w: nobody signs", ErrLogs)
	}
	if err := os.MkdirAll(filepath.Join(dir, evidenceName), 0o700); err != nil {
		return nil, fmt.Errorf("witness: making the folder: %w", err)
	}
	if err := w.SetLogs(logs); err != nil {
		return nil, err
	}
	return w, nil
}

// SetLogs replaces the logs that are witnessed. What was signed of one stays in force for it.
func (w *Witness) SetLogs(logs []Log) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := make(map[string]*witnessed)
	for _, l := range logs {
		if l.Origin == "" || len(l.Keys) == 0 || next[l.Origin] != nil {
			return fmt.Errorf("%w: %q", ErrLogs, l.Origin)
		}
		// Its state is what is on disk: nobody signs while it is read.
		known := &witnessed{Log: l, name: ledger.Leaf([]byte(l.Origin)).String()[:32]}
		if err := known.open(w.dir); err != nil {
			return err
		}
		next[l.Origin] = known
	}
	w.logs = next
	return nil
}

func (l *witnessed) open(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, l.name+stateSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	last, err := ledger.OpenCheckpoint(content, l.Keys)
	if err != nil || last.Origin != l.Origin {
		return fmt.Errorf("%w: %s: %w", ErrState, l.Origin, errors.Join(err, fs.ErrInvalid))
	}
	l.last = &last
	kept, err := filepath.Glob(filepath.Join(dir, evidenceName, l.name+"-*.json"))
	for _, file := range kept {
		*l.kept(strings.Split(filepath.Base(file), "-")[1])++
	}
	return err
}

// kept counts the evidence of a kind.
func (l *witnessed) kept(what string) *int {
	if what == whatInconsistent {
		return &l.unproven
	}
	return &l.evidence
}

// Status is what is known of a log.
type Status struct {
	Origin   string
	Size     uint64    // of the checkpoint signed last
	Time     time.Time // in it
	Evidence int       // of forks and rollbacks: files under the folder
	// Unproven is how many checkpoints the log signed, and came with a proof that does not hold, are on file: the log forked, or
	// anybody sent a bogus proof. The first few are kept.
	Unproven int
	// Refused is how many came in the log's name and without its signatures, since the logs were set. Nothing is kept of them.
	Refused uint64
}

// Status returns what is known of the logs.
func (w *Witness) Status() []Status {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var list []Status
	for _, l := range w.logs {
		l.mu.Lock()
		s := Status{Origin: l.Origin, Evidence: l.evidence, Unproven: l.unproven, Refused: l.refused}
		if l.last != nil {
			s.Size, s.Time = l.last.Size, l.last.Time
		}
		l.mu.Unlock()
		list = append(list, s)
	}
	return list
}

// ServeHTTP answers POST …/add-checkpoint as the specification says, and 404 to all else. Answers never repeat the
// request.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch {
	case !strings.HasSuffix(r.URL.Path, "/add-checkpoint"):
		refuse(rw, http.StatusNotFound)
		return
	case r.Method != http.MethodPost:
		rw.Header().Set("Allow", http.MethodPost)
		refuse(rw, http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	if err != nil {
		refuse(rw, http.StatusBadRequest)
		return
	}
	w.add(body).write(rw)
}

func refuse(rw http.ResponseWriter, status int) { http.Error(rw, http.StatusText(status), status) }

// answer is one of the specification's.
type answer struct {
	status int
	size   *uint64 // with 409: what was signed last
	lines  []byte  // with 200
}

func (a answer) write(rw http.ResponseWriter) {
	switch {
	case a.size != nil:
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(a.status)
		fmt.Fprintf(rw, "%d\n", *a.size)
	case a.status == http.StatusOK:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = rw.Write(a.lines) // whoever went away asks again
	default:
		refuse(rw, a.status)
	}
}

// request is what was asked.
type request struct {
	old  uint64
	path []ledger.Hash
	note []byte
}

func parse(body []byte) (request, bool) {
	head, note, ok := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	number, isOld := strings.CutPrefix(lines[0], "old ")
	old, err := strconv.ParseUint(number, 10, 63)
	if !ok || !isOld || err != nil || strconv.FormatUint(old, 10) != number || len(lines)-1 > maxProof {
		return request{}, false
	}
	r := request{old: old, note: note}
	for _, line := range lines[1:] {
		var h ledger.Hash
		if h.UnmarshalText([]byte(line)) != nil {
			return request{}, false
		}
		r.path = append(r.path, h)
	}
	return r, true
}

func (w *Witness) add(body []byte) answer {
	r, ok := parse(body)
	if !ok {
		return answer{status: http.StatusBadRequest}
	}
	w.mu.RLock() // until it is answered: SetLogs waits
	defer w.mu.RUnlock()
	origin, _, _ := strings.Cut(string(r.note), "\n")
	l := w.logs[origin]
	if l == nil {
		return answer{status: http.StatusNotFound}
	}
	c, err := ledger.OpenCheckpoint(r.note, l.Keys)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.refused++
		return answer{status: http.StatusForbidden}
	}
	if a := w.compare(l, r, c); a != nil {
		return *a
	}
	return w.sign(l, c)
}

// compare returns nil when the checkpoint goes on from the one signed last.
func (w *Witness) compare(l *witnessed, r request, c ledger.Signed) *answer {
	last := ledger.Signed{Checkpoint: ledger.Checkpoint{Root: ledger.EmptyRoot()}}
	if l.last != nil {
		last = *l.last
	}
	switch {
	case c.Size < last.Size && c.Time.After(last.Time): // signed later, and smaller: rolled back
		w.keep(l, r, whatRollback)
	case c.Size == last.Size && c.Root != last.Root && l.last != nil:
		w.keep(l, r, whatFork)
	}
	switch {
	case r.old > c.Size:
		return &answer{status: http.StatusBadRequest}
	case r.old != last.Size:
		return &answer{status: http.StatusConflict, size: &last.Size}
	case r.old == c.Size && (c.Root != last.Root || len(r.path) > 0) && l.last != nil:
		return &answer{status: http.StatusConflict, size: &last.Size}
	case r.old < c.Size && ledger.VerifyConsistency(r.old, c.Size, r.path, last.Root, c.Root) != nil:
		w.keep(l, r, whatInconsistent)
		return &answer{status: http.StatusUnprocessableEntity}
	}
	return nil
}

// sign keeps the checkpoint, and then signs it: a crash between leaves one that was not signed, and is signed when it is
// asked for again. The one that was signed last is answered as it was: whoever repeats it, and it is public, costs neither
// a signature nor a sync.
func (w *Witness) sign(l *witnessed, c ledger.Signed) answer {
	again := l.last != nil && bytes.Equal(signedText(c.Note), signedText(l.last.Note))
	if again && l.lines != nil {
		return answer{status: http.StatusOK, lines: l.lines}
	}
	lines, err := c.Cosign(w.cosigners...)
	if err != nil {
		return answer{status: http.StatusInternalServerError}
	}
	if !again {
		if err := place(filepath.Join(w.dir, l.name+stateSuffix), c.Note); err != nil {
			return answer{status: http.StatusInternalServerError}
		}
		l.last = &c
	}
	l.lines = lines
	return answer{status: http.StatusOK, lines: lines}
}

// signedText is what the signatures of a note are over. There may be any number of others' signatures behind it.
func signedText(note []byte) []byte {
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	return text
}

// Evidence is what is kept of a fork or rollback: two checkpoints that the log signed, and cannot both be of one history.
type Evidence struct {
	Version int       `json:"version"` // 1
	Time    time.Time `json:"time"`
	Origin  string    `json:"origin"`
	// What is "fork": two roots of one size; "rollback": signed later, and smaller; or "inconsistent": the proof does not
	// hold. Both checkpoints are signed by the log, but a proof is anybody's word: it takes a look at the log to tell a fork from a
	// bogus proof.
	What   string        `json:"what"`
	Signed string        `json:"signed"` // what the witness signed last
	Asked  string        `json:"asked"`
	Old    uint64        `json:"old"`
	Proof  []ledger.Hash `json:"proof"`
}

// keep writes evidence, the same once. That it fails changes nothing in the answer, which is a refusal.
func (w *Witness) keep(l *witnessed, r request, what string) {
	most := maxEvidence
	if what == whatInconsistent {
		most = maxUnproven
	}
	count := l.kept(what)
	if *count >= most || l.last == nil {
		return
	}
	content, err := json.MarshalIndent(Evidence{
		Version: 1, Time: w.now().UTC(), Origin: l.Origin, What: what, Signed: string(l.last.Note), Asked: string(r.note), Old: r.old, Proof: r.path,
	}, "", "  ")
	if err != nil {
		return
	}
	id := ledger.Leaf(append(bytes.Clone(signedText(l.last.Note)), signedText(r.note)...)).String()[:16]
	path := filepath.Join(w.dir, evidenceName, l.name+"-"+what+"-"+id+".json")
	if _, err := os.Stat(path); err == nil {
		return
	}
	if place(path, append(content, '\n')) == nil {
		*count++
	}
}

// place puts content at path: write aside, sync, rename, sync the folder.
func place(path string, content []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
