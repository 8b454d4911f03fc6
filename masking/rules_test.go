package masking

import (
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind                Kind
		option, value, want string
	}{
		{IdentityNumber, "6+*", identity18, "110105********"},
		{IdentityNumber, "3+4", identity18, "110********002X"},
		{IdentityNumber, "3+4", "11010519491231002x", "110********002X"},
		{IdentityNumber, "3+4", identity15, "110********1002"},
		{IdentityNumber, "3+4", "110105********", hidden},
		{IdentityNumber, "1+2", identity18, "1********2X"},
		{IdentityNumber, "1+2", identity15, "1********02"},
		{IdentityNumber, "none", identity18, hidden},
		{Name, "none", "张三", hidden},
		{Phone, "3+2", "+8613812345678", "138****78"},
		{Phone, "0+4", "138 1234 5678", "****5678"},
		{Landline, "area", "(010)12345678转9", "010-****"},
		{Landline, "area", "62345678", hidden},
		{Address, "city", "广东省广州市天河区体育西路", "广东省广州市****"},
		{Address, "city", "北京市朝阳区建国路", "北京市****"},
		{Address, "city", "广州市天河区体育西路", "广州市****"},
		{Address, "province", "广东省广州市天河区体育西路", "广东省****"},
		{Address, "province", "中国广东省广州市", "中国广东省****"},
		{Address, "province", "广州市天河区", hidden},
		{Address, "none", "广东省广州市", hidden},
		{BirthDate, "none", "1992-03-04", hidden},
		{BankCard, "none", "6222020200012345678", hidden},
		{Email, "domain", "zhang@example.com", "****@example.com"},
		{Passport, "none", "E12345678", hidden},
		{Photo, "none", "iVBORw0KGgo=", ""},
		{Text, "none", "初婚", hidden},
	} {
		r, err := NewRules(map[Kind]string{test.kind: test.option})
		if err != nil {
			t.Fatal(err)
		}
		got := r.Mask(test.kind, test.value)
		if got != test.want {
			t.Errorf("%s %s: Mask(%q) = %q, want %q", test.kind, test.option, test.value, got, test.want)
		}
		if again := r.Mask(test.kind, got); again != got {
			t.Errorf("%s %s: Mask(%q) = %q", test.kind, test.option, got, again)
		}
		if got := r.Mask("fingerprint", test.value); got != hidden {
			t.Errorf("an unknown kind is shown as %q", got)
		}
	}
}

func TestRulesChosen(t *testing.T) {
	t.Parallel()
	r, err := NewRules(map[Kind]string{IdentityNumber: "6+*", Phone: "0+4"})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Chosen(); len(got) != 1 || got[Phone] != "0+4" {
		t.Errorf("%v", got)
	}
	if r, err := NewRules(nil); err != nil || len(r.Chosen()) != 0 || r.Mask(Name, "张三") != "张**" {
		t.Errorf("no choice: %v", err)
	}
	if (*Rules)(nil).Chosen() != nil {
		t.Error("the defaults are a choice")
	}
	for kind, option := range map[Kind]string{"fingerprint": "none", PublicNumber: "none", IdentityNumber: "4+4", Text: "surname", Name: ""} {
		if _, err := NewRules(map[Kind]string{kind: option}); err == nil || !strings.Contains(err.Error(), string(kind)) {
			t.Errorf("%s %q: %v", kind, option, err)
		}
	}
	for kind := range shapes {
		options := Options(kind)
		if len(options) == 0 || options[len(options)-1] != none {
			t.Errorf("%s can not be hidden whole: %v", kind, options)
		}
	}
	if Options("fingerprint") != nil {
		t.Error("an unknown kind has options")
	}
}

// TestMasksHaveOneLength: what is masked says nothing of how long it was.
func TestMasksHaveOneLength(t *testing.T) {
	t.Parallel()
	for kind, values := range map[Kind][]string{
		IdentityNumber: {identity18, identity15, "110105 19491231 002X"},
		Phone:          {"13812345678", "+86 138-1234-5678"},
		BankCard:       {"6222020200012", "6222020200012345678"},
		Passport:       {"E12345", "ABC123456789", "CHN110000000001"},
		Text:           {"x", strings.Repeat("很长", 1000)},
		Name:           {"张三", "张三丰", "张三丰丰丰"},
		BirthDate:      {"1992-3-4", "1992年03月04日", "1992-03-04 10:00:00"},
		Photo:          {"eA==", strings.Repeat("eA==", 1000)},
	} {
		for _, value := range values {
			if got, want := Mask(kind, value), Mask(kind, values[0]); len(got) != len(want) {
				t.Errorf("%s: %q and %q are of two lengths", kind, got, want)
			}
		}
	}
}
