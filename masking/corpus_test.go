package masking

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what leaves of the leaks anew")

// secrets are what no body of testdata/leaks may let leave.
var secrets = []string{"李大华", "大华", "欧阳明月", "明月", "11010119800229123X", "19800229", "11010519491231002X", "１００２Ｘ", "138123", base64.StdEncoding.EncodeToString([]byte("照片李大华"))}

// leakPlan hides as the route of e2e/masking_leaks_test.go does.
func leakPlan(t testing.TB) *Plan {
	t.Helper()
	spec := Spec{
		Fields: []Field{{"CZR", Name}, {"CYRSFZJHM", IdentityNumber}, {"POXM", Name}, {"id_code", PublicNumber}},
		Paths: places(t, "$..ZP", "photo", "$..LXDH", "phone", "$.rows[*].person.id", "identity_number", "$.rows[*].person.phone", "phone",
			"$..xm", "name", "$.remark", "public_number"),
	}
	for _, pair := range [][2]string{{".name", "name"}, {".id", "identity_number"}} {
		selector, err := ParseSelector(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		spec.Selected = append(spec.Selected, Selected{selector, Kind(pair[1])})
	}
	return spec.Plan()
}

// leaks reports the secret that stands in what left, as it is or in escapes; "" for none.
func leaks(left string) string {
	forms := []string{left}
	for range 3 { // escapes within escapes
		var plain string
		last := strings.ReplaceAll(forms[len(forms)-1], `"`, `\"`)
		last = strings.ReplaceAll(strings.ReplaceAll(last, `\\"`, `\"`), "\n", `\n`)
		if json.Unmarshal([]byte(`"`+last+`"`), &plain) != nil {
			break
		}
		forms = append(forms, plain)
	}
	for _, form := range forms {
		for _, secret := range secrets {
			if strings.Contains(form, secret) {
				return secret
			}
		}
	}
	return ""
}

func TestLeaks(t *testing.T) {
	t.Parallel()
	bodies, err := filepath.Glob("testdata/leaks/*.[jh]*[nl]")
	if err != nil || len(bodies) < 40 {
		t.Fatalf("%d bodies, %v", len(bodies), err)
	}
	p := leakPlan(t)
	for _, file := range bodies {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if filepath.Ext(file) == ".html" {
				err = p.HTML(&out, body)
			} else {
				err = p.JSON(&out, bytes.NewReader(body))
				for _, step := range []int{1, 2, 3, 7, 64} {
					var pieces bytes.Buffer
					if again := inPieces(p, &pieces, string(body), step); (again == nil) != (err == nil) || err == nil && pieces.String() != out.String() {
						t.Errorf("in pieces of %d: %v, %s", step, again, pieces.String())
					}
					if secret := leaks(pieces.String()); secret != "" {
						t.Errorf("in pieces of %d %s leaves: %s", step, secret, pieces.String())
					}
				}
			}
			if secret := leaks(out.String()); secret != "" {
				t.Errorf("%s leaves: %s", secret, out.String())
			}
			got := strings.ReplaceAll(out.String(), placeholder(), "PLACEHOLDER")
			if err != nil {
				if !errors.Is(err, ErrWithheld) || leaks(err.Error()) != "" {
					t.Errorf("%v", err)
				}
				got = "withheld: " + err.Error()
			}
			if *update {
				if err := os.WriteFile(file+".want", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file + ".want")
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
