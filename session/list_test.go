package session_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"licgate/session"
)

// What is over takes no place in the list of an administrator.
func TestList(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	open := func(account string) session.Session {
		_, s := b.login(t, with(func(c *session.Credentials) { c.Account = account }))
		b.pass(time.Second)
		return s
	}
	lists := func(doing string, match session.Match, limit int, want ...session.Session) {
		t.Helper()
		got, err := b.List(t.Context(), match, limit)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %+v, error %v, want %+v", doing, got, err, want)
		}
	}
	lists("nobody", session.Match{}, 10)
	first := open("zhang")
	second := open("wang")
	third := open("zhang")
	lists("all", session.Match{}, 10, third, second, first)
	lists("two", session.Match{}, 2, third, second)
	lists("zhang's", session.Match{Account: "zhang"}, 10, third, first)
	lists("no application's", session.Match{AppKey: "inside"}, 10)

	// A session that is over but stored, and newer than all.
	late := third
	late.ID, late.Created, late.LastSeen, late.Expires = "late", b.now(), b.now(), b.now().Add(-time.Millisecond)
	if err := b.store.Insert(t.Context(), []byte("late"), late); err != nil {
		t.Fatal(err)
	}
	// One from before the clock was set back is not good either, though a purge leaves it.
	ahead := third
	ahead.ID, ahead.Created, ahead.LastSeen = "ahead", b.now().Add(time.Hour), b.now().Add(time.Hour)
	if err := b.store.Insert(t.Context(), []byte("ahead"), ahead); err != nil {
		t.Fatal(err)
	}
	lists("all but what is over", session.Match{}, 4, third, second, first)
	b.pass(30*time.Minute - 2*time.Second)
	lists("the first two idled out", session.Match{}, 10, third)
}

func TestListWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"List", "Purge"} {
		b := newBench(t)
		b.login(t, good())
		b.Store = flaky{b.store, map[string]bool{method: true}}
		if all, err := b.List(t.Context(), session.Match{}, 10); !errors.Is(err, errBackend) || all != nil {
			t.Errorf("%s fails: listed %+v, error %v, want the backend's", method, all, err)
		}
	}
}
