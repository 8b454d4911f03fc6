package yamlfault

import (
	"errors"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestFault: the line on which the fault stands, and no English.
func TestFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		line int
		text string
	}{
		"a: [1, 2\nb: 3\n":       {2, "没有成对"},
		"a: 1\nb: {c: 1\n":       {2, "没有成对"},
		"a:\n\t- 1\n":            {2, "制表符"},
		"a: 1\nb: \"x\n":         {2, "引号没有成对"},
		"a: 1\nb: c: d\n":        {2, "冒号位置不对"},
		"a: 1\nb: @x\n":          {2, "不能以 @"},
		"a: 1\nb: *x\n":          {2, "别名"},
		"a:\n  - 1\n b: 2\nc: 3": {3, "缩进没有对齐"},
	} {
		source := NewReader([]byte(text))
		err := yaml.NewDecoder(source).Decode(new(yaml.Node))
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if line, fault := source.Fault(err); line != want.line || !strings.Contains(fault, want.text) || strings.Contains(fault, "find") {
			t.Errorf("%q: line %d: %s", text, line, fault)
		}
	}
}
