package registry

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// edit is what an administrator's call on one application declares: a copy of the section with one member changed.
func edit(current *Platform, change func(*Application)) *Platform {
	declared := &Platform{Applications: slices.Clone(current.Applications)}
	change(&declared.Applications[0])
	return declared
}

func TestRotate(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	first := plan(t, v, nil, load(t, "contract.yaml"), "a", monday).Next
	before := first.Applications[0]
	if before.SecretTime != "2024-03-01 07:30:00.005" || before.PreviousHash != "" {
		t.Fatalf("made %+v", before)
	}
	const at, until = "2024-03-02 07:30:00.005", "至 2024-03-09 07:30:00（北京时间）"
	week := tuesday.Add(7 * 24 * time.Hour)
	rotated := plan(t, v, first, edit(first, func(a *Application) { a.Rotate("a secret of our own", week) }), "b", tuesday)
	wantLines(t, rotated.Changes, "~ 应用 hydj：secret 已更换", "~ 应用 hydj：轮换前的密钥 （无） → "+until)
	after := rotated.Next.Applications[0]
	if !v.VerifySecret("hydj", after.SecretHash, "a secret of our own") || after.Secret != "" || after.SecretTime != at {
		t.Errorf("rotated to %+v", after)
	}
	if after.PreviousHash != before.SecretHash || !after.PreviousUntil.Equal(week.Truncate(time.Second)) {
		t.Errorf("previous secret %q until %v", after.PreviousHash, after.PreviousUntil)
	}

	// We make the new secret when none is given.
	made := plan(t, v, first, edit(first, func(a *Application) { a.Rotate("", week) }), "b", tuesday)
	if len(made.Generated) != 1 || made.Generated[0].Kind != "app_secret" || !v.VerifySecret("hydj", made.Next.Applications[0].SecretHash, made.Generated[0].Value) {
		t.Errorf("generated %+v", made.Generated)
	}
	if !reflect.DeepEqual(made.Changes, rotated.Changes) || made.Next.Applications[0].PreviousHash != before.SecretHash {
		t.Errorf("changes %v", spoken(made.Changes))
	}

	wednesday := tuesday.Add(24 * time.Hour)
	fortnight := wednesday.Add(14 * 24 * time.Hour)
	for _, test := range []struct {
		name     string
		declared *Platform
		now      time.Time
		want     []string
		previous string // hash that stays good
	}{
		{"nothing is said of it", &Platform{}, wednesday, nil, before.SecretHash},
		{"a file without secrets", load(t, "contract_without_secrets.yaml"), wednesday, nil, before.SecretHash},
		{"a copy", edit(rotated.Next, func(*Application) {}), wednesday, nil, before.SecretHash},
		{
			"another member of a copy", edit(rotated.Next, func(a *Application) { a.Name = "新名" }), wednesday,
			[]string{"~ 应用 hydj：name 婚姻登记系统 → 新名"},
			before.SecretHash,
		},
		{
			"a reset of a copy", edit(rotated.Next, func(a *Application) { a.Secret = "third secret" }), wednesday,
			[]string{"~ 应用 hydj：secret 已更换", "~ 应用 hydj：轮换前的密钥 " + until + " → （无）"},
			"",
		},
		{
			"a file with the first secret", load(t, "contract.yaml"), wednesday,
			[]string{"~ 应用 hydj：secret 已更换", "~ 应用 hydj：轮换前的密钥 " + until + " → （无）"},
			"",
		},
		{
			"rotated again", edit(rotated.Next, func(a *Application) { a.Rotate("third secret", fortnight) }), wednesday,
			[]string{"~ 应用 hydj：secret 已更换", "~ 应用 hydj：轮换前的密钥 " + until + " → 至 2024-03-17 07:30:00（北京时间）"},
			after.SecretHash,
		},
		{
			"rotated again, with the same end", edit(rotated.Next, func(a *Application) { a.Rotate("third secret", week) }), wednesday,
			[]string{"~ 应用 hydj：secret 已更换", "~ 应用 hydj：轮换前的密钥 " + until + " → " + until},
			after.SecretHash,
		},
		{"just before its end", &Platform{}, week.Add(-time.Second), nil, before.SecretHash},
		{"ended", &Platform{}, week, nil, ""},
		{"ended, a copy", edit(rotated.Next, func(*Application) {}), week, nil, ""},
		{
			"ended, reset", edit(rotated.Next, func(a *Application) { a.Secret = "third secret" }), week,
			[]string{"~ 应用 hydj：secret 已更换"},
			"",
		},
	} {
		got := plan(t, v, rotated.Next, test.declared, "c", test.now)
		if lines := spoken(got.Changes); !slices.Equal(lines, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, lines, test.want)
		}
		a := got.Next.Applications[0]
		if a.PreviousHash != test.previous || a.PreviousUntil.IsZero() != (test.previous == "") {
			t.Errorf("%s: previous secret %q until %v, want %q", test.name, a.PreviousHash, a.PreviousUntil, test.previous)
		}
		if (a.SecretTime == at) != (a.SecretHash == after.SecretHash) {
			t.Errorf("%s: time of the secret %s", test.name, a.SecretTime)
		}
	}
	if !reflect.DeepEqual(rotated.Next.Applications[0], after) {
		t.Error("Plan changed what is stored")
	}
}

func TestRotateRefused(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	first := plan(t, v, nil, load(t, "contract.yaml"), "a", monday).Next
	const day = 24 * time.Hour
	for _, test := range []struct {
		name    string
		current *Platform
		secret  string
		until   time.Time
		want    string
	}{
		{"ninety days", first, "", tuesday.Add(90 * day), ""},
		{"more", first, "", tuesday.Add(90*day + 1), "原密钥至多再保留 90 天，请缩短有效期"},
		{"over", first, "", tuesday, "原密钥的有效期已过，请改为以后的时间，或直接重置密钥"},
		{"the same secret", first, "Zk4-vN8s_Qw2.xR7", tuesday.Add(day), "新密钥与现行密钥相同，请换一个，或由系统生成"},
		{"nothing to replace", nil, "a new secret", tuesday.Add(day), "新应用没有可以保留的原密钥，请勿指定原密钥的有效期"},
	} {
		declared := load(t, "contract.yaml")
		declared.Applications[0].Rotate(test.secret, test.until)
		planned, err := Plan(test.current, declared, v, "b", tuesday)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		var problems Problems
		if planned != nil || !errors.As(err, &problems) || err.Error() != "第 10 行 applications[0].previous_secret："+test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

// A rotation that waited for approval cannot be approved twice.
func TestRotateOnce(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	first := plan(t, v, nil, load(t, "contract.yaml"), "a", monday).Next
	waiting := sealed(t, v, edit(first, func(a *Application) { a.Rotate("another secret", tuesday) }), first)
	rotated := plan(t, v, first, waiting, "b", monday).Next
	if planned, err := Plan(rotated, waiting, v, "b", monday); err == nil || !strings.Contains(err.Error(), "与现行密钥相同") {
		t.Errorf("got %v, %v", planned, err)
	}
}

func TestSecretID(t *testing.T) {
	t.Parallel()
	const hash = "hmac-sm3$0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
	id := SecretID(hash)
	if len(id) != 12 || strings.Trim(id, "0123456789abcdef") != "" || strings.Contains(hash, id) {
		t.Errorf("SecretID = %q", id)
	}
	if SecretID(hash) != id || SecretID(hash+"0") == id {
		t.Error("an id is not of its hash")
	}
}
