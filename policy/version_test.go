package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"
)

func sealedPair() (first, second Version) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 8*3600))
	first = Seal(Version{}, Version{At: at, By: "sec", Why: "开通", Lines: []string{"g3, D, E", anyLine}, Changes: []byte(`[]`)}, sha256.Sum256)
	second = Seal(first, Version{At: at.Add(time.Hour), By: "sec", Lines: []string{anyLine}}, sha256.Sum256)
	return first, second
}

// TestCanonicalGolden: sealed versions stay verifiable only as long as these bytes stay.
func TestCanonicalGolden(t *testing.T) {
	t.Parallel()
	v := Version{
		Number: 2, At: time.UnixMicro(1772600767123456), By: "sec", Why: "开通", Parent: "ab",
		Hash: "not covered", Lines: []string{"g3, D, E", ""}, Changes: []byte("[]"),
		Platform: []byte("{}\n"),
	}
	const want = "6c696367617465" + "20" + "706f6c696379" + "20" + "76657273696f6e" + "20" + "7631" + "0a" + // licgate policy version v1\n
		"0000000000000002" + "00064c2bc70d9000" +
		"0000000000000003" + "736563" +
		"0000000000000006" + "e5bc80e9809a" +
		"0000000000000002" + "6162" +
		"0000000000000002" + "0000000000000008" + "67332c20442c2045" + "0000000000000000" +
		"0000000000000002" + "5b5d" +
		"0000000000000003" + "7b7d0a"
	if got := hex.EncodeToString(canonical(v)); got != want {
		t.Errorf("canonical form is now\n%s, was\n%s", got, want)
	}
}

// TestCanonicalGoldenApproved: a version that somebody approved has the form v2.
func TestCanonicalGoldenApproved(t *testing.T) {
	t.Parallel()
	v := Version{
		Number: 3, At: time.UnixMicro(1772600767123457), By: "sec", ApprovedBy: "sec2", Why: "开通", Parent: "cd",
		Hash: "not covered", Lines: []string{"g3, D, E"}, Changes: []byte("[]"), Platform: []byte("{}\n"),
	}
	const want = "6c696367617465" + "20" + "706f6c696379" + "20" + "76657273696f6e" + "20" + "7632" + "0a" + // licgate policy version v2\n
		"0000000000000003" + "00064c2bc70d9001" +
		"0000000000000003" + "736563" +
		"0000000000000006" + "e5bc80e9809a" +
		"0000000000000002" + "6364" +
		"0000000000000001" + "0000000000000008" + "67332c20442c2045" +
		"0000000000000002" + "5b5d" +
		"0000000000000003" + "7b7d0a" +
		"0000000000000004" + "73656332"
	if got := hex.EncodeToString(canonical(v)); got != want {
		t.Errorf("canonical form is now\n%s, was\n%s", got, want)
	}
}

// TestApprovalIsSealed: nobody can put in, take out or exchange who approved.
func TestApprovalIsSealed(t *testing.T) {
	t.Parallel()
	first, second := sealedPair()
	second.ApprovedBy = "sec2"
	second = Seal(first, second, sha256.Sum256)
	form, err := json.Marshal(second)
	if err != nil {
		t.Fatal(err)
	}
	var back Version
	if err := json.Unmarshal(form, &back); err != nil || back.ApprovedBy != "sec2" {
		t.Fatalf("%s: %v", form, err)
	}
	if err := Verify(back, first, sha256.Sum256); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "sec", "sec2 "} {
		back.ApprovedBy = name
		if err := Verify(back, first, sha256.Sum256); !errors.Is(err, ErrBrokenChain) {
			t.Errorf("approved by %q: %v", name, err)
		}
	}
	first.ApprovedBy = "sec2"
	if err := Verify(first, Version{}, sha256.Sum256); !errors.Is(err, ErrBrokenChain) {
		t.Errorf("an approval was put in: %v", err)
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	first, second := sealedPair()
	if first.Number != 1 || first.Parent != "" || second.Number != 2 || second.Parent != first.Hash {
		t.Errorf("not a chain: %+v, %+v", first, second)
	}
	if want := time.Date(2026, 3, 3, 21, 6, 7, 123456000, time.UTC); first.At != want {
		t.Errorf("at %v, want %v", first.At, want)
	}
	if err := Verify(first, Version{}, sha256.Sum256); err != nil {
		t.Error(err)
	}
	if err := Verify(second, first, sha256.Sum256); err != nil {
		t.Error(err)
	}
	// As JSON, which says times in another zone and no Changes at all, it is the same version.
	form, err := json.Marshal(second)
	if err != nil {
		t.Fatal(err)
	}
	var back Version
	if err := json.Unmarshal(form, &back); err != nil {
		t.Fatal(err)
	}
	back.At, back.Changes = back.At.In(time.FixedZone("", 8*3600)), []byte{}
	if err := Verify(back, first, sha256.Sum256); err != nil {
		t.Error(err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	first, second := sealedPair()
	for name, change := range map[string]func(v, parent *Version){
		"number":         func(v, _ *Version) { v.Number++ },
		"number, both":   func(v, parent *Version) { v.Number++; parent.Number++ },
		"time":           func(v, _ *Version) { v.At = v.At.Add(time.Microsecond) },
		"who":            func(v, _ *Version) { v.By = "other" },
		"why":            func(v, _ *Version) { v.Why = "x" },
		"by moved":       func(v, _ *Version) { v.By, v.Why = "se", "c" },
		"parent":         func(v, _ *Version) { v.Parent = "00" },
		"parent, both":   func(v, parent *Version) { v.Parent, parent.Hash = "00", "00" },
		"hash":           func(v, _ *Version) { v.Hash = "00" },
		"no hash":        func(v, _ *Version) { v.Hash = "" },
		"line changed":   func(v, _ *Version) { v.Lines = []string{anyLine + " "} },
		"line added":     func(v, _ *Version) { v.Lines = append(slices.Clone(v.Lines), "") },
		"no lines":       func(v, _ *Version) { v.Lines = nil },
		"changes":        func(v, _ *Version) { v.Changes = []byte("[]") },
		"platform":       func(v, _ *Version) { v.Platform = []byte("items: []") },
		"another parent": func(_, parent *Version) { *parent = Version{Number: 1} },
		"no parent":      func(_, parent *Version) { *parent = Version{} },
		"zero version":   func(v, parent *Version) { *v = Version{}; *parent = Version{Number: -1} },
	} {
		v, parent := second, first
		change(&v, &parent)
		if err := Verify(v, parent, sha256.Sum256); !errors.Is(err, ErrBrokenChain) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
