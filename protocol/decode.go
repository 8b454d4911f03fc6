package protocol

import (
	"bytes"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// Decode reads and checks r for endpoint: query and body, flat or wrapped in "data", every shape of domain.md §2. Missing and
// malformed members, members that stand twice with different values, duplicate keys, invalid UTF-8, trailing data,
// nesting beyond 32 and over-long bodies are Failures whose Detail names the member. The body is consumed.
//
// A member that is null or blank counts as not given. Members that the endpoint's lists do not name are checked as JSON
// and otherwise ignored. With a Failure the Call holds the Endpoint, the item code and, when it could be read, the
// RequestID: enough for the answer, never to be acted on. The page interfaces need license_access_token still in the
// query: call StripSecrets afterwards.
func Decode(r *http.Request, e *Endpoint, itemCode string, l Limits) (*Call, *Failure) {
	c := &Call{Endpoint: e, ItemCode: itemCode}
	query, f := parseQuery(r.URL.RawQuery)
	if f != nil {
		return c, f
	}
	g := gathered{endpoint: e}
	for name, text := range query {
		g.add(fromQuery, name, text)
	}
	f = g.readBody(r, l)
	// The request id is read even from a request that goes no further: its answer should carry it.
	if _, idFault := g.fill(&c.Params, requestID); f == nil {
		f = idFault
	}
	if f != nil {
		return c, f
	}
	p := Params{RequestID: c.RequestID}
	if f := g.fillAll(&p); f != nil {
		return c, f
	}
	c.Params = p
	return c, nil
}

// source is one of the places where a member may stand.
type source int

const (
	fromQuery source = iota
	fromBody         // beside data
	fromData
	sources
)

const requestID = "request_id"

// gathered holds the members of one request as they stand, by place.
type gathered struct {
	endpoint *Endpoint
	places   [sources]map[string]any
}

func (g *gathered) wants(name string) bool {
	return name == requestID || g.endpoint.names(name)
}

func (g *gathered) add(s source, name string, v any) {
	if !g.wants(name) {
		return
	}
	if g.places[s] == nil {
		g.places[s] = map[string]any{}
	}
	g.places[s][name] = v
}

// readBody gathers the members of the body. A GET has none.
func (g *gathered) readBody(r *http.Request, l Limits) *Failure {
	limit := l.Body
	if g.endpoint.Batch {
		limit = l.Batch
	}
	if len(r.Header.Values("Content-Encoding")) > 0 {
		return Fail(CodeMediaType, "不支持 Content-Encoding，请发送未压缩的请求体")
	}
	body, f := bodyBytes(r, limit)
	if f != nil || len(body) == 0 {
		return f
	}
	if r.Method != http.MethodPost {
		return Fail(CodeAmbiguous, "GET 请求不得带请求体，请使用查询参数")
	}
	if f := mediaType(r.Header); f != nil {
		return f
	}
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		return Fail(CodeMalformed, "请去掉开头的 BOM")
	}
	return g.readObject(newReader(body, "", 1, maxTokens(limit)))
}

// bodyBytes reads the whole body, at most limit bytes.
func bodyBytes(r *http.Request, limit int64) ([]byte, *Failure) {
	if r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, Fail(CodeTooLarge, "")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	var tooLarge *http.MaxBytesError // a limit set before us
	switch {
	case errors.As(err, &tooLarge), int64(len(body)) > limit:
		return nil, Fail(CodeTooLarge, "")
	case err != nil:
		return nil, Fail(CodeMalformed, "请求体未能完整接收")
	}
	return body, nil
}

// mediaType accepts application/json, in UTF-8 when it says so, and a body without a type.
func mediaType(h http.Header) *Failure {
	values := h.Values("Content-Type")
	if len(values) == 0 {
		return nil
	}
	if len(values) > 1 {
		return Fail(CodeMediaType, "Content-Type 请求头重复出现")
	}
	t, parameters, err := mime.ParseMediaType(values[0])
	if err != nil || t != "application/json" {
		return Fail(CodeMediaType, "")
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return Fail(CodeMediaType, "字符集须为 UTF-8")
	}
	return nil
}

// readObject reads the body's object and, in it, that of data. Values that nobody asks for are checked, not kept.
func (g *gathered) readObject(r *reader) *Failure {
	t, f := r.token()
	if f != nil {
		return f
	}
	if t.Kind() != '{' {
		return Fail(CodeMalformed, "请求体须为 JSON 对象")
	}
	f = r.members(1, func(name string) *Failure {
		if name == "data" {
			return g.readData(r)
		}
		return g.readMember(r, fromBody, name, 2)
	})
	if f != nil {
		return f
	}
	return r.end()
}

func (g *gathered) readData(r *reader) *Failure {
	switch r.decoder.PeekKind() {
	case '{':
		if _, f := r.token(); f != nil {
			return f
		}
		return r.members(2, func(name string) *Failure { return g.readMember(r, fromData, name, 3) })
	case 'n':
		return r.skip(2)
	}
	// The rest of the body is not looked at: whatever it holds, the answer is no.
	if _, f := r.token(); f != nil {
		return f
	}
	return Fail(CodeParameter, "data 须为 JSON 对象")
}

func (g *gathered) readMember(r *reader, s source, name string, level int) *Failure {
	if !g.wants(name) {
		return r.skip(level)
	}
	v, f := r.value(level)
	if f != nil {
		return f
	}
	g.add(s, name, v)
	return nil
}

// fillAll checks every member that the endpoint names and puts it in its place.
func (g *gathered) fillAll(p *Params) *Failure {
	e := g.endpoint
	p.defaults(e)
	var missing []string
	for i, name := range slices.Concat(e.Required, e.Optional) {
		given, f := g.fill(p, name)
		if f != nil {
			return f
		}
		if !given && i < len(e.Required) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return Fail(CodeMissing, strings.Join(missing, "、"))
	}
	if int64(p.PageIndex)*int64(p.PageSize) > math.MaxInt32 {
		return Fail(CodeParameter, "page_index 过大")
	}
	return nil
}

// fill reads a member at every place where it stands. All must say the same, so that whoever else reads the
// request, in whatever order, reads what was judged here.
func (g *gathered) fill(p *Params, name string) (given bool, f *Failure) {
	m := g.endpoint.member(name)
	var first any
	seen := false
	for s := range sources {
		raw, stands := g.places[s][name]
		if !stands {
			continue
		}
		if m.secret && s == fromQuery {
			return false, Fail(CodeParameter, name+" 须放在请求体中，不得出现在请求地址里")
		}
		v, f := m.read(name, raw, s == fromQuery)
		if f != nil {
			return false, f
		}
		if seen && !reflect.DeepEqual(first, v) {
			return false, Fail(CodeConflict, name)
		}
		first, seen = v, true
	}
	if first == nil {
		return false, nil
	}
	m.put(p, first)
	return true, nil
}

// names reports whether the endpoint reads a member.
func (e *Endpoint) names(member string) bool {
	return slices.Contains(e.Required, member) || slices.Contains(e.Optional, member)
}

// defaults fills in what the standard's tables say of absent members.
func (p *Params) defaults(e *Endpoint) {
	switch {
	case e.names("page_index"):
		p.PageIndex, p.PageSize = 1, 10
	case e.names("page_size"):
		p.PageSize = 100
	}
	if e.names("file_type") {
		p.FileType = "PDF"
	}
}
