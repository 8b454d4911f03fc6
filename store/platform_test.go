package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licgate/policy"
	"licgate/registry"
	"licgate/store"
	"licgate/store/storetest"
)

// version is the n-th of a chain; branch tells apart versions that compete for one number.
func version(n int64, branch string) policy.Version {
	v := policy.Version{
		Number: n, At: epoch.In(time.FixedZone("CST", 8*3600)).Add(time.Duration(n) * time.Hour), By: "110000_管理员", Why: "第一次 \"配置\"", ApprovedBy: "110000_复核员",
		Hash: fmt.Sprintf("hash%d%s", n, branch), Lines: []string{"p, app:hydj, D1, item, create, *, allow", fmt.Sprintf("# %d", n)},
		Changes: []byte(`[{"action":"add"}]`),
	}
	if n > 1 {
		v.Parent = fmt.Sprintf("hash%d", n-1)
	}
	return v
}

func platform() *registry.Platform {
	text := "p, role:x, *, *, view, *, deny\n# 说明\n"
	return &registry.Platform{
		Departments: []registry.Department{
			{Code: "11110000000021135M", Name: "北京市民政局", Division: "北京市", DivisionCode: "110000"},
			{Code: "D1", Name: "区民政局", Parent: "11110000000021135M"},
		},
		Items: []registry.Item{{
			LicenseItemCode: "305018201", Name: "内地居民婚姻登记证", Department: "D1", Status: "PUBLISH", IsOpen: true, HolderType: "person",
			LicenseGroups: []string{"1"}, Fields: []registry.Field{{Key: "CZR", Label: "持证人", Type: "string", Required: true, Sensitive: "name", Role: "holder_name"}},
		}, {LicenseItemCode: "B", Name: "<b>&"}},
		ServiceItems: []registry.ServiceItem{
			{Code: "110103MZ001", Name: "婚姻登记", Department: "D1", Items: []string{"305018201"}},
			{Code: "110103MZ001", Name: "same code, another department", Department: "11110000000021135M", Items: []string{"B"}},
		},
		Applications: []registry.Application{{
			AppKey: "hydj", Name: "婚姻登记系统", Department: "D1", SecretHash: "v1$hash", IPAllow: []string{"127.0.0.0/8"}, Rate: registry.Rate{PerSecond: 200},
			SecretTime: "2026-03-01 09:30:00.000", PreviousHash: "v1$before", PreviousUntil: epoch,
			Grants: []registry.Grant{{Items: []string{"305018201"}, Needs: []string{"issue"}, ServiceItems: []string{"110103MZ001"}}},
		}},
		Accounts: []registry.Account{{
			Account: "110000_zhangbin", Name: "张彬", Department: "D1", IdentitySealed: []byte{0, 1, 255}, PasswordHash: "v1$slow", Roles: []string{"issuer", "user"},
			Creator: "root", CreationTime: "2026-03-01 09:30:00.000",
		}, {Account: "a", Disabled: true}},
		Administrators: []registry.Administrator{
			{
				Administrator: "sys", Name: "甲", Role: registry.RoleSystem, IdentitySealed: []byte{0, 2, 254}, PasswordHash: "v1$slow",
				PasswordTime: "2026-03-01 09:30:00.000", Certificates: []string{"00ff"},
			},
			{Administrator: "a", Role: registry.RoleAudit, Disabled: true}, // the account's name: kinds are apart
		},
		Policy: &text,
	}
}

func save(t *testing.T, s *store.Store, p *registry.Platform, v policy.Version) {
	t.Helper()
	if err := s.SavePlatform(t.Context(), p, v); err != nil {
		t.Fatal(err)
	}
}

func samePlatform(t *testing.T, got, want *registry.Platform) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Errorf("platform\n got %s\nwant %s", g, w)
	}
}

