package protocol

import (
	"net/http"
)

// Query reads a raw query, also of a request to a foreign upstream, as strictly as that of our own interfaces.
func Query(raw string) (map[string]string, *Failure) { return parseQuery(raw) }

// Body reads the body of a request to a foreign upstream, at most limit bytes, as strictly as our own: JSON by its type, not
// encoded, one object. It returns the bytes, for the upstream, and the object, whose values are string, json.Number, bool, nil,
// map[string]any and []any. Without a body both are nil.
func Body(r *http.Request, limit int64) ([]byte, map[string]any, *Failure) {
	if len(r.Header.Values("Content-Encoding")) > 0 {
		return nil, nil, Fail(CodeMediaType, "不支持 Content-Encoding，请发送未压缩的请求体")
	}
	raw, f := bodyBytes(r, limit)
	if f != nil || len(raw) == 0 {
		return nil, nil, f
	}
	if f := mediaType(r.Header); f != nil {
		return nil, nil, f
	}
	if r.Header.Get("Content-Type") == "" {
		return nil, nil, Fail(CodeMediaType, "")
	}
	object, f := object(raw)
	return raw, object, f
}

func object(body []byte) (map[string]any, *Failure) {
	r := newReader(body, "", 1, maxTokens(int64(len(body))))
	v, f := r.value(1)
	if f == nil {
		f = r.end()
	}
	if f != nil {
		return nil, f
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, Fail(CodeMalformed, "请求体须为 JSON 对象")
	}
	return object, nil
}
