package licencetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"licgate/licence"
)

// Run holds a store to the contract of licence.Store. open gives a fresh, empty store to each subtest and may register
// its clean-up with t. Stores keep times to the microsecond at least; the zone is free, a zero time stays zero.
func Run(t *testing.T, open func(t *testing.T) licence.Store) {
	t.Helper()
	for _, one := range []struct {
		name string
		run  func(*testing.T, licence.Store)
	}{
		{"licence round trip", licenceRoundTrip},
		{"not there", notThere},
		{"update", updateReplaces},
		{"update stale", updateStale},
		{"insert duplicate", insertDuplicate},
		{"id code unique among live rows of an item", idCodeUnique},
		{"updates before inserts", updatesBeforeInserts},
		{"find by id code", findByIDCode},
		{"list by holder", listByHolder},
		{"list by holder after update", listByHolderAfterUpdate},
		{"list ever held", listEverHeld},
		{"list registered", listRegistered},
		{"list issued", listIssued},
		{"has licences", hasLicences},
		{"code round trip", codeRoundTrip},
		{"code update", codeUpdate},
		{"code duplicate", codeDuplicate},
		{"purge", purgeCodes},
		{"nothing by halves", nothingByHalves},
		{"empty write", emptyWrite},
		{"cancelled context", cancelledContext},
		{"rows are copies", rowsAreCopies},
		{"one inserter of an id code wins", oneInserterWins},
		{"one updater wins", oneUpdaterWins},
		{"one code updater wins", oneCodeUpdaterWins},
		{"readers see whole writes", readersSeeWholeWrites},
		{"read your writes", readYourWrites},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			one.run(t, open(t))
		})
	}
}

// epoch is a time with microseconds, so that a store that cuts them is found out.
var epoch = time.Date(2026, 3, 5, 1, 2, 3, 456789000, time.UTC)

func digest(name string) []byte {
	d := make([]byte, 32)
	copy(d, name)
	d[31] = 0xff // no valid UTF-8: digests are bytes
	return d
}

// row is a REGISTERED licence of item "A" made by department "D1".
func row(code string, edits ...func(*licence.Stored)) licence.Stored {
	r := licence.Stored{
		Code: code, Item: "A", Department: "D1", DivisionCode: "110105", BizNum: "B-1", State: licence.Registered, Revision: 1,
		IDCodeDigest: digest("id " + code), HolderDigests: [][]byte{digest("holder " + code)}, Created: epoch, Sealed: []byte("\x01\x00\xfe" + code),
	}
	for _, edit := range edits {
		edit(&r)
	}
	return r
}

func issued(at time.Time) func(*licence.Stored) {
	return func(r *licence.Stored) { r.State, r.IssueTime = licence.Issued, at }
}

func idCode(name string) func(*licence.Stored) {
	return func(r *licence.Stored) { r.IDCodeDigest = digest(name) }
}

func inState(s licence.State) func(*licence.Stored) {
	return func(r *licence.Stored) { r.State = s }
}

func ofItem(item string) func(*licence.Stored) {
	return func(r *licence.Stored) { r.Item = item }
}

func created(at time.Time) func(*licence.Stored) {
	return func(r *licence.Stored) { r.Created = at }
}

func heldBy(names ...string) func(*licence.Stored) {
	return func(r *licence.Stored) {
		r.HolderDigests = nil
		for _, name := range names {
			r.HolderDigests = append(r.HolderDigests, digest(name))
		}
	}
}

