package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var about = About{Department: "11110000000021135M", FileType: "PDF"}

func noon() time.Time { return time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC) }

// shelf is a Source with n licences of each item.
type shelf struct {
	n, page int
	refuse  map[string]error // by code or item
	fetched func(e Entry)

	mu    sync.Mutex
	calls map[string]int
}

func code(item string, i int) string { return fmt.Sprintf("%sX%03d", item, i) }

func (s *shelf) List(ctx context.Context, item, after string) (Page, error) {
	if err := s.refuse[item]; err != nil {
		return Page{}, err
	}
	var page Page
	first := 0
	if after == "" {
		page.Total = s.n
	} else if _, err := fmt.Sscanf(after[len(item)+1:], "%d", &first); err != nil {
		return Page{}, err
	} else {
		first++
	}
	for i := first; i < min(s.n, first+s.page); i++ {
		page.Entries = append(page.Entries, Entry{Item: item, Code: code(item, i), IssueDate: "2026-01-31", AuthCode: "auth " + code(item, i)})
	}
	if first+s.page < s.n {
		page.Next = code(item, first+s.page-1)
	}
	return page, ctx.Err()
}

func content(c string) []byte { return []byte("%PDF-1.4 of " + c) }

func (s *shelf) Fetch(ctx context.Context, e Entry) (File, error) {
	if e.AuthCode != "auth "+e.Code {
		return File{}, errors.New("wrong auth code")
	}
	s.mu.Lock()
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	s.calls[e.Code]++
	s.mu.Unlock()
	if s.fetched != nil {
		s.fetched(e)
	}
	if err := ctx.Err(); err != nil {
		return File{}, err
	}
	if err := s.refuse[e.Code]; err != nil {
		return File{}, err
	}
	return File{Data: content(e.Code), ResponseID: "r-" + e.Code}, nil
}

