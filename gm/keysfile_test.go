package gm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKeysFileGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"data-1.keys", "data-1-shredded.keys"} {
		golden := goldenFileOf(t, name)
		f, err := parseKeys(golden)
		if err != nil {
			t.Fatal(err)
		}
		again, err := encodeKeys(f)
		if err != nil || !bytes.Equal(again, golden) {
			t.Errorf("%s is written as, error %v\n%s", name, err, again)
		}
		r := f.records[0]
		if r.ID != "2021222324252627" || r.Department != civil || r.Period != "2026Q1" || r.Generation != 1 || r.KEK != "file:57fef0a2" || !r.Created.Equal(goldenTime) {
			t.Errorf("%s is read as %+v", name, r)
		}
	}
	f, err := parseKeys(goldenFileOf(t, "data-1-shredded.keys"))
	if r := f.records[0]; err != nil || r.Wrapped != nil || !r.Shredded || !r.Destroyed.Equal(goldenTime.Add(time.Second)) || r.Revision != 2 {
		t.Errorf("read as %+v, error %v", r, err)
	}
}

func TestParseKeysRefusals(t *testing.T) {
	t.Parallel()
	golden := string(goldenFileOf(t, "data-1.keys"))
	head, line, _ := strings.Cut(golden, "\n")
	change := func(old, fresh string) string {
		t.Helper()
		if !strings.Contains(golden, old) {
			t.Fatalf("the golden file has no %q", old)
		}
		return strings.Replace(golden, old, fresh, 1)
	}
	for name, content := range map[string]string{
		"nothing":             "",
		"no JSON":             "hello\n",
		"later version":       change(`{"version":1`, `{"version":2`),
		"unknown member":      change(`"period"`, `"x":1,"period"`),
		"unknown in head":     change(`"revision":1}`, `"revision":1,"x":1}`),
		"wrong type":          change(`"generation":1`, `"generation":"1"`),
		"cut":                 golden[:len(golden)-2],
		"no last line break":  golden[:len(golden)-1],
		"blank line":          golden + "\n",
		"blanks":              change(`"generation":1`, `"generation": 1`),
		"another order":       change(`"period":"2026Q1","generation":1`, `"generation":1,"period":"2026Q1"`),
		"twice the same name": change(`"period":"2026Q1"`, `"period":"x","period":"2026Q1"`),
		"name in capitals":    change(`"period"`, `"Period"`),
		"base64 spare bits":   change(`z2B+A=`, `z2B+B=`),
		"null":                change(`"file:57fef0a2"`, `null`),
		"generation 2 alone":  change(`"generation":1`, `"generation":2`),
		"generation 0":        change(`"generation":1`, `"generation":0`),
		"the same twice":      golden + line,
		"no revision":         change(`FwI=","revision":1`, `FwI=","revision":0`),
		"revision to come":    change(`FwI=","revision":1`, `FwI=","revision":2`),
		"negative revision":   change(head, `{"version":1,"revision":-1}`),
		"not sorted":          golden + strings.NewReplacer(civil, "0", "2021222324252627", "2021222324252628").Replace(line),
		"gap":                 golden + strings.NewReplacer(`"generation":1`, `"generation":3`, "2021222324252627", "2021222324252628").Replace(line),
		"no id":               change("2021222324252627", ""),
		"id of a root key":    change("2021222324252627", "57fef0a2"),
		"destroyed with key":  change(`"mac"`, `"destroyed":1772683201123,"mac"`),
		"shredded, not gone":  change(`"mac"`, `"shredded":true,"mac"`),
		"something behind":    golden + "{}",
		"no text":             change(civil, "\xff"),
	} {
		f, err := parseKeys([]byte(content))
		if !errors.Is(err, ErrKeyRecord) {
			t.Errorf("%s: %+v, error %v, want ErrKeyRecord", name, f, err)
		} else if strings.Contains(err.Error(), "AUhJ") || strings.Contains(err.Error(), civil) {
			t.Errorf("%s: the error repeats the content: %v", name, err)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add(goldenFileOf(f, "data-1.keys"))
	f.Add(goldenFileOf(f, "data-1-shredded.keys"))
	f.Add([]byte("{\"version\":1,\"revision\":0}\n"))
	f.Add([]byte("{\"version\":1,\"revision\":9223372036854775807}\n{}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		keys, err := parseKeys(content)
		if err != nil {
			if !errors.Is(err, ErrKeyRecord) {
				t.Fatalf("error %v, want ErrKeyRecord", err)
			}
			return
		}
		if again, err := encodeKeys(keys); err != nil || !bytes.Equal(again, content) {
			t.Fatalf("%q has a second encoding %q, error %v", content, again, err)
		}
	})
}

// FuzzKeyRecord: no two records have one content to sign, unless they are equal.
func FuzzKeyRecord(f *testing.F) {
	f.Add(civil, "2026Q1", "file:57fef0a2", []byte{1}, civil+"2026Q1", "", "file:57fef0a2", []byte{1})
	f.Fuzz(func(t *testing.T, department, period, kek string, wrapped []byte, department2, period2, kek2 string, wrapped2 []byte) {
		a := KeyRecord{Department: department, Period: period, KEK: kek, Wrapped: wrapped}
		b := KeyRecord{Department: department2, Period: period2, KEK: kek2, Wrapped: wrapped2}
		same := department == department2 && period == period2 && kek == kek2 && bytes.Equal(wrapped, wrapped2)
		if bytes.Equal(a.content(), b.content()) != same {
			t.Errorf("%+v and %+v: equal %v, their contents %v", a, b, same, !same)
		}
	})
}

func FuzzParseRoot(f *testing.F) {
	f.Add([]byte(goldenFile))
	f.Add(goldenFileOf(f, "local-2.key"))
	f.Add([]byte(`{"version":1,"id":"","root":""}`))
	f.Add([]byte(goldenFile[:len(goldenFile)-1] + "{}"))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		stored, err := parseRoot(content)
		if err != nil {
			if !errors.Is(err, ErrKeyring) {
				t.Fatalf("error %v, want ErrKeyring", err)
			}
			return
		}
		if stored.Version == 2 {
			return
		}
		k, err := newKeys(stored.Root, &counter{})
		if err != nil || len(k.seal) != 32 || len(k.digests) != len(purposes) {
			t.Fatalf("a keyring without all its keys, error %v", err)
		}
	})
}

func TestFileKeysRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(path string) error
		want  error
	}{
		"group may read": {func(path string) error { return os.Chmod(path, 0o640) }, ErrKeyFileOpen},
		"others may":     {func(path string) error { return os.Chmod(path, 0o602) }, ErrKeyFileOpen},
		"damaged":        {func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) }, ErrKeyRecord},
		"empty":          {func(path string) error { return os.Truncate(path, 0) }, ErrKeyRecord},
		"a folder":       {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, ErrKeyFileKind},
	} {
		dir := folder(t, "data-1.keys", keysFileName)
		if err := c.spoil(filepath.Join(dir, keysFileName)); err != nil {
			t.Fatal(err)
		}
		if s, err := OpenFileKeys(dir); !errors.Is(err, c.want) || s != nil {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFileKeys(filepath.Join(file, "keys")); err == nil {
		t.Error("a store under a file was opened")
	}
}

// What somebody does to the file while the store is open is noticed.
func TestFileKeysChangedOutside(t *testing.T) {
	t.Parallel()
	dir := folder(t, "data-1-shredded.keys", keysFileName)
	s, err := OpenFileKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	path := filepath.Join(dir, keysFileName)
	if records, err := s.Changes(t.Context(), 0); err != nil || len(records) != 1 {
		t.Fatalf("%d records, error %v", len(records), err)
	}
	// An old copy is put back: a destroyed key would be there again.
	if err := replaceKeyFile(osDisk{}, path, goldenFileOf(t, "data-1.keys")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Changes(t.Context(), 0); !errors.Is(err, ErrKeyRecord) {
		t.Errorf("an old copy: error %v, want ErrKeyRecord", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Changes(t.Context(), 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: error %v, want os.ErrNotExist", err)
	}
	if _, err := s.Add(context.Background(), KeyRecord{}, 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: error %v, want os.ErrNotExist: a new one would hide the loss", err)
	}
}
