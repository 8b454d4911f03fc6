package protocol

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestCodes(t *testing.T) {
	t.Parallel()
	codes := Codes()
	if !slices.IsSortedFunc(codes, func(a, b *Code) int { return strings.Compare(a.Number, b.Number) }) {
		t.Error("the table is not in order of number")
	}
	seen := map[string]bool{}
	for _, c := range codes {
		if seen[c.Number] || seen[c.Text] {
			t.Errorf("%s %s stands twice", c.Number, c.Text)
		}
		seen[c.Number], seen[c.Text] = true, true
		if len(c.Number) != 5 || strings.Trim(c.Number, "0123456789") != "" || c.Number[0] == '0' {
			t.Errorf("%q is not a number of five digits", c.Number)
		}
		if c.Text == "" || c.Remedy == "" || http.StatusText(c.Status) == "" {
			t.Errorf("%s is not whole: %+v", c.Number, c)
		}
		// domain.md §1: what licences and rights say no to is a business failure.
		if n := c.Number[0]; (n == '3' || n == '4') && c.Status != http.StatusOK {
			t.Errorf("%s: a business failure answers %d", c.Number, c.Status)
		}
	}
	codes[0] = nil
	if Codes()[0] == nil {
		t.Error("a caller can take a row out of the table")
	}
}

// Clients match these substrings (domain.md §1).
func TestTextsThatClientsMatch(t *testing.T) {
	t.Parallel()
	for code, texts := range map[*Code][]string{
		CodeNoAbolish: {"找不到需要废止的电子证照"},
		CodeNoSign:    {"找不到需要签名的电子证照"},
		CodeDuplicate: {"已存在", "存在重复的电子证照"},
		CodeNoGrantee: {"授权对象不存在该电子证照"},
	} {
		for _, text := range texts {
			if !strings.Contains(code.Text, text) {
				t.Errorf("%s lost %q", code.Number, text)
			}
		}
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	f := Fail(CodeMissing, "license_code")
	if got, want := f.Message(), "缺少必选参数：license_code"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	if got := Fail(CodeNoToken, "").Message(); got != CodeNoToken.Text {
		t.Errorf("a text that says what to do: %q", got)
	}
	if got, want := Fail(CodeMissing, "").Message(), "缺少必选参数（补齐说明中列出的参数）"; got != want {
		t.Errorf("message without detail: %q", got)
	}
	if f.HTTPStatus() != http.StatusOK || Fail(CodeNoPath, "").HTTPStatus() != http.StatusNotFound {
		t.Error("the status is not the code's")
	}
	f.Status = http.StatusBadGateway
	if f.HTTPStatus() != http.StatusBadGateway {
		t.Error("the failure's own status is not used")
	}
	if got := f.Error(); got != "protocol: 10002" {
		t.Errorf("the error text is %q", got)
	}
}