func useCode(name string, edits ...func(*licence.StoredCode)) licence.StoredCode {
	c := licence.StoredCode{
		Digest: digest("code " + name), Kind: licence.AuthCode, LicenceCode: "L1",
		Grant: licence.Grant{
			App: "app", Account: "acct", Department: "D1", ServiceItem: "S1", ServiceItemName: "婚姻登记", BizNum: "B-1", Sensitive: true,
		},
		Created: epoch, Expires: epoch.Add(time.Hour), Revision: 1,
	}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

// codeFor is a code of the licence with that number.
func codeFor(licenceCode string) licence.StoredCode {
	return useCode(licenceCode, func(c *licence.StoredCode) { c.LicenceCode = licenceCode })
}

func next(r licence.Stored, edits ...func(*licence.Stored)) licence.Stored {
	r.Revision++
	for _, edit := range edits {
		edit(&r)
	}
	return r
}

func apply(t *testing.T, s licence.Store, w licence.Write) {
	t.Helper()
	if err := s.Apply(t.Context(), w); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func insert(t *testing.T, s licence.Store, rows ...licence.Stored) {
	t.Helper()
	apply(t, s, licence.Write{Insert: rows})
}

func applyFails(t *testing.T, s licence.Store, w licence.Write, want error) {
	t.Helper()
	if err := s.Apply(t.Context(), w); !errors.Is(err, want) {
		t.Fatalf("Apply = %v, want %v", err, want)
	}
}

func wantRow(t *testing.T, s licence.Store, want licence.Stored) {
	t.Helper()
	got, err := s.Find(t.Context(), want.Code)
	if err != nil {
		t.Fatalf("Find(%s): %v", want.Code, err)
	}
	if !sameRow(got, want) {
		t.Fatalf("Find(%s)\n got %+v\nwant %+v", want.Code, got, want)
	}
}

func wantNoRow(t *testing.T, s licence.Store, code string) {
	t.Helper()
	if _, err := s.Find(t.Context(), code); !errors.Is(err, licence.ErrNotFound) {
		t.Fatalf("Find(%s) = %v, want ErrNotFound", code, err)
	}
}

func wantCode(t *testing.T, s licence.Store, want licence.StoredCode) {
	t.Helper()
	got, err := s.FindCode(t.Context(), want.Digest)
	if err != nil {
		t.Fatalf("FindCode: %v", err)
	}
	if !sameCode(got, want) {
		t.Fatalf("FindCode\n got %+v %+v\nwant %+v %+v", got, got.Redeemer, want, want.Redeemer)
	}
}

func wantNoCode(t *testing.T, s licence.Store, digest []byte) {
	t.Helper()
	if _, err := s.FindCode(t.Context(), digest); !errors.Is(err, licence.ErrNoCode) {
		t.Fatalf("FindCode = %v, want ErrNoCode", err)
	}
}

func sameRow(a, b licence.Stored) bool {
	sorted := func(in [][]byte) [][]byte { return slices.SortedFunc(slices.Values(in), bytes.Compare) }
	return a.Code == b.Code && a.Item == b.Item && a.Department == b.Department && a.DivisionCode == b.DivisionCode &&
		a.BizNum == b.BizNum && a.State == b.State && a.Revision == b.Revision && bytes.Equal(a.IDCodeDigest, b.IDCodeDigest) &&
		slices.EqualFunc(sorted(a.HolderDigests), sorted(b.HolderDigests), bytes.Equal) &&
		a.Created.Equal(b.Created) && a.IssueTime.Equal(b.IssueTime) && bytes.Equal(a.Sealed, b.Sealed)
}

func sameCode(a, b licence.StoredCode) bool {
	same := bytes.Equal(a.Digest, b.Digest) && a.Kind == b.Kind && a.LicenceCode == b.LicenceCode && a.Grant == b.Grant &&
		a.Created.Equal(b.Created) && a.Expires.Equal(b.Expires) && a.Revision == b.Revision
	if a.Redeemer == nil || b.Redeemer == nil {
		return same && a.Redeemer == b.Redeemer
	}
	return same && a.Redeemer.App == b.Redeemer.App && a.Redeemer.Department == b.Redeemer.Department &&
		a.Redeemer.ServiceItem == b.Redeemer.ServiceItem && a.Redeemer.BizNum == b.Redeemer.BizNum &&
		maps.Equal(a.Redeemer.Uses, b.Redeemer.Uses)
}

func codesOf(rows []licence.Stored) []string {
	var codes []string
	for _, r := range rows {
		codes = append(codes, r.Code)
	}
	return codes
}

// race runs n calls at once and returns their errors.
func race(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// wantOneWinner demands one nil among errs, and want for all others.
func wantOneWinner(t *testing.T, errs []error, want error) {
	t.Helper()
	winners := 0
	for _, err := range errs {
		switch {
		case err == nil:
			winners++
		case !errors.Is(err, want):
			t.Errorf("loser got %v, want %v", err, want)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners, want 1", winners)
	}
}

func oneInserterWins(t *testing.T, s licence.Store) {
	const writers = 8
	errs := race(writers, func(i int) error {
		code := fmt.Sprintf("L%d", i)
		return s.Apply(t.Context(), licence.Write{
			Insert:      []licence.Stored{row(code, idCode("same"))},
			InsertCodes: []licence.StoredCode{codeFor(code)},
		})
	})
	wantOneWinner(t, errs, licence.ErrDuplicate)
	rows, err := s.FindByIDCode(t.Context(), "A", digest("same"))
	if err != nil || len(rows) != 1 {
		t.Fatalf("FindByIDCode = %v, %v; want one row", codesOf(rows), err)
	}
	for i, err := range errs {
		if code := fmt.Sprintf("L%d", i); err == nil {
			wantCode(t, s, codeFor(code))
		} else {
			wantNoRow(t, s, code)
			wantNoCode(t, s, codeFor(code).Digest)
		}
	}
}

func oneUpdaterWins(t *testing.T, s licence.Store) {
	first := row("L1")
	insert(t, s, first)
	errs := race(8, func(i int) error {
		return s.Apply(t.Context(), licence.Write{
			Update: []licence.Stored{next(first, func(r *licence.Stored) { r.BizNum = fmt.Sprint(i) })},
		})
	})
	wantOneWinner(t, errs, licence.ErrStale)
	for i, err := range errs {
		if err == nil {
			wantRow(t, s, next(first, func(r *licence.Stored) { r.BizNum = fmt.Sprint(i) }))
		}
	}
}

func oneCodeUpdaterWins(t *testing.T, s licence.Store) {
	first := useCode("c")
	apply(t, s, licence.Write{Insert: []licence.Stored{row("L1")}, InsertCodes: []licence.StoredCode{first}})
	bound := func(i int) licence.StoredCode {
		return useCode("c", func(c *licence.StoredCode) {
			c.Revision, c.Redeemer = 2, &licence.Redeemer{App: fmt.Sprint(i), Uses: map[string]string{"archive_qr": "r"}}
		})
	}
	errs := race(8, func(i int) error {
		return s.Apply(t.Context(), licence.Write{UpdateCodes: []licence.StoredCode{bound(i)}})
	})
	wantOneWinner(t, errs, licence.ErrStale)
	for i, err := range errs {
		if err == nil {
			wantCode(t, s, bound(i))
		}
	}
}

// readersSeeWholeWrites passes one id code along a chain of changes; every reader must see exactly one holder of it.
func readersSeeWholeWrites(t *testing.T, s licence.Store) {
	at := epoch
	last := row("L000", idCode("same"), heldBy("h"), issued(at))
	insert(t, s, last)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for ctx.Err() == nil {
				rows, err := s.FindByIDCode(t.Context(), "A", digest("same"))
				if err != nil || len(rows) != 1 {
					t.Errorf("FindByIDCode = %v, %v; want one row at any time", codesOf(rows), err)
					return
				}
				held, total, err := s.ListByHolder(t.Context(), [][]byte{digest("h")}, []string{"A"}, 10, 0)
				if err != nil || len(held) != 1 || total != 1 {
					t.Errorf("ListByHolder = %v, %d, %v; want one row at any time", codesOf(held), total, err)
					return
				}
			}
		})
	}
	for i := 1; i <= 40; i++ {
		at = at.Add(time.Second)
		successor := row(fmt.Sprintf("L%03d", i), idCode("same"), heldBy("h"), issued(at))
		apply(t, s, licence.Write{
			Update: []licence.Stored{next(last, inState(licence.Abolished))},
			Insert: []licence.Stored{successor},
		})
		last = successor
	}
	stop()
	readers.Wait()
}

func readYourWrites(t *testing.T, s licence.Store) {
	errs := race(4, func(w int) error {
		for i := range 20 {
			r := row(fmt.Sprintf("L%d-%02d", w, i))
			c := codeFor(r.Code)
			if err := s.Apply(t.Context(), licence.Write{Insert: []licence.Stored{r}, InsertCodes: []licence.StoredCode{c}}); err != nil {
				return err
			}
			got, err := s.Find(t.Context(), r.Code)
			if err != nil || !sameRow(got, r) {
				return fmt.Errorf("Find after Apply = %+v, %w", got, err)
			}
			if _, err := s.FindCode(t.Context(), c.Digest); err != nil {
				return fmt.Errorf("FindCode after Apply: %w", err)
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}
