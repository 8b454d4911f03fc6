package policy

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"
)

// shelf is a Store of versions that were sealed one after another.
type shelf struct {
	versions []Version
	read     []int64 // numbers that were asked for
}

func (s *shelf) Head(context.Context) (Version, error) { return s.versions[len(s.versions)-1], nil }

func (s *shelf) Get(ctx context.Context, n int64) (Version, error) {
	if err := ctx.Err(); err != nil {
		return Version{}, err
	}
	s.read = append(s.read, n)
	if n < 1 || n > int64(len(s.versions)) {
		return Version{}, ErrNoVersion
	}
	return s.versions[n-1], nil
}

func (s *shelf) List(context.Context, int) ([]Version, error) { return nil, errors.New("not asked") }

func shelfOf(lines ...[]string) *shelf {
	s := &shelf{}
	var head Version
	for i, one := range lines {
		at := time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC)
		head = Seal(head, Version{At: at, By: "sec", Lines: one, Platform: []byte("{}"), Changes: []byte("[]")}, sha256.Sum256)
		s.versions = append(s.versions, head)
	}
	return s
}

func TestSince(t *testing.T) {
	t.Parallel()
	s := shelfOf(
		[]string{"old", "gap", "gone"},
		[]string{"old", "gone", "moved"},
		[]string{"gap", "old", "moved"},
		[]string{"moved", "old", "gap"},
		[]string{"old", "gap", "moved", "new"},
	)
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Since(t.Context(), s, head, []string{"old", "gap", "gone", "moved", "new", "never", "old"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"old": 1, "gap": 3, "moved": 2, "new": 5}
	if len(got) != len(want) {
		t.Errorf("%+v", got)
	}
	for line, number := range want {
		v := got[line]
		if full := s.versions[number-1]; v.Number != number || v.Hash != full.Hash || v.By != "sec" || v.At != full.At || string(v.Changes) != "[]" {
			t.Errorf("%s: %+v", line, v)
		}
		if v.Lines != nil || v.Platform != nil {
			t.Errorf("%s: the version came with its lines", line)
		}
	}
}

// TestSinceReadsNoFurther than the lines are old.
func TestSinceReadsNoFurther(t *testing.T) {
	t.Parallel()
	s := shelfOf([]string{"a"}, []string{"a"}, []string{"a", "b"}, []string{"a", "b"})
	head := s.versions[3]
	for _, c := range []struct {
		head  Version
		lines []string
		read  []int64
	}{
		{head, []string{"b"}, []int64{3, 2}},
		{head, []string{"a", "b"}, []int64{3, 2, 1}},
		{head, []string{"c"}, nil},
		{head, nil, nil},
		{Version{Number: 4}, []string{"b"}, []int64{4, 3, 2}},
		{Version{}, []string{"b"}, nil},
	} {
		s.read = nil
		if _, err := Since(t.Context(), s, c.head, c.lines); err != nil || !slices.Equal(s.read, c.read) {
			t.Errorf("%q: read %d: %v", c.lines, s.read, err)
		}
	}
}

func TestSinceFails(t *testing.T) {
	t.Parallel()
	s := shelfOf([]string{"a"}, []string{"a"})
	if got, err := Since(t.Context(), s, Version{Number: 9, Lines: []string{"a"}}, []string{"a"}); !errors.Is(err, ErrNoVersion) || got != nil {
		t.Errorf("a version is missing: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := Since(ctx, s, s.versions[1], []string{"a"}); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("cancelled: %+v, %v", got, err)
	}
}
