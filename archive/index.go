package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// About says what a folder is an archive of. A folder takes one kind of file of one department.
type About struct {
	Department string `json:"department"`
	FileType   string `json:"file_type"` // PDF, OFD
	Sensitive  bool   `json:"sensitive"` // sensitive data were asked for in clear
}

// indexName is the index: a line of JSON that says what the archive is, then one for each file, in the order in which they came. Of several lines
// about a licence the last counts. docs/formats.md has the form, version 1.
const (
	indexName    = "index.jsonl"
	indexVersion = 1
)

type indexHead struct {
	Version int `json:"licgate_archive"`
	About
}

// indexLine is a file of the archive.
type indexLine struct {
	Item       string `json:"license_item_code"`
	Code       string `json:"license_code"`
	IssueDate  string `json:"issue_date"`
	Name       string `json:"file"`
	Size       int64  `json:"size"`
	SHA256     string `json:"sha256"` // hex
	At         string `json:"archived_at"`
	ResponseID string `json:"response_id"`
}

// index is the file, open for appending.
type index struct {
	file  *os.File
	size  int64 // of whole lines
	lines map[string]indexLine
}

// openIndex reads the index and cuts off a line that a crash left unfinished.
func openIndex(path string, about About) (x *index, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	x = &index{file: f, lines: map[string]indexLine{}}
	if err := x.read(about); err != nil {
		return nil, err
	}
	if err := f.Truncate(x.size); err != nil {
		return nil, err
	}
	if _, err := f.Seek(x.size, io.SeekStart); err != nil {
		return nil, err
	}
	return x, nil
}

func (x *index) read(about About) error {
	lines := bufio.NewReader(x.file)
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && n > 1:
			return nil // text is a line that was never finished
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: it has no head", ErrDamaged) // it is written whole
		case err != nil:
			return err
		}
		if n == 1 {
			err = x.readHead(text, about)
		} else {
			err = x.readLine(text)
		}
		if err != nil {
			return fmt.Errorf("%w: line %d of %s", err, n, indexName)
		}
		x.size += int64(len(text))
	}
}

func (x *index) readHead(text []byte, about About) error {
	var head indexHead
	switch {
	case json.Unmarshal(text, &head) != nil || head.Version == 0:
		return ErrDamaged
	case head.Version != indexVersion:
		return fmt.Errorf("%w: version %d", ErrOther, head.Version)
	case head.About != about:
		return ErrOther
	}
	return nil
}

func (x *index) readLine(text []byte) error {
	var line indexLine
	if json.Unmarshal(text, &line) != nil || !validCode(line.Code) || line.SHA256 == "" {
		return ErrDamaged
	}
	x.lines[line.Code] = line
	return nil
}

// add appends a line and syncs it. What a failure left of it is cut off, so that the next line begins anew.
func (x *index) add(line indexLine) error {
	text, err := jsonLine(line)
	if err != nil {
		return err
	}
	if _, err = x.file.Write(text); err == nil {
		err = x.file.Sync()
	}
	if err != nil {
		cut := x.file.Truncate(x.size)
		_, sought := x.file.Seek(x.size, io.SeekStart)
		return errors.Join(err, cut, sought)
	}
	x.size += int64(len(text))
	x.lines[line.Code] = line
	return nil
}

func jsonLine(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// validCode accepts what may be the name of a file: licence codes are made of digits and capitals.
func validCode(code string) bool {
	if code == "" || len(code) > 64 {
		return false
	}
	for _, c := range []byte(code) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
