package caddymodule

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encodings are the content encodings that an upstream may be asked for.
var encodings = map[string]func(body *bytes.Reader, limit int64) (io.Reader, error){
	"gzip":    func(body *bytes.Reader, _ int64) (io.Reader, error) { return gzip.NewReader(body) },
	"deflate": func(body *bytes.Reader, _ int64) (io.Reader, error) { return zlib.NewReader(body) },
	"br":      func(body *bytes.Reader, _ int64) (io.Reader, error) { return brotli.NewReader(body), nil },
	"zstd": func(body *bytes.Reader, limit int64) (io.Reader, error) {
		d, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderMaxMemory(uint64(limit)))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	},
}

var errNotDecoded = errors.New("licgate: a body that does not decode")

// decoded returns a body without its encoding, which must end where the body does. One of more than limit bytes is errTooLarge.
func decoded(encoding string, body []byte, limit int64) ([]byte, error) {
	in := bytes.NewReader(body)
	r, err := encodings[encoding](in, limit)
	if err != nil {
		return nil, errNotDecoded
	}
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(r, limit+1))
	switch {
	case n > limit, errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, errTooLarge
	case err != nil, in.Len() > 0:
		return nil, errNotDecoded
	}
	return out.Bytes(), nil
}