func loads(t *testing.T, s *store.Store, want *registry.Platform, wantVersion int64) {
	t.Helper()
	got, n, err := s.LoadPlatform(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n != wantVersion {
		t.Errorf("version %d, want %d", n, wantVersion)
	}
	samePlatform(t, got, want)
	if n, err := s.PolicyVersion(t.Context()); err != nil || n != wantVersion {
		t.Errorf("PolicyVersion = %d, %v; want %d", n, err, wantVersion)
	}
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		loads(t, s, &registry.Platform{}, 0)
		want := platform()
		save(t, s, want, version(1, ""))
		loads(t, s, want, 1)

		// A later declaration: one added in front, one changed, one removed, sections emptied.
		want = platform()
		want.Departments = slices.Insert(want.Departments, 0, registry.Department{Code: "D0", Name: "new"})
		want.Items[1].Name = "changed"
		want.Accounts = want.Accounts[1:]
		want.Administrators = want.Administrators[:1]
		want.ServiceItems, want.Applications, want.Policy = nil, nil, nil
		save(t, s, want, version(2, ""))
		loads(t, s, want, 2)
		loads(t, storetest.Open(t, url), want, 2)
	})
}

func TestPlatformKeepsNoSecret(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		p := platform()
		p.Applications[0].Secret, p.Accounts[0].Password, p.Accounts[0].IdentityNum = "in-clear-1", "in-clear-2", "in-clear-3"
		p.Administrators[0].Password, p.Administrators[0].IdentityNum = "in-clear-4", "in-clear-5"
		save(t, s, p, version(1, ""))
		if n := count(t, s, `SELECT count(*) FROM registry_objects WHERE body LIKE '%in-clear%'`); n != 0 {
			t.Errorf("%d rows hold what may only stand in a file", n)
		}
		loads(t, s, platform(), 1)
	})
}

func TestSavePlatformStale(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		empty := &registry.Platform{}
		refuse := func(v policy.Version) {
			t.Helper()
			if err := s.SavePlatform(t.Context(), empty, v); !errors.Is(err, policy.ErrStale) {
				t.Errorf("version %d after %q: %v, want ErrStale", v.Number, v.Parent, err)
			}
		}
		refuse(version(2, ""))
		refuse(policy.Version{Number: 0})
		orphan := version(1, "")
		orphan.Parent = "hash0"
		refuse(orphan)
		loads(t, s, empty, 0)

		save(t, s, platform(), version(1, ""))
		refuse(version(1, ""))
		refuse(version(1, "other"))
		refuse(version(3, ""))
		stranger := version(2, "")
		stranger.Parent = "hash1other"
		refuse(stranger)
		loads(t, s, platform(), 1)
	})
}

func TestSavePlatformIsWhole(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		save(t, s, platform(), version(1, ""))
		twice := platform()
		twice.Departments[0].Name = "changed"
		twice.Accounts[1].Account = twice.Accounts[0].Account
		if err := s.SavePlatform(t.Context(), twice, version(2, "")); err == nil {
			t.Error("two accounts of one name were taken")
		}
		loads(t, s, platform(), 1)
		if _, err := s.Policies().Get(t.Context(), 2); !errors.Is(err, policy.ErrNoVersion) {
			t.Errorf("Get(2) = %v, want ErrNoVersion", err)
		}
	})
}

