package store_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
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
		if n%4 != 0 {
			continue
		}
		at++
		if err := s.SavePlatform(ctx, first(crashVersion(at)), second(crashVersion(at))); err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "policy %d\n", at)
	}
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
			if confirmed["licence"] < rounds || confirmed["policy"] == 0 {
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

func sameLicence(a, b licence.Stored) bool {
	return a.Code == b.Code && a.Item == b.Item && a.Department == b.Department && a.DivisionCode == b.DivisionCode && a.BizNum == b.BizNum &&
		a.State == b.State && a.Revision == b.Revision && bytes.Equal(a.IDCodeDigest, b.IDCodeDigest) &&
		slices.EqualFunc(a.HolderDigests, b.HolderDigests, bytes.Equal) &&
		a.Created.Equal(b.Created) && a.IssueTime.Equal(b.IssueTime) && bytes.Equal(a.Sealed, b.Sealed)
}
