package caddymodule

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// progressBar shows how far a long work is: on a terminal one line that is drawn anew, elsewhere a line for each tenth.
type progressBar struct {
	w     io.Writer
	live  bool
	label string
	tenth int64
}

func newProgressBar(w io.Writer) *progressBar {
	f, ok := w.(*os.File)
	return &progressBar{w: w, live: ok && term.IsTerminal(int(f.Fd()))}
}

// show draws seen of total; another label begins a new line.
func (b *progressBar) show(label string, seen, total int64) {
	percent := int64(100)
	if total > 0 {
		percent = min(100, seen*100/total)
	}
	if label != b.label {
		b.end()
		b.label, b.tenth = label, -1
	}
	if b.live {
		const width = 30
		done := int(percent) * width / 100
		fmt.Fprintf(b.w, "\r%s [%s%s] %3d%%（%d/%d）", label, strings.Repeat("#", done), strings.Repeat("-", width-done), percent, seen, total)
		return
	}
	if percent/10 > b.tenth {
		b.tenth = percent / 10
		fmt.Fprintf(b.w, "%s %d%%（%d/%d）\n", label, percent, seen, total)
	}
}

// verified shows up to which record the journal was verified.
func (b *progressBar) verified(seen, total uint64) {
	b.show("校验审计记录", int64(seen), int64(total))
}

// end finishes the line.
func (b *progressBar) end() {
	if b.live && b.label != "" {
		fmt.Fprintln(b.w)
	}
	b.label = ""
}
