package caddymodule

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestOutputIsWholeOrNot: until all is written there is no file of that name, after a failure there is none at all, and what is there stays.
func TestOutputIsWholeOrNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "out.jsonl")
	cmd := &cobra.Command{}
	cmd.Flags().String("out", path, "")
	left := func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	broken := errors.New("中断")
	if err := outFile(cmd, func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, broken)
	}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "没有写出 "+path) {
		t.Errorf("%v", err)
	}
	if names := left(); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
	if err := outFile(cmd, func(w io.Writer) error {
		if _, err := os.Lstat(path); err == nil {
			t.Error("the file is there before it is whole")
		}
		_, err := io.WriteString(w, "whole")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 5 {
		t.Errorf("%v, %v", info, err)
	}
	asked := false
	if err := outFile(cmd, func(io.Writer) error { asked = true; return nil }); err == nil || asked || withoutSystemWords(err) != "不能创建文件："+path+"：文件已存在，请换一个文件名或先移走它" {
		t.Errorf("asked %v, %v", asked, err)
	}
	// Somebody takes the name meanwhile: his file stays.
	f, err := newOutput(filepath.Join(dir, "late"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "late"), []byte("his"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.place(); err == nil || strings.Contains(withoutSystemWords(err), "exists") {
		t.Errorf("%v", err)
	}
	if names := left(); len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
	if _, err := newOutput(filepath.Join(dir, "none", "x")); err == nil || strings.Contains(withoutSystemWords(err), "no such file") {
		t.Errorf("%v", err)
	}
}
