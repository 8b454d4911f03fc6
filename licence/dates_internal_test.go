package licence

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"2020-5-22": "2020-05-22", "2020-05-22": "2020-05-22", "2020-12-1": "2020-12-01", "2000-2-29": "2000-02-29", "9999-12-31": "9999-12-31",
		"0001-1-1": "0001-01-01",
		"":         "", "2020": "", "2020-5": "", "2020-5-22-1": "", "2020-05-32": "", "2020-0-1": "", "2020-1-0": "", "1900-2-29": "", "0000-1-1": "",
		"20-5-22": "", "02020-5-22": "", "2020-005-22": "", "2020-5-022": "", "2020-+5-22": "", "2020- 5-22": "", "2020-5-22 ": "", "２０２０-5-22": "",
		"2020/5/22": "", "2020-5-2a": "", "-020-5-22": "",
	} {
		got, ok := parseDate(given)
		if got != want || ok != (want != "") {
			t.Errorf("parseDate(%q) = %q, %v; want %q", given, got, ok, want)
		}
	}
}

// FuzzParseDate: a date that is read is a real day, and reads as itself again.
func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"2020-5-22", "2020-05-22", "2024-2-29", "2023-2-29", "0000-00-00", "2020-5-22 10:11:12.123", "长期", "--", "9999-99-99"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseDate(s)
		if !ok {
			if got != "" {
				t.Errorf("parseDate(%q) = %q with false", s, got)
			}
			return
		}
		if _, err := time.Parse(time.DateOnly, got); err != nil {
			t.Errorf("parseDate(%q) = %q: %v", s, got, err)
		}
		if again, ok := parseDate(got); !ok || again != got {
			t.Errorf("parseDate(%q) = %q, %v", got, again, ok)
		}
	})
}

func TestValidity(t *testing.T) {
	t.Parallel()
	for _, one := range []struct{ validity, begin, want string }{
		{"", "2026-03-05", ""},
		{"长期", "2026-03-05", ""},
		{"1年", "2026-03-05", "2027-03-04"},
		{" 20年 ", "2026-01-01", "2045-12-31"},
		{"1年", "2024-02-29", "2025-02-28"},
		{"4年", "2024-02-29", "2028-02-28"},
		{"1个月", "2026-01-31", "2026-02-28"},
		{"1个月", "2026-01-29", "2026-02-28"},
		{"1个月", "2026-01-28", "2026-02-27"},
		{"1个月", "2026-03-01", "2026-03-31"},
		{"18个月", "2026-08-31", "2028-02-29"},
		{"1天", "2026-03-05", "2026-03-05"},
		{"90天", "2026-03-05", "2026-06-02"},
		{"366天", "2024-01-01", "2024-12-31"},
	} {
		p, err := parseValidity(one.validity)
		if err != nil {
			t.Errorf("%s: %v", one.validity, err)
			continue
		}
		if got, err := p.lastDay(one.begin); err != nil || got != one.want {
			t.Errorf("%s from %s ends %q, %v; want %q", one.validity, one.begin, got, err, one.want)
		}
	}
	for _, bad := range []string{"永久", "5", "年", "0年", "-1年", "5.5年", "５年", "5 年", "1年6个月", "123456天", "5月"} {
		if p, err := parseValidity(bad); err == nil {
			t.Errorf("parseValidity(%q) = %+v", bad, p)
		}
	}
	if got, err := (period{years: 9999}).lastDay("2026-03-05"); err == nil {
		t.Errorf("a validity past the year 9999 ends %s", got)
	}
	if got, err := (period{years: 1}).lastDay(""); err == nil {
		t.Errorf("a validity without begin ends %s", got)
	}
}

// FuzzParseValidity: what is read is one unit, and ends no earlier than it begins.
func FuzzParseValidity(f *testing.F) {
	for _, seed := range []string{"", "长期", "5年", "18个月", "90天", "0天", "99999年", "1年1天", "年"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseValidity(s)
		if err != nil || p == (period{}) {
			return
		}
		end, err := p.lastDay("2024-02-29")
		if err == nil && end < "2024-02-29" {
			t.Errorf("%q ends %s", s, end)
		}
	})
}

