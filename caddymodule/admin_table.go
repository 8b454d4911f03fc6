package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// maxAdminBody bounds a platform file; maxUnknownBody what somebody whom nobody knows may make us read: a login is short.
const (
	maxAdminBody   = 64 << 20
	maxUnknownBody = 64 << 10
)

// adminRoute is one call of the admin API. The table of them is what is served, what OpenAPI describes, and what the powers are
// laid down in.
type adminRoute struct {
	method, path string // path below /licgate/, with {variables}
	power        power
	summary      string // Chinese, for the description
	unrecorded   bool   // says nothing about anybody: health, the description itself
	// question and answer are zero values of the bodies, for the description. The question of a GET stands in the query.
	question, answer any
	// prepare reads the question, and returns what is to be done and what the record shall say of it.
	prepare func(c *adminCall, body []byte) (act func() (any, error), about string, err error)
}

// A recordable question says what the record shall hold of it: nothing secret, and nobody's number in clear.
type recordable interface{ about(c *adminCall) string }

// on makes a route: Q is what the call is asked with, A what it answers.
func on[Q, A any](method, path string, p power, summary string, serve func(c *adminCall, q Q) (A, error)) *adminRoute {
	route := &adminRoute{method: method, path: path, power: p, summary: summary, question: *new(Q), answer: *new(A)}
	route.prepare = func(c *adminCall, body []byte) (func() (any, error), string, error) {
		var q Q
		if err := decodeQuestion(c.r, body, &q); err != nil {
			return nil, "", err
		}
		about := ""
		if told, ok := any(q).(recordable); ok {
			about = told.about(c)
		}
		return func() (any, error) { return serve(c, q) }, about, nil
	}
	return route
}

// listed is a list as an answer has it: [] when there is nothing, not null.
func listed[T any](found []T, err error) ([]T, error) {
	if found == nil {
		found = []T{}
	}
	return found, err
}

// nothing is the question of calls that ask none.
type nothing struct{}

// without marks a route that is not recorded.
func (r *adminRoute) without() *adminRoute {
	r.unrecorded = true
	return r
}

// answers says what a route answers that decides it at run time.
func (r *adminRoute) answers(v any) *adminRoute {
	r.answer = v
	return r
}

// name is what records call the route: its path without variables.
func (r *adminRoute) name() string {
	var parts []string
	for part := range strings.SplitSeq(r.path, "/") {
		if !strings.HasPrefix(part, "{") {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}

// variables are the names in the path.
func (r *adminRoute) variables() []string {
	var names []string
	for part := range strings.SplitSeq(r.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// match takes the variables out of a path.
func (r *adminRoute) match(path string) (map[string]string, bool) {
	want, have := strings.Split(r.path, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	found := map[string]string{}
	for i, part := range want {
		if name, variable := strings.CutPrefix(part, "{"); variable && have[i] != "" {
			found[strings.TrimSuffix(name, "}")] = have[i]
		} else if part != have[i] {
			return nil, false
		}
	}
	return found, true
}

func findAdminRoute(method, path string) (*adminRoute, map[string]string, error) {
	var allowed []string
	for _, route := range adminRoutes() {
		variables, ok := route.match(path)
		switch {
		case ok && route.method == method:
			return route, variables, nil
		case ok:
			allowed = append(allowed, route.method)
		}
	}
	if allowed != nil {
		return nil, nil, adminError(http.StatusMethodNotAllowed, "请求方法不正确，可用 %s", strings.Join(allowed, "、"))
	}
	return nil, nil, adminError(http.StatusNotFound, "没有这个管理接口：%s %s%s", method, adminRoot, path)
}

func (r *adminRoute) bodyLimit() int64 {
	if r.power == powerNone {
		return maxUnknownBody
	}
	return maxAdminBody
}

func readAdminBody(r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, adminError(http.StatusBadRequest, "请求体没有收全")
	}
	if int64(len(body)) > limit {
		return nil, adminError(http.StatusRequestEntityTooLarge, "请求体超过 %d KiB", limit>>10)
	}
	return body, nil
}

// decodeQuestion reads the query of a GET, else the body, into q. Members that q does not have are refused.
func decodeQuestion(r *http.Request, body []byte, q any) error {
	if r.Method == http.MethodGet {
		return decodeQuery(r.URL.Query(), reflect.ValueOf(q).Elem())
	}
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(q)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("JSON 之后还有内容")
		}
	}
	if err != nil {
		return adminError(http.StatusBadRequest, "请求体不正确：%v", err)
	}
	return nil
}

// decodeQuery fills the fields of a struct from the query by their JSON names: texts, numbers and flags.
func decodeQuery(query url.Values, into reflect.Value) error {
	fields := map[string]reflect.Value{}
	for i := range into.NumField() {
		name, _, _ := strings.Cut(into.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = into.Field(i)
	}
	for name, values := range query {
		field, ok := fields[name]
		if !ok || len(values) != 1 {
			return adminError(http.StatusBadRequest, "不认识或重复的查询参数 %s", name)
		}
		var err error
		switch field.Kind() {
		case reflect.String:
			field.SetString(values[0])
		case reflect.Int, reflect.Int64:
			var n int64
			n, err = strconv.ParseInt(values[0], 10, 64)
			field.SetInt(n)
		case reflect.Bool:
			var yes bool
			yes, err = strconv.ParseBool(values[0])
			field.SetBool(yes)
		}
		if err != nil {
			return adminError(http.StatusBadRequest, "查询参数 %s 的取值不正确", name)
		}
	}
	return nil
}
