package seal

import (
	"bytes"
	"strconv"
	"strings"
)

// pdfScanner reads the values of a PDF (ISO 32000-1 7.3). It takes values as they stand; what it takes for a value is one for other readers too.
type pdfScanner struct {
	data []byte
	pos  int
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

// space skips blanks and comments.
func (s *pdfScanner) space() {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case isSpace(c):
			s.pos++
		case c == '%':
			for s.pos < len(s.data) && s.data[s.pos] != '\n' && s.data[s.pos] != '\r' {
				s.pos++
			}
		default:
			return
		}
	}
}

// end reports whether nothing follows.
func (s *pdfScanner) end() bool {
	s.space()
	return s.pos == len(s.data)
}

// keyword skips a word if it is next.
func (s *pdfScanner) keyword(word string) bool {
	s.space()
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return false
	}
	next := s.pos + len(word)
	if !isDelimiter(word[len(word)-1]) && next < len(s.data) && !isSpace(s.data[next]) && !isDelimiter(s.data[next]) {
		return false
	}
	s.pos = next
	return true
}

// regular reads to the next blank or delimiter.
func (s *pdfScanner) regular() []byte {
	from := s.pos
	for s.pos < len(s.data) && !isSpace(s.data[s.pos]) && !isDelimiter(s.data[s.pos]) {
		s.pos++
	}
	return s.data[from:s.pos]
}

// integer reads a number without sign.
func (s *pdfScanner) integer() (int, error) {
	s.space()
	n, err := strconv.ParseUint(string(s.regular()), 10, 40)
	if err != nil {
		return 0, pdfErr("without a number at %d", s.pos)
	}
	return int(n), nil
}

// dict reads a dictionary. Two entries of one key are refused: readers do not agree which counts.
func (s *pdfScanner) dict(depth int) (pdfDict, error) {
	if !s.keyword("<<") {
		return nil, pdfErr("without a dictionary at %d", s.pos)
	}
	var d pdfDict
	for !s.keyword(">>") {
		if !s.keyword("/") {
			return nil, pdfErr("with a broken dictionary at %d", s.pos)
		}
		key := string(s.regular())
		if key == "" || d.get(key) != nil || strings.ContainsRune(key, '#') || len(d) == maxKeys {
			return nil, pdfErr("with a key twice, empty or escaped, or too many at %d", s.pos)
		}
		s.space()
		pos := s.pos
		value, err := s.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d = append(d, pdfEntry{key, value, pos})
	}
	return d, nil
}

// value reads any value, and returns it as it stands.
func (s *pdfScanner) value(depth int) ([]byte, error) {
	s.space()
	if depth > maxDepth || s.pos == len(s.data) {
		return nil, pdfErr("with values too deep or cut off at %d", s.pos)
	}
	from := s.pos
	var err error
	switch c := s.data[s.pos]; {
	case bytes.HasPrefix(s.data[s.pos:], []byte("<<")):
		_, err = s.dict(depth)
	case c == '<':
		end := bytes.IndexByte(s.data[s.pos:], '>')
		if end < 0 {
			return nil, pdfErr("with a string that is cut off at %d", s.pos)
		}
		s.pos += end + 1
	case c == '(':
		err = s.literal()
	case c == '[':
		s.pos++
		for !s.keyword("]") {
			if _, err = s.value(depth + 1); err != nil {
				break
			}
		}
	case c == '/':
		s.pos++
		s.regular()
	case isDelimiter(c):
		err = pdfErr("with a value that is none at %d", s.pos)
	default:
		s.regular()
		s.reference(from)
	}
	return s.data[from:s.pos], err
}

// literal skips a string in brackets.
func (s *pdfScanner) literal() error {
	open := 0
	for ; s.pos < len(s.data); s.pos++ {
		switch s.data[s.pos] {
		case '\\':
			s.pos++
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				s.pos++
				return nil
			}
		}
	}
	s.pos = len(s.data)
	return pdfErr("with a string that is cut off")
}

// reference goes on over "0 R" behind the number that began at from, if that is next.
func (s *pdfScanner) reference(from int) {
	ahead := pdfScanner{data: s.data, pos: from}
	if _, err := ahead.integer(); err != nil {
		return
	}
	if _, err := ahead.integer(); err == nil && ahead.keyword("R") {
		s.pos = ahead.pos
	}
}