func TestDateOf(t *testing.T) {
	t.Parallel()
	if got := dateOf(time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)); got != "2027-01-01" {
		t.Errorf("dateOf = %s, want the date in Beijing", got)
	}
	now := time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)
	for division, want := range map[string]string{"110105": "1101052027", "110105001001": "1101052027", "": "0000002027", "11010X": "0000002027"} {
		if got, err := newNumber(rand.Reader, division, now); err != nil || !strings.HasPrefix(got, want) || !ValidNumber(got) {
			t.Errorf("newNumber(%q) = %s, %v; want %s…", division, got, err, want)
		}
	}
}

// Each character must come from seven byte values exactly; 252 to 255 give none.
func TestRandomBase36HasNoBias(t *testing.T) {
	t.Parallel()
	counts := map[byte]int{}
	for value := range 256 {
		block := bytes.Repeat([]byte{byte(value)}, 16)
		got, err := randomBase36(bytes.NewReader(append(block, make([]byte, 16)...)), 8)
		if err != nil {
			t.Fatal(err)
		}
		if value >= 252 {
			if got != "00000000" {
				t.Errorf("byte %d gave %s, want it passed over", value, got)
			}
			continue
		}
		counts[got[0]]++
	}
	for _, c := range []byte(base36) {
		if counts[c] != 7 {
			t.Errorf("%c comes from %d bytes, want 7", c, counts[c])
		}
	}
	if got, err := randomBase36(bytes.NewReader(bytes.Repeat([]byte{255}, 1<<16)), 8); err == nil {
		t.Errorf("a stuck source gave %s", got)
	}
	if got, err := randomBase36(bytes.NewReader(nil), 8); err == nil {
		t.Errorf("an empty source gave %s", got)
	}
}

func TestNormaliseIdentity(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"11010519491231002X":    "11010519491231002X",
		" 11010519491231002x\t": "11010519491231002X",
		"１１０１０５１９４９１２３１００２ｘ": "11010519491231002X",
		"110105491231002":   "11010519491231002X",
		"　110105491231002 ": "11010519491231002X",
		"110105491331002":   "110105491331002", // no such month
		"010105491231002":   "010105491231002", // no such division
		"110105491231996":   "110105491231996", // of the century before
		// As it is typed and copied.
		"110105 19491231 002x":           "11010519491231002X",
		"110105-19491231-002X":           "11010519491231002X",
		"110105–491231–002":              "11010519491231002X",
		"110105\u00a019491231\u3000002X": "11010519491231002X",
		"\ufeff11010519491231002X\u200b": "11010519491231002X",
		"\u202a1101051949\u00ad1231002X": "11010519491231002X",
		"11010519491231002Ⅹ":             "11010519491231002X",
		"11010519491231002ⅹ":             "11010519491231002X",
		"11010519491231002х":             "11010519491231002X", // Cyrillic
		"11010519491231002Χ":             "11010519491231002X", // Greek
		"11010519491231002×":             "11010519491231002X",
		"１１０１０５　４９１２３１　００２":              "11010519491231002X",
		"110105194912310021":             "110105194912310021", // wrong check digit: whose it is, nobody knows
		"110105 19491231 0021":           "110105 19491231 0021",
		"11010519491231002\u200b":        "11010519491231002\u200b",
		"X":                              "X",
		"×":                              "×",
		"E 1234-5678":                    "E 1234-5678",       // no identity number: its blanks may mean something
		"110105 9913 31002":              "110105 9913 31002", // no such month
		"110105*****":                    "110105*****",
		"e12345678":                      "E12345678",
		"11110000000021135m":             "11110000000021135M",
		"":                               "",
		" ":                              "",
	} {
		if got := NormaliseIdentity(given); got != want {
			t.Errorf("NormaliseIdentity(%q) = %q, want %q", given, got, want)
		}
	}
}

// FuzzNormaliseIdentity: a second time changes nothing, else one holder would have two digests.
func FuzzNormaliseIdentity(f *testing.F) {
	for _, seed := range []string{"11010519491231002x", "110105491231002", "110105*****", "　Ｅ１２３ ", "\u0085x", "ß"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := NormaliseIdentity(s)
		if twice := NormaliseIdentity(once); twice != once {
			t.Errorf("%q becomes %q, then %q", s, once, twice)
		}
	})
}

func TestNextVersion(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"1": "2", "9": "10", "": "2", "V1": "2", "-3": "2"} {
		if got := nextVersion(given); got != want {
			t.Errorf("nextVersion(%q) = %q, want %q", given, got, want)
		}
	}
}
