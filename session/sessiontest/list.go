package sessiontest

import (
	"slices"
	"testing"
	"time"

	"licgate/session"
)

// listed returns the IDs of a list, whose sessions must be whole.
func listed(t *testing.T, st session.Store, match session.Match, limit int, all []session.Session) []string {
	t.Helper()
	got, err := st.List(t.Context(), match, limit)
	noError(t, "List", err)
	var ids []string
	for _, s := range got {
		ids = append(ids, s.ID)
		i := slices.IndexFunc(all, func(one session.Session) bool { return one.ID == s.ID })
		if i < 0 {
			t.Fatalf("List gave %+v, which is not there", s)
		}
		same(t, s, all[i])
	}
	return ids
}

func ids(places ...int) []string {
	var all []string
	for _, i := range places {
		all = append(all, sample(i, time.Time{}).ID)
	}
	return all
}

func list(t *testing.T, st session.Store) {
	now := clock()
	if got := listed(t, st, session.Match{}, 10, nil); got != nil {
		t.Errorf("List of an empty store = %v", got)
	}
	owners := [][3]string{ // application, account, department
		{"app1", "zhang", "D1"}, {"app1", "wang", "D1"}, {"app2", "zhang", "D1"}, {"app2", "wang", "D2"}, {"app1", "zhang", "D2"},
	}
	var all []session.Session
	for i, o := range owners {
		s := sample(i, now.Add(-time.Duration(i)*time.Millisecond)) // the first is the newest
		s.AppKey, s.Account, s.Department, s.ByOrgCode = o[0], o[1], o[2], i == 1
		insert(t, st, i, s)
		all = append(all, s)
	}
	for _, c := range []struct {
		name  string
		match session.Match
		want  []int
	}{
		{"nothing matches", session.Match{AppKey: "app3"}, nil},
		{"each matches, not together", session.Match{AppKey: "app1", Account: "wang", Department: "D2"}, nil},
		{"application", session.Match{AppKey: "app1"}, []int{0, 1, 4}},
		{"account", session.Match{Account: "zhang"}, []int{0, 2, 4}},
		{"department", session.Match{Department: "D1"}, []int{0, 1, 2}},
		{"application and account", session.Match{AppKey: "app1", Account: "zhang"}, []int{0, 4}},
		{"application and department", session.Match{AppKey: "app2", Department: "D2"}, []int{3}},
		{"account and department", session.Match{Account: "zhang", Department: "D1"}, []int{0, 2}},
		{"all three", session.Match{AppKey: "app1", Account: "zhang", Department: "D2"}, []int{4}},
		{"all", session.Match{}, []int{0, 1, 2, 3, 4}},
	} {
		if got := listed(t, st, c.match, 10, all); !slices.Equal(got, ids(c.want...)) {
			t.Errorf("%s: %v, want %v", c.name, got, ids(c.want...))
		}
	}
	// What happened since is seen: a use, an end.
	all[0].LastSeen = now.Add(time.Minute)
	noError(t, "Touch", st.Touch(t.Context(), digest(0), all[0].LastSeen))
	noError(t, "Delete", st.Delete(t.Context(), digest(1)))
	if got := listed(t, st, session.Match{AppKey: "app1"}, 10, all); !slices.Equal(got, ids(0, 4)) {
		t.Errorf("after a Touch and a Delete: %v, want %v", got, ids(0, 4))
	}
}

func listNewestFirst(t *testing.T, st session.Store) {
	now := clock()
	var all []session.Session
	for i, age := range []time.Duration{3 * time.Hour, 1 * time.Hour, 48 * time.Hour, 2 * time.Hour, 1 * time.Hour} {
		s := sample(i, now)
		s.Created = now.Add(-age)
		s.LastSeen = now.Add(-time.Duration(i) * time.Second)
		// Neither the life nor the last use says how old one is; the oldest has expired, which does not matter.
		s.Expires = now.Add(time.Duration(i-2)*time.Hour - time.Minute)
		insert(t, st, i, s)
		all = append(all, s)
	}
	sorted := []int{1, 4, 3, 0, 2} // of two as old, the smaller ID
	for limit, n := range map[int]int{-1: 0, 0: 0, 1: 1, 2: 2, 4: 4, 5: 5, 100: 5} {
		if got := listed(t, st, session.Match{}, limit, all); !slices.Equal(got, ids(sorted[:n]...)) {
			t.Errorf("List of %d: %v, want %v", limit, got, ids(sorted[:n]...))
		}
	}
}

func listComparesBytes(t *testing.T, st session.Store) {
	now := clock()
	var all []session.Session
	accounts := []string{"a_b", "axb", "A_B", "a%", "a*b", "a_b ", "a:b", "经办人"}
	for i, name := range accounts {
		s := sample(i, now)
		s.Account = name
		insert(t, st, i, s)
		all = append(all, s)
	}
	for i, name := range accounts {
		if got := listed(t, st, session.Match{Account: name}, 10, all); !slices.Equal(got, ids(i)) {
			t.Errorf("account %q: %v, want %v", name, got, ids(i))
		}
	}
}

func listMany(t *testing.T, st session.Store) {
	now := clock()
	const many = 600 // more than one batch of any backend that works in batches
	var all []session.Session
	var want []int
	for i := range many {
		s := sample(i, now)
		s.AppKey = []string{"one", "other"}[i%2]
		s.Created = now.Add(-time.Duration(i*7919%many) * time.Second) // no order that a backend could have by chance
		insert(t, st, i, s)
		all = append(all, s)
		if i%2 == 0 {
			want = append(want, i)
		}
	}
	slices.SortFunc(want, func(a, b int) int { return all[b].Created.Compare(all[a].Created) })
	for _, limit := range []int{7, 299, many} {
		if got := listed(t, st, session.Match{AppKey: "one"}, limit, all); !slices.Equal(got, ids(want[:min(limit, len(want))]...)) {
			t.Errorf("List of %d gave %d, not the newest in their order", limit, len(got))
		}
	}
}
