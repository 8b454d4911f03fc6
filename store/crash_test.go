package store_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"licgate/licence"
	"licgate/policy"
	"licgate/registry"
	"licgate/store"
	"licgate/store/storetest"
)

// crashRound is what one write of the crash test holds: a new licence with two holders and two codes, and its forerunner
// signed. The same number names all of them.
func crashRound(n int) licence.Write {
	code := crashCode(n)
	w := licence.Write{Insert: []licence.Stored{registered(code)}}
	for _, kind := range []licence.CodeKind{licence.AuthCode, licence.ShowCode} {
		w.InsertCodes = append(w.InsertCodes, licence.StoredCode{
			Digest: digest(string(kind) + code), Kind: kind, LicenceCode: code, Created: epoch, Expires: epoch.Add(time.Hour), Revision: 1,
		})
	}
	if n > 1 {
		w.Update = []licence.Stored{issued(registered(crashCode(n - 1)))}
	}
	return w
}

func crashCode(n int) string { return fmt.Sprintf("C%08d", n) }

// crashVersion is a policy version whose registry names it.
func crashVersion(n int64) (*registry.Platform, policy.Version) {
	text := fmt.Sprintf("# %d", n)
	p := &registry.Platform{Policy: &text}
	for i := range 5 {
		p.Departments = append(p.Departments, registry.Department{Code: fmt.Sprintf("D%d", i), Name: fmt.Sprintf("%d of %d", i, n)})
	}
	p.Applications = []registry.Application{{AppKey: fmt.Sprintf("app%d", n)}}
	return p, version(n, "")
}

// writeForever is the child: it says what it has been promised, and nothing sooner.
func writeForever(s *store.Store) error {
	ctx := context.Background()
	changes, err := s.LocksRevision(ctx)
	if err != nil {
		return err
	}
	proposed, err := decideOpen(ctx, s)
	if err != nil {
		return err
	}
	n, err := licencesThere(ctx, s)
	if err != nil {
		return err
	}
	at, err := s.PolicyVersion(ctx)
	if err != nil {
		return err
	}
	for {
		n++
		if err := s.Licences().Apply(ctx, crashRound(n)); err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "licence %d\n", n)
		changes++
		if err := changeLocks(ctx, s, changes); err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "locks %d\n", changes)
		if proposed, err = s.Pendings().AddPending(ctx, crashPending(proposed+1)); err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "pending %d\n", proposed)
		if n%4 != 0 {
			if err := s.Pendings().DecidePending(ctx, proposed, crashDecision(proposed)); err != nil {
				return err
			}
			fmt.Fprintf(os.Stdout, "decided %d\n", proposed)
			continue
		}
		at++
		if err := s.SaveApproved(ctx, first(crashVersion(at)), second(crashVersion(at)), proposed, crashDecision(proposed)); err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "decided %d\npolicy %d\n", proposed, at)
	}
}

// changeLocks is the n-th change of locks. Of four, two put a lock, one removes the first, one purges the second.
func changeLocks(ctx context.Context, s *store.Store, n int64) error {
	switch a, b := crashLocks(n); n % 4 {
	case 1:
		return s.Locks().PutLock(ctx, a)
	case 2:
		return s.Locks().PutLock(ctx, b)
	case 3:
		_, err := s.Locks().RemoveLock(ctx, a.Kind, a.Key)
		return err
	}
	return s.Locks().PurgeLocks(ctx, epoch.Add(time.Hour))
}

func crashLocks(n int64) (a, b registry.Lock) {
	key := fmt.Sprint((n - 1) / 4)
	return registry.Lock{Kind: registry.LockAccount, Key: key, Created: epoch}, registry.Lock{Kind: registry.LockItem, Key: key, Created: epoch, Expires: epoch}
}

// locksAfter are those that are there after n changes.
func locksAfter(n int64) []registry.Lock {
	a, b := crashLocks(n)
	return [][]registry.Lock{nil, {a}, {a, b}, {b}}[n%4]
}

