package protocol

import (
	"net/http"
	"slices"
	"strings"
)

const (
	itemCodeMark = "{item_code}"
	// itemCodePlace stands for the item code in the keys of paths: a path that is looked up holds no percent sign.
	itemCodePlace = "%"
)

// paths maps every path and alias to its row.
var paths = func() map[string]*Endpoint {
	m := make(map[string]*Endpoint, 2*len(endpoints))
	for _, e := range endpoints {
		for _, path := range append([]string{e.Path}, e.Aliases...) {
			m[strings.Replace(path, itemCodeMark, itemCodePlace, 1)] = e
		}
	}
	return m
}()

// Route finds the interface that r asks for, and the item code of its path. It refuses ambiguous paths (percent-encoding
// of any kind, "." and ".." segments, "//", trailing slash, backslash, semicolon), unknown paths (CodeNoPath) and other
// methods (CodeMethod; the Endpoint is returned with it). HEAD and OPTIONS are other methods. The query is not looked at.
func Route(r *http.Request) (*Endpoint, string, *Failure) {
	path := r.URL.Path
	if f := ambiguousPath(r); f != nil {
		return nil, "", f
	}
	e, itemCode := paths[path], ""
	if e == nil {
		// All paths with an item code have it as the second of three segments.
		if s := strings.Split(path, "/"); len(s) == 4 && itemCodeShape(s[2]) {
			itemCode = s[2]
			s[2] = itemCodePlace
			e = paths[strings.Join(s, "/")]
		}
	}
	if e == nil {
		return nil, "", Fail(CodeNoPath, "")
	}
	if !slices.Contains(e.Methods, r.Method) {
		return e, itemCode, Fail(CodeMethod, "请使用 "+strings.Join(e.Methods, " 或 "))
	}
	return e, itemCode, nil
}

// ambiguousPath refuses a path that two readers could read differently. Our own paths need no percent-encoding at all,
// so any is refused: what is judged here is byte for byte what a handler or an upstream behind us sees.
func ambiguousPath(r *http.Request) *Failure {
	path := r.URL.Path
	switch {
	case r.URL.Opaque != "":
		return Fail(CodeAmbiguous, "请求地址须以 / 开头")
	case r.URL.RawPath != "" && r.URL.RawPath != path || r.URL.EscapedPath() != path:
		return Fail(CodeAmbiguous, "请求路径中不得出现百分号编码或特殊字符")
	case strings.ContainsAny(path, `\;%`):
		return Fail(CodeAmbiguous, "请求路径中不得出现反斜杠、分号或百分号")
	case strings.Contains(path, "//"):
		return Fail(CodeAmbiguous, "请求路径中不得出现连续斜杠")
	case len(path) > 1 && strings.HasSuffix(path, "/"):
		return Fail(CodeAmbiguous, "请求路径末尾不得有斜杠")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return Fail(CodeAmbiguous, "请求路径中不得出现 . 或 .. 段")
		}
	}
	return nil
}

// itemCodeShape accepts what can be a catalogue code: 9, 15 and 24 characters are in use (domain.md §4). Whether the item
// exists is the catalogue's to say.
func itemCodeShape(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if !isAlphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