func opened(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := OpenFolder(dir, about, noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, one := range found {
		all = append(all, one.Name())
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The form of the index is frozen: docs/formats.md.
func TestIndexIsFrozen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a")
	f := opened(t, dir)
	if err := f.Put(Entry{Item: "305018201", Code: "11000020260000000A", IssueDate: "2026-01-31"}, File{Data: []byte("%PDF-1.4\n"), ResponseID: "r<1>"}); err != nil {
		t.Fatal(err)
	}
	const want = `{"licgate_archive":1,"department":"11110000000021135M","file_type":"PDF","sensitive":false}
{"license_item_code":"305018201","license_code":"11000020260000000A","issue_date":"2026-01-31","file":"11000020260000000A.pdf","size":9,"sha256":"e5c62df5dab5c87b6a015ef3d43597074d1eec433b15f51aec63b8582d0e4ab4","archived_at":"2026-11-23T12:05:06+08:00","response_id":"r<1>"}
`
	if got := read(t, filepath.Join(dir, indexName)); got != want {
		t.Errorf("%s", got)
	}
	for _, name := range names(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

func TestRunAndResume(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a")
	s := &shelf{n: 30, page: 7}
	f := opened(t, dir)

	// Stopped in the middle: what was fetched is whole and noted.
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	s.fetched = func(e Entry) {
		if e.Code >= code("A", 11) {
			once.Do(cancel)
		}
	}
	job := Job{Source: s, Folder: f, Parallel: 4}
	out, err := job.Run(ctx, []string{"A", "B"})
	if !errors.Is(err, context.Canceled) || len(out) != 1 || out[0].Archived == 0 || out[0].Archived >= 30 {
		t.Fatalf("%+v %v", out, err)
	}
	first := out[0].Archived
	if got := len(f.index.lines); got != first {
		t.Errorf("%d lines, %d archived", got, first)
	}
	noted := make(map[string]bool)
	for c := range f.index.lines {
		noted[c] = true
		if read(t, filepath.Join(dir, c+".pdf")) != string(content(c)) {
			t.Errorf("%s is not whole", c)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	// The rest, and nothing twice.
	s.fetched = nil
	var seen []string
	job = Job{Source: s, Folder: opened(t, dir), Parallel: 4, Progress: func(item string, done, total int) {
		seen = append(seen, fmt.Sprintf("%s %d/%d", item, done, total))
	}}
	out, err = job.Run(t.Context(), []string{"A", "B"})
	if err != nil || len(out) != 2 || out[0].Present != first || out[0].Archived != 30-first || out[1].Archived != 30 || out[1].Total != 30 {
		t.Fatalf("%+v %v", out, err)
	}
	for c := range noted {
		if s.calls[c] != 1 {
			t.Errorf("%s was fetched %d times", c, s.calls[c])
		}
	}
	if len(seen) != 60 || seen[0] != "A 1/30" || seen[59] != "B 30/30" {
		t.Errorf("progress: %v", seen)
	}
	if got := names(t, dir); len(got) != 61 {
		t.Errorf("%d files: %v", len(got), got)
	}
	job.Progress = nil
	if out, err = job.Run(t.Context(), []string{"A"}); err != nil || out[0].Present != 30 || out[0].Archived != 0 {
		t.Errorf("a third time: %+v %v", out, err)
	}
}

// One licence's refusal leaves the others; any other error ends the work, and so does what an item's list says, for the item.
func TestFailures(t *testing.T) {
	t.Parallel()
	s := &shelf{n: 5, page: 10, refuse: map[string]error{
		code("A", 2): &Refusal{Code: "40003", Message: "m", ResponseID: "r"},
		"B":          &Refusal{Code: "30001"},
	}}
	dir := filepath.Join(t.TempDir(), "a")
	job := Job{Source: s, Folder: opened(t, dir), Parallel: 2}
	out, err := job.Run(t.Context(), []string{"A", "B", "C"})
	if err != nil || len(out) != 3 || out[0].Archived != 4 || len(out[0].Failed) != 1 || out[0].Failed[0].Code != code("A", 2) ||
		out[0].Failed[0].Why.Code != "40003" || out[1].Refused == nil || out[1].Refused.Code != "30001" || out[2].Archived != 5 {
		t.Errorf("%+v %v", out, err)
	}
	if slices.Contains(names(t, dir), code("A", 2)+".pdf") {
		t.Error("a file of what was refused")
	}
	lost := errors.New("the session is over")
	s = &shelf{n: 50, page: 10, refuse: map[string]error{code("D", 3): lost}}
	job = Job{Source: s, Folder: job.Folder, Parallel: 2}
	if out, err = job.Run(t.Context(), []string{"D", "E"}); !errors.Is(err, lost) || len(out) != 1 || out[0].Archived == 50 || out[0].Archived < 2 {
		t.Errorf("%+v %v", out, err)
	}
	s = &shelf{refuse: map[string]error{"F": lost}}
	job.Source = s
	if _, err = job.Run(t.Context(), []string{"F"}); !errors.Is(err, lost) {
		t.Error(err)
	}
}

// What is not a file of the type is refused; nothing of it stays.
func TestPutRefuses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a")
	f := opened(t, dir)
	var refusal *Refusal
	for _, data := range []string{"", "<html>", "PK\x03\x04"} {
		if err := f.Put(Entry{Code: "L1"}, File{Data: []byte(data), ResponseID: "r"}); !errors.As(err, &refusal) || refusal.ResponseID != "r" {
			t.Errorf("%q: %v", data, err)
		}
	}
	for _, c := range []string{"", "../L1", "a", "L/1", ".", strings.Repeat("A", 65)} {
		if err := f.Put(Entry{Code: c}, File{Data: content(c)}); err == nil {
			t.Errorf("code %q taken", c)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{indexName}) {
		t.Errorf("%v", got)
	}
}

// A folder that others may write to is not taken, and no link leads out of one.
func TestFoldersOfOthers(t *testing.T) {
	t.Parallel()
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(open, about, noon); !errors.Is(err, ErrForeign) {
		t.Errorf("a folder for everybody: %v", err)
	}
	dir, victim := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "victim")
	put(t, victim, "of somebody else")
	f := opened(t, dir)
	if err := os.Symlink(victim, filepath.Join(dir, aside(f.name("L1")))); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(Entry{Code: "L1"}, File{Data: content("L1")}); err != nil {
		t.Error(err)
	}
	if got := read(t, victim); got != "of somebody else" {
		t.Errorf("through the link: %q", got)
	}
	if info, err := os.Lstat(filepath.Join(dir, f.name("L1"))); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
}

// Each point at which a kill may come leaves a folder that is taken up again.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"before the index": func(t *testing.T, dir string) {
			for _, one := range names(t, dir) {
				_ = os.Remove(filepath.Join(dir, one))
			}
		},
		"while the index is begun": func(t *testing.T, dir string) {
			for _, one := range names(t, dir) {
				_ = os.Remove(filepath.Join(dir, one))
			}
			put(t, filepath.Join(dir, aside(indexName)), `{"licgate_arch`)
		},
		"while a file is written": func(t *testing.T, dir string) { put(t, filepath.Join(dir, aside("L9.pdf")), "%PDF-") },
		"before it is noted":      func(t *testing.T, dir string) { put(t, filepath.Join(dir, "L9.pdf"), "%PDF-") },
		"while it is noted": func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, indexName), read(t, filepath.Join(dir, indexName))+`{"license_it`)
		},
		"a file is lost": func(t *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, "L1.pdf")) },
		"a file is altered": func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "L1.pdf"), strings.ToUpper(string(content("L1"))))
		},
		"while it is zipped": func(t *testing.T, dir string) { put(t, filepath.Join(dir, aside("zip")), "PK") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "a")
			f := opened(t, dir)
			for _, c := range []string{"L1", "L2"} {
				if err := f.Put(Entry{Code: c}, File{Data: content(c)}); err != nil {
					t.Fatal(err)
				}
			}
			_ = f.Close()
			spoil(t, dir)
			f = opened(t, dir)
			for _, c := range []string{"L1", "L2", "L9"} {
				has, err := f.Has(c)
				if err != nil {
					t.Fatal(err)
				}
				if !has {
					if err := f.Put(Entry{Code: c}, File{Data: content(c)}); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = f.Close()
			f = opened(t, dir)
			if got := names(t, dir); !slices.Equal(got, []string{"L1.pdf", "L2.pdf", "L9.pdf", indexName}) {
				t.Errorf("%v", got)
			}
			for _, c := range []string{"L1", "L2", "L9"} {
				if has, err := f.Has(c); !has || err != nil || read(t, filepath.Join(dir, c+".pdf")) != string(content(c)) {
					t.Errorf("%s: %v %v", c, has, err)
				}
			}
		})
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A folder of somebody else is not touched.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	head := `{"licgate_archive":1,"department":"11110000000021135M","file_type":"PDF","sensitive":false}` + "\n"
	for name, one := range map[string]struct {
		index string // "": another file instead
		want  error
	}{
		"something else":     {"", ErrForeign},
		"another department": {strings.Replace(head, "11110000000021135M", "91350100M000100Y43", 1), ErrOther},
		"another type":       {strings.Replace(head, "PDF", "OFD", 1), ErrOther},
		"in clear":           {strings.Replace(head, "false", "true", 1), ErrOther},
		"a later form":       {strings.Replace(head, ":1,", ":2,", 1), ErrOther},
		"another index":      {"{}\n", ErrDamaged},
		"no JSON":            {"code,file\n", ErrDamaged},
		"half a head":        {head[:20], ErrDamaged},
		"a bad line":         {head + "{}\n", ErrDamaged},
		"a way out":          {head + `{"license_code":"../X","sha256":"00"}` + "\n", ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, indexName)
			if one.index == "" {
				file = filepath.Join(dir, "letter.txt")
			}
			put(t, file, one.index)
			if f, err := OpenFolder(dir, about, noon); !errors.Is(err, one.want) || f != nil {
				t.Errorf("%v", err)
			}
			if got := names(t, dir); len(got) != 1 || read(t, file) != one.index {
				t.Errorf("%v", got)
			}
		})
	}
	dir := t.TempDir()
	opened(t, dir)
	if _, err := OpenFolder(dir, about, noon); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	file := filepath.Join(t.TempDir(), "f")
	put(t, file, "x")
	if _, err := OpenFolder(file, about, noon); err == nil || read(t, file) != "x" {
		t.Errorf("a file as folder: %v", err)
	}
	if _, err := OpenFolder(filepath.Join(dir, "no", "parent"), about, noon); err == nil {
		t.Error("a folder without a parent was made")
	}
}

