package caddymodule

import (
	"strings"
	"testing"
)

// Where nobody watches, the bar is a line for each tenth, and begins anew with each label.
func TestProgressBar(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	b := newProgressBar(&out)
	for seen := range int64(101) {
		b.show("甲", seen*3, 300)
	}
	b.show("乙", 0, 0)
	b.end()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 12 || lines[0] != "甲 0%（0/300）" || lines[5] != "甲 50%（150/300）" || lines[10] != "甲 100%（300/300）" || lines[11] != "乙 100%（0/0）" {
		t.Errorf("%q", lines)
	}
}
