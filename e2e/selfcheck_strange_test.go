package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A gateway that does what it should not is found out.
func TestSelfcheckOfAStrangeGateway(t *testing.T) {
	t.Parallel()
	g := prepare(t) // only to run the command
	success := func(more string) string {
		return `{"ack_code":"SUCCESS","errors":[],"correlation_id":null,"response_id":"strange-1",` + more + `}`
	}
	// strange answers as a gateway without licences does, but where otherwise has an answer.
	strange := func(t *testing.T, otherwise func(w http.ResponseWriter, r *http.Request, path string) bool) department {
		ended := false
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if otherwise(w, r, r.URL.Path) {
				return
			}
			switch r.URL.Path {
			case "/security/login":
				_, _ = io.WriteString(w, success(`"data":null,"access_token":"opaque"`))
			case "/security/get_current_user":
				if ended || r.Header.Get("Authorization") != "Bearer opaque" {
					_, _ = io.WriteString(w, `{"ack_code":"FAILURE","errors":[{"code":"20002","message":"无效"}],"response_id":"strange-2"}`)
					return
				}
				_, _ = io.WriteString(w, success(`"data":{"account":"zhangbin","role":"user"}`))
			case "/license_item/list", "/license/auth":
				_, _ = io.WriteString(w, success(`"total_count":0,"auth_codes":[],"data":[]`))
			case "/security/logout":
				ended = true
				_, _ = io.WriteString(w, success(`"data":null`))
			case "/healthz":
			default:
				_, _ = io.WriteString(w, `{"ack_code":"FAILURE","errors":[{"code":"40001","message":"找不到"}],"response_id":"strange-3"}`)
			}
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		root := filepath.Join(t.TempDir(), "root.crt")
		write(t, root, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
		return department{g: g.in(t), url: s.URL, ca: root, app: "hydj", account: "zhangbin"}
	}
	put := func(text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	with := func(status int, text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	for _, one := range []struct {
		name, path    string
		answer        func(http.ResponseWriter, *http.Request)
		check, result string
		words         string // in detail or remedy
	}{
		{"as it should be", "", nil, "right", "pass", "0 张"},
		{"any token will do", "/security/get_current_user", put(success(`"data":{"account":"zhangbin","role":"user"}`)), "wrong_token", "fail", "不存在的令牌"},
		{"tokens outlive their session", "/security/logout", put(success(`"data":null`)), "ended", "fail", "仍然有效"},
		{"somebody else's account", "/security/get_current_user", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer opaque" {
				put(`{"ack_code":"FAILURE","errors":[{"code":"20002","message":"x"}]}`)(w, r)
				return
			}
			put(success(`"data":{"account":"somebody"}`))(w, r)
		}, "current_user", "fail", "somebody"},
		{"a licence of nobody", "/license/auth", put(success(`"total_count":1,"auth_codes":["lga1_x"],"data":[{"holder_name":"李大华"}]`)), "right", "fail", "1 张"},
		{"signs what is not there", "/license/" + marriage + "/sign", put(success(`"data":null`)), "right", "fail", "却成功了"},
		{"a page of a proxy", "/security/login", with(502, "<html>"), "login", "fail", "代理"},
		{"a code of its own", "/security/login", put(`{"ack_code":"FAILURE","errors":[{"code":"77777","message":"x\u001b[2Jy"}]}`), "login", "fail", "77777"},
		{"not ready", "/healthz", with(503, ""), "healthz", "fail", "503"},
		{"health not open to departments", "/healthz", with(404, ""), "healthz", "skip", "404"},
		{"another clock", "/healthz", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		}, "clock", "pass", "NTP"},
		{"no clock", "/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }, "clock", "skip", "Date"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			d := strange(t, func(w http.ResponseWriter, r *http.Request, path string) bool {
				if path == one.path {
					one.answer(w, r)
				}
				return path == one.path
			})
			args := []string{"--service-item", service}
			if strings.HasSuffix(one.path, "/sign") {
				args = append(args, "--item", marriage, "--need", "issue")
			}
			exit := 0
			if one.result == "fail" {
				exit = 1
			}
			s := d.checkWith(d.secrets(0o600, "a secret", "a password"), exit, args...)
			l := s.of(t, one.check)
			if l.Result != one.result || !strings.Contains(l.Detail+l.Remedy, one.words) {
				t.Errorf("%+v", l)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		reached, out := make(chan struct{}), make(chan struct{})
		d := strange(t, func(_ http.ResponseWriter, r *http.Request, path string) bool {
			switch path {
			case "/license_item/list":
				close(reached)
				<-r.Context().Done()
				return true
			case "/security/logout":
				close(out)
			}
			return false
		})
		cmd := exec.CommandContext(t.Context(), os.Args[0], d.args("--json", "--secrets-file", d.secrets(0o600, "a secret", "a password"))...)
		var text bytes.Buffer
		cmd.Env, cmd.Dir, cmd.Stdout = d.g.env, d.g.dir, &text
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-reached
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		var s selfchecked
		if err := json.Unmarshal(text.Bytes(), &s); err != nil || cmd.ProcessState.ExitCode() != 1 || s.Passed {
			t.Fatalf("%v: exit %d: %s", err, cmd.ProcessState.ExitCode(), text.String())
		}
		if got := s.results(); !strings.HasSuffix(got, "list=skip right=skip logout=pass ended=skip") {
			t.Error(got)
		}
		select {
		case <-out:
		default:
			t.Error("the session was left open")
		}
	})
	t.Run("steers no terminal", func(t *testing.T) {
		t.Parallel()
		d := strange(t, func(w http.ResponseWriter, r *http.Request, path string) bool {
			if path == "/security/login" {
				put(`{"ack_code":"FAILURE","errors":[{"code":"77777","message":"x\u001b[2Jy\nz"}]}`)(w, r)
			}
			return path == "/security/login"
		})
		out, _, _ := d.g.command(d.args("--secrets-file", d.secrets(0o600, "a secret", "a password"))...)
		if strings.Contains(out, "\x1b") || !strings.Contains(out, "x[2Jyz") {
			t.Errorf("%q", out)
		}
	})
	t.Run("no TLS", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(s.Close)
		d := department{g: g.in(t), url: strings.Replace(s.URL, "http:", "https:", 1), app: "hydj", account: "zhangbin"}
		if l := d.checkWith(d.secrets(0o600, "a", "b"), 1).of(t, "tls"); l.Result != "fail" || !strings.Contains(l.Detail, "不是 TLS 端口") {
			t.Errorf("%+v", l)
		}
	})
	t.Run("no name", func(t *testing.T) {
		t.Parallel()
		d := department{g: g.in(t), url: "https://no..name", app: "hydj", account: "zhangbin"} // no name of DNS: nobody is asked
		if l := d.checkWith(d.secrets(0o600, "a", "b"), 1).of(t, "network"); l.Result != "fail" || !strings.Contains(l.Remedy, "DNS") {
			t.Errorf("%+v", l)
		}
	})
	t.Run("connection cut off", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		}()
		d := department{g: g.in(t), url: "https://" + l.Addr().String(), app: "hydj", account: "zhangbin"}
		if l := d.checkWith(d.secrets(0o600, "a", "b"), 1).of(t, "tls"); l.Result != "fail" || !strings.Contains(l.Detail, "握手失败") {
			t.Errorf("%+v", l)
		}
	})
}