func TestZip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.zip")
	f := opened(t, SpoolOf(path))
	job := Job{Source: &shelf{n: 12, page: 5}, Folder: f, Parallel: 3}
	if _, err := job.Run(t.Context(), []string{"A"}); err != nil {
		t.Fatal(err)
	}
	index := read(t, filepath.Join(SpoolOf(path), indexName))

	// What is not as the index says stops it, and leaves everything.
	lost := filepath.Join(SpoolOf(path), code("A", 3)+".pdf")
	put(t, lost, "%PDF-other")
	if err := f.Zip(path); !errors.Is(err, ErrDamaged) || Vacant(path) != nil || len(names(t, SpoolOf(path))) != 13 {
		t.Errorf("%v %v", err, names(t, SpoolOf(path)))
	}
	put(t, lost, string(content(code("A", 3))))

	if err := f.Zip(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(SpoolOf(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the spool stays: %v", err)
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if len(z.File) != 13 {
		t.Fatalf("%d files", len(z.File))
	}
	for i, one := range z.File {
		r, err := one.Open()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := io.Copy(&b, r); err != nil {
			t.Fatal(err)
		}
		want, name := string(content(code("A", i))), code("A", i)+".pdf"
		if i == 12 {
			want, name = index, indexName
		}
		if one.Name != name || b.String() != want || one.Mode().Perm() != 0o600 {
			t.Errorf("%s %v: %s", one.Name, one.Mode(), b.String())
		}
	}
	// It is not written over.
	before := read(t, path)
	if err := opened(t, SpoolOf(path)).Zip(path); !errors.Is(err, ErrExists) || read(t, path) != before {
		t.Error(err)
	}
}

func FuzzIndex(f *testing.F) {
	head := `{"licgate_archive":1,"department":"11110000000021135M","file_type":"PDF","sensitive":false}` + "\n"
	for _, text := range []string{head, head + `{"license_code":"L1","sha256":"00","size":-1}` + "\n", head + "\n", head + "{", "{}", ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, indexName)
		put(t, path, string(text))
		x, err := openIndex(path, about)
		if err != nil {
			if read(t, path) != string(text) {
				t.Fatal("what was refused was changed")
			}
			return
		}
		defer x.file.Close()
		if !strings.HasPrefix(string(text), read(t, path)) || x.size == 0 {
			t.Fatal("more than half a line was cut")
		}
		for c := range x.lines {
			if !validCode(c) {
				t.Fatalf("code %q", c)
			}
		}
		if err := x.add(indexLine{Code: "N1", SHA256: "00"}); err != nil {
			t.Fatal(err)
		}
		again, err := openIndex(path, about)
		if err != nil || again.lines["N1"].SHA256 != "00" {
			t.Fatalf("%v", err)
		}
		_ = again.file.Close()
	})
}