func crashPending(id int64) registry.Pending {
	return registry.Pending{
		Why: fmt.Sprint("change ", id), Created: epoch, Classes: []string{"grant"}, Declaration: bytes.Repeat([]byte{byte(id)}, 5000),
		Changes: []registry.Change{{Action: "add", Kind: "application", Key: fmt.Sprint(id)}},
	}
}

// crashDecision is a rejection; SaveApproved makes an approval of it.
func crashDecision(id int64) registry.Pending {
	return registry.Pending{State: registry.PendingRejected, DecidedBy: "110000_复核员", Decided: epoch, Note: fmt.Sprint("note ", id)}
}

// decideOpen catches up on what the child before this one left open, and returns the newest number.
func decideOpen(ctx context.Context, s *store.Store) (int64, error) {
	all, err := s.Pendings().ListPending(ctx, "", 1)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	if id := all[0].ID; all[0].State == registry.PendingOpen {
		return id, s.Pendings().DecidePending(ctx, id, crashDecision(id))
	}
	return all[0].ID, nil
}

func first[A, B any](a A, _ B) A  { return a }
func second[A, B any](_ A, b B) B { return b }

func licencesThere(ctx context.Context, s *store.Store) (int, error) {
	codes, err := s.Licences().ListRegistered(ctx, "item", "D1", "", "", 1)
	if err != nil || len(codes) == 0 {
		return 0, err
	}
	// Only the newest is unsigned, so it names how many there are.
	return strconv.Atoi(codes[0][1:])
}

func TestKill(t *testing.T) {
	t.Parallel()
	for _, backend := range storetest.Backends(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			rounds := map[string]int{"sqlite": 8, "postgres": 3}[backend.Name]
			url := backend.URL(t)
			storetest.Open(t, url) // the tables are there, and a reader beside the child
			confirmed := map[string]int{}
			for range rounds {
				killWriter(t, url, confirmed)
				verify(t, url, confirmed)
			}
			if confirmed["licence"] < rounds || confirmed["policy"] == 0 || confirmed["locks"] < rounds || confirmed["decided"] == 0 {
				t.Fatalf("the child wrote too little to prove anything: %v", confirmed)
			}
		})
	}
}

// killWriter lets a child write for a while and kills it at a random moment after its first promise.
func killWriter(t *testing.T, url string, confirmed map[string]int) {
	t.Helper()
	cmd := command(t, "write", url)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, killing := bufio.NewScanner(out), false
	for lines.Scan() {
		var what string
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "%s %d", &what, &n); err != nil {
			break // the last line may be cut off
		}
		confirmed[what] = n
		if !killing {
			killing = true
			time.AfterFunc(rand.N(250*time.Millisecond), func() { _ = cmd.Process.Kill() })
		}
	}
	_ = cmd.Wait()
	if !killing || complaint.Len() > 0 {
		t.Fatalf("the child stopped by itself: %s", complaint.String())
	}
}

