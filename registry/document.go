package registry

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A fileKind is a kind of file and what to do about one that is too large or empty.
type fileKind struct {
	what         string
	largest      int    // bytes; beyond, it is refused
	size         string // the same for people
	split, empty string
}

// A platform file may hold some 100,000 catalogue fields, an application form some thousand licences.
var (
	platformFile = fileKind{
		"文件", 16 << 20, "16 MiB", "请按部分（departments、items、…）拆成几个文件分别应用",
		"请至少写一个部分（departments、items、service_items、applications、accounts、administrators、policy）",
	}
	formFile = fileKind{"申请表", 256 << 10, "256 KiB", "请分成几份提交", "请填写单位、业务系统、用证管理需求和对应证照"}
)

// mostMarks is how many marks that begin a value (, : - [ { ?) a file may hold. The YAML library needs some hundred
// bytes of memory for each value, so that size alone is no bound.
const mostMarks = 2_000_000

// document returns the root of the one YAML document of file, or nil with a fault noted.
func document(f *faults, file []byte, kind fileKind) *yaml.Node {
	if len(file) > kind.largest {
		f.addAt(0, "", kind.what+"超过 "+kind.size+"，"+kind.split)
		return nil
	}
	if !utf8.Valid(file) {
		f.addAt(badLine(file), "", "文件不是 UTF-8 编码，请另存为 UTF-8 后重试")
		return nil
	}
	marks := 0
	for _, mark := range []byte(",:-[{?") {
		marks += bytes.Count(file, []byte{mark})
	}
	if marks > mostMarks {
		f.addAt(0, "", kind.what+"里的值过多，"+kind.split)
		return nil
	}
	source := &lineReader{rest: file}
	decoder := yaml.NewDecoder(source)
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		f.addAt(0, "", kind.what+"没有内容，"+kind.empty)
		return nil
	case err != nil:
		syntaxFault(f, source, err)
		return nil
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		syntaxFault(f, source, err)
		return nil
	default:
		f.addAt(second.Line, "", "一个文件只能有一个 YAML 文档，请删去分隔行 --- 及其后的内容，或另存为一个文件")
		return nil
	}
	root := first.Content[0]
	if root.Tag == "!!null" {
		f.addAt(0, "", kind.what+"没有内容，"+kind.empty)
		return nil
	}
	return root
}

// badLine returns the line of the first byte that is not UTF-8.
func badLine(file []byte) int {
	line := 1
	for len(file) > 0 {
		r, size := utf8.DecodeRune(file)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		file = file[size:]
	}
	return line
}

// A lineReader hands out a file line by line, so that it knows how far the YAML library got when it gave up: of many
// faults the library tells where the list around them began, or nothing.
type lineReader struct {
	rest []byte // not handed out yet
	last []byte // the line being handed out
	part int    // how much of last was handed out
	line int    // number of last
}

func (r *lineReader) Read(p []byte) (int, error) {
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

// syntaxFault notes an error of the YAML library in words of ours: its own are English and may repeat what the file holds.
func syntaxFault(f *faults, source *lineReader, err error) {
	line, hint := source.line, "请检查缩进、冒号后的空格，以及引号和括号是否成对"
	if indent := source.last[:len(source.last)-len(bytes.TrimLeft(source.last, " \t"))]; bytes.IndexByte(indent, '\t') >= 0 {
		f.addAt(line, "", "YAML 写法有误：缩进用了制表符（Tab），请改用空格")
		return
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
	f.addAt(line, "", "YAML 写法有误："+hint)
}
