package registry

import "testing"

func TestCreditCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"91350100M000100Y43":   true, // the vectors of domain.md §4
		"11110000000021135M":   true,
		"11100000000013338W":   true, // issuer of its GB/T 36904 vector
		"91350100M000100Y44":   false,
		"11110000000021153M":   false, // two digits swapped
		"1111000000002113":     false,
		"11110000000021135m":   false,
		"1111000000O021135M":   false, // letter O
		"11110000000021135M0":  false,
		"":                     false,
		"一一一一一一":               false,
		"11110000000021135M\n": false,
	} {
		if got := validCreditCode(code); got != want {
			t.Errorf("validCreditCode(%q) = %t, want %t", code, got, want)
		}
	}
}

// Each single wrong character and each swap of unequal neighbours must show: that is what the check is for.
func TestCreditCodeFindsSlips(t *testing.T) {
	t.Parallel()
	const code = "91350100M000100Y43"
	for i := range len(code) {
		for _, c := range creditAlphabet {
			if slip := code[:i] + string(c) + code[i+1:]; slip != code && validCreditCode(slip) {
				t.Errorf("%s passes", slip)
			}
		}
		if i > 0 && code[i] != code[i-1] {
			if slip := code[:i-1] + code[i:i+1] + code[i-1:i] + code[i+1:]; validCreditCode(slip) {
				t.Errorf("%s passes", slip)
			}
		}
	}
}

func TestIdentityNumber(t *testing.T) {
	t.Parallel()
	for num, want := range map[string]bool{
		"11010519491231002X":  true, // the vectors of domain.md §4
		"11010119800229123X":  true,
		"110105194912310021":  false,
		"11010519491231002x":  false,
		"110105194912320025":  false, // 32 December, whatever the check digit
		"1101051949123100":    false,
		"11010519491231002XX": false,
		"1101051949123100AX":  false,
		"":                    false,
	} {
		if got := validIdentity(num); got != want {
			t.Errorf("validIdentity(%q) = %t, want %t", num, got, want)
		}
	}
	// A date that is none is refused for itself, not by luck of the check digit.
	const body = "11010519810229123"
	check, ok := identityCheck(body)
	if !ok || validIdentity(body+string(check)) {
		t.Errorf("29 February 1981 passes")
	}
}