// verify opens the store anew: what was promised is there, and whatever is there is whole.
func verify(t *testing.T, url string, confirmed map[string]int) {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatalf("the store does not open after a kill: %v", err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	there, err := licencesThere(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if there < confirmed["licence"] || there > confirmed["licence"]+1 {
		t.Fatalf("%d licences were confirmed, %d are there", confirmed["licence"], there)
	}
	for _, table := range []struct {
		query string
		each  int
	}{
		{`SELECT count(*) FROM licences`, 1},
		{`SELECT count(*) FROM licence_holders`, 2},
		{`SELECT count(*) FROM licence_codes`, 2},
	} {
		if n := count(t, s, table.query); n != table.each*there {
			t.Errorf("%s = %d for %d licences, want %d", table.query, n, there, table.each*there)
		}
	}
	for n := max(1, there-20); n <= there; n++ {
		want := registered(crashCode(n))
		if n < there {
			want = issued(want)
		}
		got, err := s.Licences().Find(t.Context(), want.Code)
		if err != nil || !sameLicence(got, want) {
			t.Errorf("%s is not whole: %+v, %v", want.Code, got, err)
		}
		for _, c := range crashRound(n).InsertCodes {
			if _, err := s.Licences().FindCode(t.Context(), c.Digest); err != nil {
				t.Errorf("a code of %s: %v", want.Code, err)
			}
		}
	}
	verifyLocks(t, s, int64(confirmed["locks"]))
	verifyPending(t, s, int64(confirmed["pending"]), int64(confirmed["decided"]))
	p, at, err := s.LoadPlatform(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if at < int64(confirmed["policy"]) || at > int64(confirmed["policy"])+1 {
		t.Errorf("version %d was confirmed, %d is there", confirmed["policy"], at)
	}
	if at > 0 {
		samePlatform(t, p, first(crashVersion(at)))
	}
	if _, err := s.Policies().Get(t.Context(), at+1); !errors.Is(err, policy.ErrNoVersion) {
		t.Errorf("Get(%d) = %v, want ErrNoVersion", at+1, err)
	}
	if s.Dialect() == "sqlite" {
		if got := scalar(t, s, `PRAGMA integrity_check`); got != "ok" {
			t.Errorf("integrity_check: %s", got)
		}
	}
}

// verifyLocks: a change of locks and its number are there together.
func verifyLocks(t *testing.T, s *store.Store, confirmed int64) {
	t.Helper()
	changes, err := s.LocksRevision(t.Context())
	if err != nil || changes < confirmed || changes > confirmed+1 {
		t.Errorf("%d changes of locks were confirmed, %d are counted, %v", confirmed, changes, err)
	}
	if got, err := s.Locks().Locks(t.Context()); err != nil || !slices.Equal(got, locksAfter(changes)) {
		t.Errorf("after %d changes the locks are %+v, %v", changes, got, err)
	}
}

// verifyPending: changes have numbers without a gap, each is whole, all but the newest are decided, and those approved are the
// policy versions.
func verifyPending(t *testing.T, s *store.Store, confirmed, decided int64) {
	t.Helper()
	there := int64(count(t, s, `SELECT count(*) FROM pending_changes`))
	if there < confirmed || there > confirmed+1 {
		t.Errorf("%d changes were confirmed, %d are there", confirmed, there)
	}
	if next := int64(count(t, s, `SELECT value FROM counters WHERE name = 'pending'`)); next != there {
		t.Errorf("%d changes are there, %d are counted", there, next)
	}
	versions, err := s.PolicyVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	approved := count(t, s, `SELECT count(DISTINCT version) FROM pending_changes WHERE state = 'approved' AND version BETWEEN 1 AND $1`, versions)
	if all := count(t, s, `SELECT count(*) FROM pending_changes WHERE state = 'approved'`); int64(all) != versions || int64(approved) != versions {
		t.Errorf("%d changes were approved as %d of %d versions, want each as one", all, approved, versions)
	}
	for id := max(1, there-20); id <= there; id++ {
		open, done := crashPending(id), crashPending(id)
		open.ID, open.State = id, registry.PendingOpen
		d := crashDecision(id)
		done.ID, done.State, done.DecidedBy, done.Decided, done.Note = id, d.State, d.DecidedBy, d.Decided, d.Note
		got, err := s.Pendings().GetPending(t.Context(), id)
		if got.State == registry.PendingApproved {
			done.State, done.Version = got.State, got.Version // compared above
		}
		mayBeOpen := id == there && id > decided
		if err != nil || !reflect.DeepEqual(got, done) && !(mayBeOpen && reflect.DeepEqual(got, open)) {
			t.Errorf("change %d is not whole: %+v, %v", id, got, err)
		}
	}
}

func sameLicence(a, b licence.Stored) bool {
	return a.Code == b.Code && a.Item == b.Item && a.Department == b.Department && a.DivisionCode == b.DivisionCode && a.BizNum == b.BizNum &&
		a.State == b.State && a.Revision == b.Revision && bytes.Equal(a.IDCodeDigest, b.IDCodeDigest) &&
		slices.EqualFunc(a.HolderDigests, b.HolderDigests, bytes.Equal) &&
		a.Created.Equal(b.Created) && a.IssueTime.Equal(b.IssueTime) && bytes.Equal(a.Sealed, b.Sealed)
}
