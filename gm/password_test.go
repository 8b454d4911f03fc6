package gm

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
)

// fast keeps tests short: the number of iterations changes nothing but the time.
var fast = PasswordHasher{Iterations: 2}

// goldenPassword is frozen. Again with:
//
//	openssl kdf -keylen 32 -kdfopt digest:SM3 -kdfopt iter:1000 -kdfopt hexsalt:000102030405060708090a0b0c0d0e0f \
//	  -kdfopt pass:'密码 Pässwörd' -binary PBKDF2 | base64
const goldenPassword = "$pbkdf2-sm3$i=1000$AAECAwQFBgcICQoLDA0ODw$YQQ0hYvuyQPxhSrv8PajUubSy2eU8rbWTtNBbCZ4qP4"

func TestPasswordGolden(t *testing.T) {
	t.Parallel()
	encoded, err := PasswordHasher{Iterations: 1000, Random: &counter{}}.Hash("密码 Pässwörd")
	if err != nil || encoded != goldenPassword {
		t.Errorf("encoded %q, error %v, want %q", encoded, err, goldenPassword)
	}
	// The encoding carries the iterations, whatever the hasher's own are.
	if !fast.Verify(goldenPassword, "密码 Pässwörd") {
		t.Error("the right password was refused")
	}
}

func TestPasswordVerify(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 500)
	for _, password := range []string{"", "a", "correct horse", "密码", "nul\x00byte", long} {
		encoded, err := fast.Hash(password)
		if err != nil {
			t.Fatal(err)
		}
		if !fast.Verify(encoded, password) {
			t.Errorf("%.20q was refused", password)
		}
		for _, wrong := range []string{password + "x", "x" + password, password + "\x00x", "", long[:len(long)-3], "Correct horse"} {
			if wrong != password && fast.Verify(encoded, wrong) {
				t.Errorf("%.20q was taken for %.20q", wrong, password)
			}
		}
		again, err := fast.Hash(password)
		if err != nil || again == encoded {
			t.Errorf("hashed twice alike, error %v", err)
		}
	}
}

func TestPasswordDefaultIterations(t *testing.T) {
	t.Parallel()
	encoded, err := PasswordHasher{}.Hash("x")
	if err != nil || !strings.HasPrefix(encoded, "$pbkdf2-sm3$i="+strconv.Itoa(140_000/raceShare)+"$") {
		t.Errorf("encoded %q, error %v", encoded, err)
	}
}

func TestPasswordHashRefusals(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, maxIterations + 1} {
		if _, err := (PasswordHasher{Iterations: n}).Hash("x"); !errors.Is(err, ErrIterations) {
			t.Errorf("%d iterations: error %v, want ErrIterations", n, err)
		}
	}
	_, err := PasswordHasher{Iterations: 1, Random: strings.NewReader("short")}.Hash("geheim")
	if !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "geheim") {
		t.Errorf("error %v, want io.ErrUnexpectedEOF without the password", err)
	}
}

func TestPasswordMalformedIsFalse(t *testing.T) {
	t.Parallel()
	const password = "密码 Pässwörd"
	for name, encoded := range map[string]string{
		"empty":               "",
		"prefix only":         "$pbkdf2-sm3$i=",
		"another scheme":      strings.Replace(goldenPassword, "sm3", "sha256", 1),
		"no iterations":       strings.Replace(goldenPassword, "1000", "", 1),
		"zero iterations":     strings.Replace(goldenPassword, "1000", "0", 1),
		"negative iterations": strings.Replace(goldenPassword, "1000", "-1000", 1),
		"too many iterations": strings.Replace(goldenPassword, "1000", "10000001", 1),
		"overflow":            strings.Replace(goldenPassword, "1000", "99999999999999999999", 1),
		"leading zero":        strings.Replace(goldenPassword, "1000", "01000", 1),
		"plus sign":           strings.Replace(goldenPassword, "1000", "+1000", 1),
		"padding":             goldenPassword + "=",
		"trailing part":       goldenPassword + "$",
		"line break":          goldenPassword + "\n",
		"line break inside":   strings.Replace(goldenPassword, "AAEC", "AA\nEC", 1),
		"blank before":        " " + goldenPassword,
		"salt short":          strings.Replace(goldenPassword, "AAECAwQF", "", 1),
		"hash short":          goldenPassword[:len(goldenPassword)-4],
		"hash missing":        strings.TrimSuffix(goldenPassword, "YQQ0hYvuyQPxhSrv8PajUubSy2eU8rbWTtNBbCZ4qP4"),
		"url alphabet":        strings.Replace(goldenPassword, "YQQ0", "YQ_0", 1),
		"spare bits set":      goldenPassword[:len(goldenPassword)-1] + "5",
	} {
		if fast.Verify(encoded, password) {
			t.Errorf("%s: %q was accepted", name, encoded)
		}
	}
}

func TestPasswordDummy(t *testing.T) {
	t.Parallel()
	for h, want := range map[PasswordHasher]int{
		{}:                DefaultIterations,
		{Iterations: 3}:   3,
		{Iterations: -1}:  DefaultIterations,
		{Iterations: 1e9}: DefaultIterations,
	} {
		iterations, _, _, ok := decodePassword(h.Dummy())
		if !ok || iterations != want {
			t.Errorf("dummy %q: %d iterations, well-formed %v, want %d", h.Dummy(), iterations, ok, want)
		}
	}
	if fast.Verify(fast.Dummy(), "") {
		t.Error("the empty password makes the dummy")
	}
}

func FuzzDecodePassword(f *testing.F) {
	f.Add(goldenPassword)
	f.Add("$pbkdf2-sm3$i=1$$")
	f.Add("$pbkdf2-sm3$i=1000")
	f.Fuzz(func(t *testing.T, encoded string) {
		iterations, salt, hash, ok := decodePassword(encoded)
		if ok && encodePassword(iterations, salt, hash) != encoded {
			t.Fatalf("%q has a second encoding", encoded)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	for b.Loop() {
		if _, err := (PasswordHasher{}).Hash("correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}