// One row of ten thousand changes: the others are not written again.
func TestSavePlatformWritesTheDifference(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	changes := func() int {
		var n int
		if err := s.Writer().QueryRowContext(t.Context(), `SELECT total_changes()`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	save(t, s, platform(), version(1, ""))
	for n, one := range []struct {
		change func(*registry.Platform)
		rows   int
	}{
		{func(*registry.Platform) {}, 0},
		{func(p *registry.Platform) { p.Items[0].Name = "other" }, 1},
		{func(p *registry.Platform) {
			p.Items[0].Name = "other"
			p.Departments = append(p.Departments, registry.Department{Code: "D2"})
		}, 1},
		{func(*registry.Platform) {}, 2}, // one back, one removed
	} {
		p := platform()
		one.change(p)
		before := changes()
		save(t, s, p, version(int64(n)+2, ""))
		if got := changes() - before - 1; got != one.rows { // the version itself is one row
			t.Errorf("save %d wrote %d rows, want %d", n, got, one.rows)
		}
		loads(t, s, p, int64(n)+2)
	}
}

func TestSavePlatformConcurrently(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		stores := []*store.Store{storetest.Open(t, url), storetest.Open(t, url)}
		for n := int64(1); n <= 3; n++ {
			var (
				winners atomic.Int64
				won     atomic.Pointer[registry.Platform]
				savers  sync.WaitGroup
			)
			for i := range 16 {
				savers.Go(func() {
					p := platform()
					p.Departments[0].Name = fmt.Sprintf("%d by %d", n, i)
					err := stores[i%2].SavePlatform(t.Context(), p, version(n, ""))
					if err == nil {
						winners.Add(1)
						won.Store(p)
					} else if !errors.Is(err, policy.ErrStale) {
						t.Errorf("SavePlatform = %v, want ErrStale", err)
					}
				})
			}
			savers.Wait()
			if winners.Load() != 1 {
				t.Fatalf("version %d has %d winners, want one", n, winners.Load())
			}
			loads(t, stores[0], won.Load(), n)
		}
	})
}

// A row that this version does not understand must not be read as if it said less.
func TestLoadPlatformRefusesTheUnknown(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		save(t, s, platform(), version(1, ""))
		for _, one := range []struct{ row, says string }{
			{`INSERT INTO registry_objects (kind, code, place, body) VALUES ('application', 'zz', 9, '{"app_key":"zz","only_at_night":true}')`, "only_at_night"},
			{`INSERT INTO registry_objects (kind, code, place, body) VALUES ('application', 'zz', 9, '{"app_key":')`, "application zz"},
			{`INSERT INTO registry_objects (kind, code, place, body) VALUES ('curfew', 'zz', 9, '{}')`, "curfew"},
		} {
			run(t, s, one.row)
			if _, _, err := s.LoadPlatform(t.Context()); err == nil || !strings.Contains(err.Error(), one.says) {
				t.Errorf("LoadPlatform = %v, want an error that names %s", err, one.says)
			}
			run(t, s, `DELETE FROM registry_objects WHERE code = 'zz'`)
		}
		loads(t, s, platform(), 1)
	})
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		same := func(what string, got, want policy.Version) {
			t.Helper()
			// The hash covers the JSON form, offset of the time included.
			g, _ := json.Marshal(got)
			w, _ := json.Marshal(want)
			if string(g) != string(w) {
				t.Errorf("%s\n got %s\nwant %s", what, g, w)
			}
		}
		head, err := s.Policies().Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same("Head of nothing", head, policy.Version{})
		if list, err := s.Policies().List(t.Context(), 10); err != nil || len(list) != 0 {
			t.Errorf("List of nothing = %v, %v", list, err)
		}
		bare := version(2, "")
		bare.Why, bare.ApprovedBy, bare.Lines, bare.Changes = "", "", nil, nil
		all := []policy.Version{version(1, ""), bare, version(3, "")}
		for _, v := range all {
			save(t, s, platform(), v)
		}
		if head, err = s.Policies().Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		same("Head", head, all[2])
		for _, want := range all {
			got, err := s.Policies().Get(t.Context(), want.Number)
			if err != nil {
				t.Fatal(err)
			}
			same("Get", got, want)
		}
		for _, n := range []int64{-1, 0, 4} {
			if _, err := s.Policies().Get(t.Context(), n); !errors.Is(err, policy.ErrNoVersion) {
				t.Errorf("Get(%d) = %v, want ErrNoVersion", n, err)
			}
		}
		for limit, numbers := range map[int][]int64{-1: nil, 0: nil, 2: {3, 2}, 9: {3, 2, 1}} {
			list, err := s.Policies().List(t.Context(), limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, v := range list {
				got = append(got, v.Number)
				want := all[v.Number-1]
				want.Lines = nil
				same("List", v, want)
			}
			if !slices.Equal(got, numbers) {
				t.Errorf("List(%d) = %v, want %v", limit, got, numbers)
			}
		}
	})
}
