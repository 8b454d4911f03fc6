package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"licgate/audit/ledger"
)

// TestFollow: several readers see every record once and in order, beside writers, packing and rolling.
func TestFollow(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 150
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{SegmentSize: 8000})
	for i := range 50 {
		appendTest(t, j, fmt.Sprint("before", i))
	}
	last := uint64(50 + writers*each)
	var readers, appenders sync.WaitGroup
	stop := errors.New("that was all")
	leaves := make([]ledger.Hash, last+1)
	var mu sync.Mutex
	read := func(name string, after uint64, follow func(context.Context, uint64, func(uint64, []byte) error) error) {
		readers.Go(func() {
			next := after + 1
			err := follow(t.Context(), after, func(n uint64, record []byte) error {
				if n != next {
					t.Errorf("%s: %d follows %d", name, n, next-1)
				}
				mu.Lock()
				if leaf := ledger.Leaf(record); leaves[n] == (ledger.Hash{}) {
					leaves[n] = leaf
				} else if leaves[n] != leaf {
					t.Errorf("%s: %d is another record", name, n)
				}
				mu.Unlock()
				if next++; n == last {
					return stop
				}
				return nil
			})
			if !errors.Is(err, stop) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	read("from the start", 0, j.Follow)
	read("from the middle", 30, j.Follow)
	read("from the end", 50, j.Follow)
	read("from beyond", 60, j.Follow)
	read("from outside", 0, func(ctx context.Context, after uint64, visit func(uint64, []byte) error) error {
		return Tail(ctx, dir, after, visit)
	})
	for w := range writers {
		appenders.Go(func() {
			for i := range each {
				if err := j.Append(t.Context(), record(fmt.Sprint(w, "-", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	appenders.Wait()
	readers.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range []error{
		j.Follow(ctx, last, func(uint64, []byte) error { return nil }), j.Follow(ctx, 0, func(uint64, []byte) error { return nil }),
		Tail(ctx, dir, last, func(uint64, []byte) error { return nil }),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
}

// TestFollowPassesOverDamage and gaps.
func TestFollowPassesOverDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 16, 4)
	change(t, filepath.Join(dir, segmentName(1)), func(b []byte) []byte { // its last record
		_, list := frames(t, b)
		list[3][100] ^= 1
		return b
	})
	if err := os.Remove(filepath.Join(dir, segmentName(5))); err != nil {
		t.Fatal(err)
	}
	change(t, filepath.Join(dir, segmentName(9)), func(b []byte) []byte { // its second, and its header
		_, list := frames(t, b)
		list[1][100] ^= 1
		b[15] ^= 1
		return b
	})
	j, _ := openTest(t, dir, Options{KeepPlain: true})
	appendTest(t, j, "after")
	stop := errors.New("that was all")
	var got []uint64
	err := j.Follow(t.Context(), 0, func(n uint64, _ []byte) error {
		got = append(got, n)
		if n == 17 {
			return stop
		}
		return nil
	})
	if want := []uint64{1, 2, 3, 9, 11, 12, 13, 14, 15, 16, 17}; !errors.Is(err, stop) || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestFollowSeesOnlyConfirmed: a record on its way to the disk is not shown.
func TestFollowSeesOnlyConfirmed(t *testing.T) {
	t.Parallel()
	dir, system := t.TempDir(), newFaulty()
	j, _, err := openJournal(system, dir, Options{Node: "n", KeepPlain: true})
	if err != nil {
		t.Fatal(err)
	}
	appendTest(t, j, "one")
	seen := make(chan uint64, 10)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := j.Follow(t.Context(), 0, func(n uint64, _ []byte) error { seen <- n; return nil }); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v", err)
		}
	})
	if n := <-seen; n != 1 {
		t.Fatal(n)
	}
	system.fail("sync")
	if err := j.Append(t.Context(), record("refused")); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	system.fail("")
	r := appendTest(t, j, "two")
	if n := <-seen; n != r.Sequence || n != 2 {
		t.Errorf("saw %d", n)
	}
	appendTest(t, j, "three")
	closeTest(t, j) // what was confirmed is shown, and then it ends
	wg.Wait()
	if n := <-seen; n != 3 || len(seen) > 0 {
		t.Errorf("saw %d", n)
	}
}
