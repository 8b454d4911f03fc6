package licgate

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"licgate/protocol"
)

// pages returns the Markdown files of the repository by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "bin" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// tried finds the rows of the READMEs' table: interface, then method and path, then the command.
var tried = regexp.MustCompile("(?m)^\\| [^|]+ \\| `(\\w+)` `([^`]+)` \\|[^|]*\\| `([^`]+)` \\|$")

func TestReadmesShowEveryInterface(t *testing.T) {
	t.Parallel()
	all := pages(t)
	rows := tried.FindAllStringSubmatch(all["README.md"], -1)
	for i, e := range protocol.Endpoints() {
		want := strings.Join(e.Methods, ", ") + " " + e.Path
		if i >= len(rows) || rows[i][1] != string(e.Interface) || rows[i][2] != want {
			t.Fatalf("README.md: row %d of the table should be %s, %s", i+1, e.Interface, want)
		}
	}
	for i, row := range tried.FindAllStringSubmatch(all["README.zh-CN.md"], -1) {
		if i >= len(rows) || !slices.Equal(row[1:], rows[i][1:]) {
			t.Errorf("README.zh-CN.md: the row of %s is not that of README.md", row[1])
		}
	}
	if n := len(tried.FindAllString(all["README.zh-CN.md"], -1)); n != len(rows) {
		t.Errorf("README.zh-CN.md shows %d interfaces, README.md %d", n, len(rows))
	}
}

var (
	// code finds fenced blocks and code spans.
	code = regexp.MustCompile("(?s)```.*?```|`[^`]+`")
	// called finds a command in them: at the head of a line, after a prompt, or in $(…).
	called = regexp.MustCompile("(?m)(?:^|`|\\$\\(|\\$ )(?:bin/|/usr/local/bin/)?licgate ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?(?:[\\s)`]|$)")
)

func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	children := map[string][]string{"completion": {"bash", "zsh", "fish", "powershell"}} // Cobra's own
	for name, c := range caddycmd.Commands() {
		children[name] = nil
		if c.CobraFunc == nil {
			continue
		}
		command := &cobra.Command{Use: name}
		c.CobraFunc(command)
		if strings.Contains(command.Use, "{") {
			continue // it takes words of its own beside its children
		}
		for _, child := range command.Commands() {
			children[name] = append(children[name], child.Name())
		}
	}
	found := 0
	for path, text := range pages(t) {
		if path == "CHANGELOG.md" {
			continue
		}
		for _, m := range called.FindAllStringSubmatch(strings.Join(code.FindAllString(text, -1), "\n"), -1) {
			found++
			names, known := children[m[1]]
			if !known {
				t.Errorf("%s: there is no command licgate %s", path, m[1])
			}
			if len(names) > 0 && m[2] != "" && !slices.Contains(names, m[2]) {
				t.Errorf("%s: there is no command licgate %s %s", path, m[1], m[2])
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d commands found in the documentation: does the pattern still fit?", found)
	}
}

var linked = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksResolve(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for path, text := range all {
		for _, m := range linked.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := path
			if target != "" {
				file = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(all[file]), anchor) {
				t.Errorf("%s: %s has no heading #%s", path, file, anchor)
			}
		}
	}
}

var (
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// anchors are the headings of a page as addresses: lower case, blanks as dashes, without other marks.
func anchors(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}
