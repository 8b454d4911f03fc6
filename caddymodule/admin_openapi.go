package caddymodule

import (
	_ "embed"
	"net/http"
)

// openapiText is the OpenAPI description of what adminRoutes serve. A test makes it from the table and its types, and holds it to them.
//
//go:generate go test -run TestOpenAPI . -update
//go:embed openapi.json
var openapiText []byte

func (c *adminCall) openapi(nothing) (any, error) {
	return streamed(func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		_, err := w.Write(openapiText)
		return err
	}), nil
}
