package licence_test

import (
	"strings"
	"testing"

	"licgate/licence"
)

// checkers are the validators with true values: domain.md §4 and numbers made for the purpose.
var checkers = map[string]struct {
	valid func(string) bool
	good  []string
	bad   []string
}{
	"GB 32100": {
		licence.ValidCreditCode,
		[]string{"91350100M000100Y43", "11110000000021135M"},
		[]string{
			"", "91350100M000100Y44", "91350100m000100Y43", "91350100M000100Y4", "91350100M000100Y430", "9135O100M000100Y43",
			"91350100I000100Y43", "9135010XM000100Y43", "91350100M000100Y4é",
		},
	},
	"GB 11643": {
		licence.ValidIdentityNumber,
		[]string{"11010519491231002X", "11010119800229123X"},
		[]string{
			"", "11010519491231002x", "110105194912310021", "110105491231002", "11010119810229123X", "01010519491231002X", "11010519491331002X",
			"11010517991231002X", "110105*****", "1101051949123100ⅩⅩ",
		},
	},
	"GB 11714": {
		licence.ValidOrganisationCode,
		[]string{"006939684", "000021135", "D2143569X"},
		[]string{"", "006939685", "00693968", "0069396844", "d2143569X", "D2143569x", "00693968-4"},
	},
	"GB/T 36904": {
		licence.ValidCertificateID,
		[]string{
			"1.2.156.3005.2.11100000000013338W001.11110000000021135M.00000000000000000001.001.3",
			"1.2.156.3005.2.11100000000013338W001.11110000000021135M.00000000000000000001.002.1",
		},
		[]string{
			"", "1.2.156.3005.2.11100000000013338W001.11110000000021135M.00000000000000000001.001.4",
			"1.2.156.3005.2.11100000000013338W001.11110000000021135M.00000000000000000001.001",
			"1.2.156.3005.1.11100000000013338W001.11110000000021135M.00000000000000000001.001.3",
			"1.2.156.3005.2.11100000000013338W001.11110000000021135N.00000000000000000001.001.3",
			"1.2.156.3005.2.11100000000013338w001.11110000000021135M.00000000000000000001.001.3",
			"1.2.156.3005.2.11100000000013338W00.11110000000021135M.00000000000000000001.001.3",
			"1.2.156.3005.2.11100000000013338W001.11110000000021135M..001.3",
			"1.2.156.3005.2.11100000000013338W001.11110000000021135M.00000000000000000001.01.3",
			"1.2.156.3005.2.11100000000013338W001.11110000000021135M.00000000000000000001.001.3.3",
		},
	},
}

func TestCheckDigits(t *testing.T) {
	t.Parallel()
	for name, c := range checkers {
		for _, good := range c.good {
			if !c.valid(good) {
				t.Errorf("%s: %s is refused", name, good)
			}
			// Every check digit finds every single wrong character of the same class.
			for i, r := range good {
				for _, wrong := range "0123456789ABCDEFGHJKLMNPQRTUWXY" {
					digit, wrongDigit := r >= '0' && r <= '9', wrong >= '0' && wrong <= '9'
					if spoilt := good[:i] + string(wrong) + good[i+1:]; wrong != r && digit == wrongDigit && c.valid(spoilt) {
						t.Errorf("%s: %s passes for %s", name, spoilt, good)
					}
				}
			}
		}
		for _, bad := range c.bad {
			if c.valid(bad) {
				t.Errorf("%s: %q passes", name, bad)
			}
		}
	}
	for sequence := range 200 {
		if number := identity("310115", "20000229", sequence); !licence.ValidIdentityNumber(number) {
			t.Errorf("%s is refused", number)
		}
	}
}

func TestNumberForms(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"11000020200000HS2P": true, "110000202611111111": true, "11000016D000020": true, "010119432342342": true,
		"": false, "11000020200000HS2p": false, "1100002020000HS2P": false, "A1000020200000HS2P": false, "11000020200000HS2P1": false,
		"11000016d000020": false, "11000020200000HS\x002": false, "１1000016D000020": false,
	} {
		if got := licence.ValidNumber(code); got != want {
			t.Errorf("ValidNumber(%q) = %v", code, got)
		}
	}
	for code, want := range map[string]bool{"110000": true, "110105001001": true, "": false, "11010": false, "1101050": false, "11010A": false} {
		if got := licence.ValidDivision(code); got != want {
			t.Errorf("ValidDivision(%q) = %v", code, got)
		}
	}
}

func TestParseItemCode(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		code string
		want licence.ItemCode
		ok   bool
	}{
		{"305018201", licence.ItemCode{Basic: "305018201"}, true},
		{"006939684110000", licence.ItemCode{Organisation: "006939684", Division: "110000"}, true},
		{"305018201006939684110000", licence.ItemCode{Basic: "305018201", Organisation: "006939684", Division: "110000"}, true},
		{"", licence.ItemCode{}, false},
		{"30501820", licence.ItemCode{}, false},
		{"00693968411000X", licence.ItemCode{}, false},
		{"30501820100693968411000X", licence.ItemCode{}, false},
		{"30501820é", licence.ItemCode{}, false},
		{"../018201", licence.ItemCode{}, false},
		{"d05018201", licence.ItemCode{}, false},
	} {
		if got, ok := licence.ParseItemCode(one.code); ok != one.ok || got != one.want {
			t.Errorf("ParseItemCode(%q) = %+v, %v", one.code, got, ok)
		}
	}
	if c, _ := licence.ParseItemCode("006939684110000"); !licence.ValidOrganisationCode(c.Organisation) {
		t.Error("the standard's own example is refused")
	}
}

// FuzzNumbers: no text breaks a validator, and what passes has the form that it promises.
func FuzzNumbers(f *testing.F) {
	for _, c := range checkers {
		for _, seed := range append(c.good, c.bad...) {
			f.Add(seed)
		}
	}
	f.Add("305018201006939684110000")
	f.Fuzz(func(t *testing.T, s string) {
		const upper = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		for name, c := range checkers {
			if c.valid(s) && strings.Trim(s, upper+".") != "" {
				t.Errorf("%s passes %q", name, s)
			}
		}
		if licence.ValidNumber(s) && (len(s) != 18 && len(s) != 15 || strings.Trim(s, upper) != "") {
			t.Errorf("ValidNumber passes %q", s)
		}
		if c, ok := licence.ParseItemCode(s); ok && c.Basic+c.Organisation+c.Division != s {
			t.Errorf("ParseItemCode(%q) = %+v loses something", s, c)
		}
	})
}
