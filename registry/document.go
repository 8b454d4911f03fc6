package registry

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"licgate/yamlfault"
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
	source := yamlfault.NewReader(file)
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

// syntaxFault notes an error of the YAML library.
func syntaxFault(f *faults, source *yamlfault.Reader, err error) {
	line, text := source.Fault(err)
	f.addAt(line, "", text)
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
