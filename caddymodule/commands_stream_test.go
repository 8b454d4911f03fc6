package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestLinesFrom: a stream is whole when its end says so; anything else is refused, whatever came of it.
func TestLinesFrom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lines, fault string
		cut          bool
		want         string // "": whole
	}{
		"whole":           {lines: "2"},
		"no end":          {want: "没有收到结尾"},
		"lines lost":      {lines: "3", want: "没有收到结尾"},
		"broken":          {fault: faultBroken, want: "网关中途出错"},
		"damaged":         {fault: faultDamaged, lines: "2", want: "审计记录有损坏"},
		"a fault of late": {fault: "whatever", lines: "2", want: "whatever"},
		"cut":             {cut: true, want: "传输中断"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", auditFault+", "+auditLines)
				_, _ = io.WriteString(w, "{}\n{}\n")
				if test.cut {
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				}
				if test.lines != "" {
					w.Header().Set(auditLines, test.lines)
				}
				if test.fault != "" {
					w.Header().Set(auditFault, test.fault)
				}
			}))
			t.Cleanup(server.Close)
			cmd := &cobra.Command{}
			gatewayFlags(cmd)
			if err := cmd.Flags().Set("address", server.Listener.Addr().String()); err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			_, err := linesFrom(cmd, http.MethodGet, "audit/records", nil, &got)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), "输出不完整") || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %q", err, test.want)
			}
			if !test.cut && got.String() != "{}\n{}\n" {
				t.Errorf("%q", got.String())
			}
		})
	}
}
