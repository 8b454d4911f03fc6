package registry

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func readForm(t testing.TB, text string) *ApplicationForm {
	t.Helper()
	f, err := ParseForm([]byte(text))
	if err != nil {
		t.Fatalf("ParseForm: %v\nof:\n%s", err, text)
	}
	return f
}

func onboarding(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", "onboarding.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func demonstration(t testing.TB) *Platform {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", "platform.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return plan(t, newVault(t), nil, parse(t, string(text)), "a", monday).Next
}

func TestParseForm(t *testing.T) {
	t.Parallel()
	got := readForm(t, onboarding(t))
	want := ApplicationForm{
		Number: "2024-0012", Date: "2024-03-01", Unit: "示例区档案馆", UnitCode: "111101050000012346", Superior: "11110000000021135M",
		Division: "朝阳区", DivisionCode: "110105", Contact: "王示例", Phone: "010-00000000", Email: "jieru@example.gov.cn",
		Needs:  []string{"archive", "function_call", "masked_view"},
		System: FormSystem{AppKey: "slda", Name: "示例区档案管理系统", IPAllow: []string{"10.20.0.0/24"}, Rate: Rate{PerSecond: 20}},
		Licences: []FormLicence{{
			Name: "内地居民婚姻登记证", Item: "305018201", Seal: "示例区民政局婚姻登记专用章", ServiceItems: []string{"110103MZ001"},
		}},
	}
	got.file = nil
	if !reflect.DeepEqual(got, &want) {
		t.Errorf("got %q, %q, %q, %q, %v, %+v", got.Unit, got.Superior, got.Contact, got.Phone, got.System, got.Licences) // it does not print
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		for _, printed := range []string{fmt.Sprintf(verb, got), fmt.Sprintf(verb, *got)} {
			if printed != "registry.ApplicationForm(2024-0012)" {
				t.Errorf("%s prints %s", verb, printed)
			}
		}
	}
}

// The form's words and their keys are one.
func TestParseFormWords(t *testing.T) {
	t.Parallel()
	words := []string{"归档", "个人移动端检索", "依职能调用", "脱敏亮证", "网页亮证", "废止", "发证"}
	keys := []string{"archive", "mobile_search", "function_call", "masked_view", "web_view", "abolish", "issue"}
	for i := range words {
		for _, word := range []string{words[i], keys[i]} {
			f := readForm(t, strings.Replace(onboarding(t), "[归档, 依职能调用, 脱敏亮证]", "["+word+"]", 1))
			if !slices.Equal(f.Needs, keys[i:i+1]) {
				t.Errorf("%s is read as %v", word, f.Needs)
			}
		}
	}
	// Every need of a grant can be asked for, but one.
	for _, need := range grantNeeds.words {
		if slices.Contains(keys, need) == (need == "sensitive") {
			t.Errorf("%s can be asked for: %t", need, slices.Contains(keys, need))
		}
	}
	if !slices.Equal(formNeeds.words, keys) || len(formNeeds.names) != len(keys) {
		t.Errorf("needs %v", formNeeds)
	}
}

// Each file of testdata/forms has faults; beside it stand the exact lines that are told. Those that parse are drafted.
func TestFormRefused(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/forms/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	current := demonstration(t)
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := ParseForm(file)
			if err == nil {
				var draft *Platform
				if draft, _, err = f.Draft(current); draft != nil {
					t.Error("a draft beside an error, or none")
				}
			}
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Problems", err)
			}
			for _, personal := range []string{"李四", "1380013", "lisi"} {
				if strings.Contains(err.Error(), personal) {
					t.Errorf("personal data in\n%v", err)
				}
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".txt", problems.Error()+"\n")
		})
	}
}

func TestParseFormTooLarge(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "申请表没有内容，请填写单位、业务系统、用证管理需求和对应证照",
		strings.Repeat("#", 256<<10+1): "申请表超过 256 KiB，请分成几份提交",
	} {
		if f, err := ParseForm([]byte(text)); f != nil || err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzParseForm(f *testing.F) {
	f.Add([]byte(onboarding(f)))
	names, err := filepath.Glob("testdata/forms/*.yaml")
	if err != nil || len(names) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	v, current := newVault(f), demonstration(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		form, err := ParseForm(file)
		if err != nil {
			told(t, err)
			return
		}
		draft, _, err := form.Draft(current)
		if err != nil {
			told(t, err)
			return
		}
		planned, err := Plan(current, draft, v, "a", tuesday)
		if err != nil {
			t.Fatalf("a draft that cannot be planned: %v", err)
		}
		if len(planned.Changes) == 0 {
			t.Fatal("a form that changes nothing")
		}
		if slices.Contains(Classes(planned.Changes, current, planned.Next), ClassAdministrators) {
			t.Fatal("a form that makes administrators")
		}
		for _, a := range planned.Next.Applications {
			for _, g := range a.Grants {
				if slices.Contains(g.Needs, "sensitive") {
					t.Fatal("a form that shows sensitive data")
				}
			}
		}
	})
}
