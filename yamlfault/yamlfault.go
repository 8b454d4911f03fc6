// Package yamlfault says what is wrong with the form of a YAML file, in Chinese, and on which line: the library's own words are English, and
// its lines are often those above the fault.
package yamlfault

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// A Reader hands out a file line by line, so that it knows how far the YAML library got when it gave up: of many
// faults the library tells where the list around them began, or nothing.
type Reader struct {
	rest []byte // not handed out yet
	last []byte // the line being handed out
	part int    // how much of last was handed out
	line int    // number of last
}

// NewReader is of a whole file.
func NewReader(file []byte) *Reader { return &Reader{rest: file} }

func (r *Reader) Read(p []byte) (int, error) {
	if r.part == len(r.last) {
		if len(r.rest) == 0 {
			return 0, io.EOF
		}
		end := bytes.IndexByte(r.rest, '\n') + 1
		if end == 0 {
			end = len(r.rest)
		}
		r.last, r.rest = r.rest[:end], r.rest[end:]
		r.part = 0
		r.line++
	}
	n := copy(p, r.last[r.part:])
	r.part += n
	return n, nil
}

// Where to look for a syntax fault.
type blame int

const (
	reached blame = iota // the line that the library had reached
	began                // where what was left open began
	above                // the same, told by a count from 0
)

// syntaxHints say what to do about the library's complaints, by a piece of each.
var syntaxHints = []struct {
	piece, hint string
	blame       blame
}{
	{"unknown anchor", "不支持 YAML 别名（*名称）；若值以 * 开头，请加双引号", reached},
	{"control characters are not allowed", "文件里有控制字符，请删去", reached},
	{"cannot start any token", "值不能以 @、`、% 或制表符开头，请给整个值加双引号", reached},
	{"mapping values are not allowed", "冒号位置不对：请检查缩进，值里有“: ”时请给整个值加双引号", reached},
	{"could not find expected ':'", "键后面缺少冒号和空格，或多行的值没有缩进", began},
	{"did not find expected ',' or '", "这一行或之前的 [ ] 或 { } 没有成对，或其中缺少逗号；值里有逗号、括号时请加双引号", above},
	{"did not find expected '-' indicator", "缩进没有对齐，或列表项缺少 -", reached},
	{"did not find expected key", "缩进没有对齐，或引号没有成对", reached},
	{"unexpected end of stream", "这一行或之前的引号没有成对", began},
	{"unexpected document indicator", "这一行或之前的引号没有成对", began},
	{"escape", `双引号中有不认识的转义；反斜杠请写成 \\，或改用单引号`, reached},
	{"exceeded max depth", "嵌套过深，请检查括号和缩进", reached},
}

// syntaxPlace finds the line in an error of the YAML library, which tells it in words only.
var syntaxPlace = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// Fault says an error of the YAML library in words of ours: its own are English, and may repeat what the file holds.
func (r *Reader) Fault(err error) (line int, text string) {
	line, hint := r.line, "请检查缩进、冒号后的空格，以及引号和括号是否成对"
	if indent := r.last[:len(r.last)-len(bytes.TrimLeft(r.last, " \t"))]; bytes.IndexByte(indent, '\t') >= 0 {
		return line, "YAML 写法有误：缩进用了制表符（Tab），请改用空格"
	}
	if found := syntaxPlace.FindStringSubmatch(err.Error()); found != nil {
		told, _ := strconv.Atoi(found[1]) // none: the first line
		for _, one := range syntaxHints {
			if !strings.Contains(found[2], one.piece) {
				continue
			}
			hint = one.hint
			switch one.blame {
			case began:
				line = max(told, 1)
			case above:
				line = told + 1
			}
			break
		}
	}
	return line, "YAML 写法有误：" + hint
}
