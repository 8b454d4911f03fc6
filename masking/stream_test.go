package masking

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestStreamLimits(t *testing.T) {
	t.Parallel()
	const limit = 100 << 10
	long := strings.Repeat("很长", 100<<10)
	for _, test := range []struct {
		name, text string
		large      bool
	}{
		{"an open string", `{"a":"` + long + `"}`, false},
		{"many members", `{"a":[` + strings.Repeat(`"很长",`, 100<<10) + `1]}`, false},
		{"blanks", `[` + strings.Repeat(" ", 500<<10) + `]`, false},
		{"a hidden string", `{"CZR":"` + long + `"}`, true},
		{"a hidden string that does not end", `{"CZR":"` + long, true},
		{"a string that may hold JSON", `{"a":"{` + long + `"}`, true},
		{"a name", `{"` + long + `":1}`, true},
		{"a number", `[` + strings.Repeat("1", 500<<10) + `]`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			s := testPlan().Stream(&out, limit)
			defer s.Release()
			_, err := io.Copy(s, onlyReader{strings.NewReader(test.text)})
			if err == nil {
				err = s.Close()
			}
			if errors.Is(err, ErrTooLarge) != test.large || errors.Is(err, ErrWithheld) != test.large || !test.large && err != nil {
				t.Errorf("%v", err)
			}
			if test.large {
				if out.Len() > 1<<10 {
					t.Errorf("%d bytes left", out.Len())
				}
				if n, again := s.Write([]byte("x")); n != 0 || again != err {
					t.Errorf("writing goes on: %d, %v", n, again)
				}
				if again := s.Close(); again != err {
					t.Errorf("closing: %v", again)
				}
			}
		})
	}
}

// onlyReader hides that a reader can write itself.
type onlyReader struct{ io.Reader }

func TestStreamStreams(t *testing.T) {
	t.Parallel()
	row := `{"CZR":"张三","note":"` + strings.Repeat("公开", 100) + `"},`
	var out bytes.Buffer
	s := testPlan().Stream(&out, 1<<10)
	defer s.Release()
	if _, err := io.WriteString(s, "["); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for range 10_000 {
		if _, err := io.WriteString(s, row); err != nil {
			t.Fatal(err)
		}
		kept = max(kept, cap(s.in)+cap(s.root.out))
	}
	if out.Len() < 4<<20 || kept > 256<<10 {
		t.Errorf("%d bytes have left, %d are kept", out.Len(), kept)
	}
	if _, err := io.WriteString(s, "1]"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil || !jsontext.Value(out.Bytes()).IsValid() || strings.Contains(out.String(), "张三") {
		t.Errorf("%v", err)
	}
}

// TestStreamNeverEndsABadText: whatever has left of a body that turns out bad, it is no JSON text.
func TestStreamNeverEndsABadText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(`"公开",`, 20<<10)
	for name, text := range map[string]string{
		"data behind an array":   "[" + long + `"z"] x`,
		"data behind an object":  `{"a":[` + long + `1]}{`,
		"data behind a string":   `"` + strings.Repeat("公开", 100<<10) + `" "`,
		"a duplicate at the end": `{"a":1,"b":[` + long + `1],"a":2}`,
		"cut off":                "[" + long,
		"cut off in a string":    "[" + long + `"公`,
		"a bad byte late":        "[" + long + "\"\xff\"]",
	} {
		for _, step := range []int{1000, 1 << 20} {
			var out bytes.Buffer
			if err := inPieces(testPlan(), &out, text, step); !errors.Is(err, ErrWithheld) {
				t.Errorf("%s: %v", name, err)
			}
			if jsontext.Value(out.Bytes()).IsValid() {
				t.Errorf("%s: what left is JSON, %d bytes", name, out.Len())
			}
			if step == 1000 && out.Len() < flushAt {
				t.Errorf("%s: only %d bytes left", name, out.Len())
			}
		}
	}
}

// TestStreamWaitsForTheEnd: the end of a text does not leave before it is known that nothing comes behind it.
func TestStreamWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`["` + strings.Repeat("a", 40<<10) + `"]`, `{"a":"` + strings.Repeat("公开", 10<<10) + `"}`, `"` + strings.Repeat("a", 40<<10) + `"`} {
		var out bytes.Buffer
		s := testPlan().Stream(&out, 0)
		if _, err := io.WriteString(s, text); err != nil {
			t.Fatal(err)
		}
		if jsontext.Value(out.Bytes()).IsValid() {
			t.Errorf("%.10s… left before its end was known", text)
		}
		if _, err := io.WriteString(s, "x"); !errors.Is(err, ErrWithheld) || jsontext.Value(out.Bytes()).IsValid() {
			t.Errorf("%.10s… is whole: %v", text, err)
		}
		s.Release()
	}
}

func TestStreamErrorsOfTheWriter(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	s := testPlan().Stream(failingWriter{broken}, 0)
	defer s.Release()
	_, err := io.WriteString(s, `[`+strings.Repeat(`"a",`, flushAt))
	if !errors.Is(err, broken) || errors.Is(err, ErrWithheld) {
		t.Errorf("%v", err)
	}
	if err := s.Close(); !errors.Is(err, broken) {
		t.Errorf("closing: %v", err)
	}
}
