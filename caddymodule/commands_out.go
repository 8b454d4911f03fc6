package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// outputFile is a file that a command makes: whole, or not at all. It is written under another name beside its place, which nobody may have
// taken, and gets its own when all is there. Mode 0600.
type outputFile struct {
	*os.File
	path string
}

// newOutput begins a file. What is there is never touched.
func newOutput(path string) (*outputFile, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		}
		return nil, fmt.Errorf("不能创建文件：%w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		var fault *fs.PathError
		if errors.As(err, &fault) {
			fault.Path = path // nobody asked for the other name
		}
		return nil, fmt.Errorf("不能创建文件：%w", err)
	}
	return &outputFile{f, path}, nil
}

// drop leaves no file.
func (f *outputFile) drop() {
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// place gives the file its name. When that fails, or somebody took the name meanwhile, there is no file.
func (f *outputFile) place() error {
	defer f.drop()
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("不能写完文件：%w", err)
	}
	err := os.Link(f.Name(), f.path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // a disk without links, such as a USB stick's
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("不能写完文件：%w", err)
	}
	return nil
}

// outFile is where a command writes to: the file that --out names, or standard output.
func outFile(cmd *cobra.Command, write func(w io.Writer) error) error {
	path, _ := cmd.Flags().GetString("out")
	if path == "" {
		return write(cmd.OutOrStdout())
	}
	f, err := newOutput(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.drop()
		return fmt.Errorf("%w（没有写出 %s）", err, path)
	}
	return f.place()
}
