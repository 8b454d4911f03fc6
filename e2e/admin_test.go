package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
)

// admin sends a raw request to the admin socket.
func (g *gateway) admin(method, path string) string {
	g.t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(g.dir, "data", "admin.sock"))
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequest(method, "http://127.0.0.1"+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}
