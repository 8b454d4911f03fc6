package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// selfchecked is what licgate selfcheck --json prints.
type selfchecked struct {
	Passed bool
	Checks []selfcheckLine
}

type selfcheckLine struct {
	Check, Name, Result, Detail, Remedy, Code string
	ResponseID                                string `json:"response_id"`
}

// of returns the first line of a check.
func (s selfchecked) of(t *testing.T, check string) selfcheckLine {
	t.Helper()
	i := slices.IndexFunc(s.Checks, func(l selfcheckLine) bool { return l.Check == check })
	if i < 0 {
		t.Fatalf("no check %s in %+v", check, s.Checks)
	}
	return s.Checks[i]
}

// named returns the line of a name.
func (s selfchecked) named(t *testing.T, name string) selfcheckLine {
	t.Helper()
	i := slices.IndexFunc(s.Checks, func(l selfcheckLine) bool { return l.Name == name })
	if i < 0 {
		t.Fatalf("no check named %s in %+v", name, s.Checks)
	}
	return s.Checks[i]
}

// results are check=result, in order.
func (s selfchecked) results() string {
	var out []string
	for _, l := range s.Checks {
		out = append(out, l.Check+"="+l.Result)
	}
	return strings.Join(out, " ")
}

// department is a machine that was given credentials.
type department struct {
	g            *gateway
	url, ca      string
	app, account string
}

func (g *gateway) department(app, account string) department {
	return department{g: g, url: "https://localhost:" + g.port, ca: filepath.Join(g.dir, "data", "root.crt"), app: app, account: account}
}

// in is the department for a subtest.
func (d department) in(t *testing.T) department {
	d.g = d.g.in(t)
	return d
}

// args are those of a self-check.
func (d department) args(more ...string) []string {
	args := []string{"selfcheck", "--url", d.url, "--app-key", d.app, "--account", d.account}
	if d.ca != "" {
		args = append(args, "--ca", d.ca)
	}
	return append(args, more...)
}

// secrets writes a secrets file as apply does.
func (d department) secrets(mode os.FileMode, appSecret, password string) string {
	d.g.t.Helper()
	text, err := json.Marshal([]map[string]string{
		{"kind": "app_secret", "key": d.app, "value": appSecret}, {"kind": "password", "key": d.account, "value": password},
	})
	if err != nil {
		d.g.t.Fatal(err)
	}
	file := filepath.Join(d.g.t.TempDir(), "secrets.json")
	write(d.g.t, file, string(text))
	if err := os.Chmod(file, mode); err != nil {
		d.g.t.Fatal(err)
	}
	return file
}

func (d department) rightSecrets() string {
	d.g.t.Helper()
	return d.secrets(0o600, d.g.secrets["app_secret/"+d.app], d.g.secrets["password/"+d.account])
}

// check runs a self-check with the right secrets and must exit with code.
func (d department) check(code int, more ...string) selfchecked {
	d.g.t.Helper()
	return d.checkWith(d.rightSecrets(), code, more...)
}

func (d department) checkWith(secrets string, code int, more ...string) selfchecked {
	d.g.t.Helper()
	out, errs, got := d.g.command(d.args(append(more, "--json", "--secrets-file", secrets)...)...)
	var s selfchecked
	if err := json.Unmarshal([]byte(out), &s); err != nil || got != code {
		d.g.t.Fatalf("exit %d, want %d: %v\n%s%s", got, code, err, out, errs)
	}
	if s.Passed != (code == 0) || (errs == "") != (code == 0) {
		d.g.t.Errorf("passed %v, standard error %q, exit %d", s.Passed, errs, got)
	}
	for _, l := range s.Checks {
		if l.Name == "" || l.Detail == "" || (l.Result == "fail") != (l.Remedy != "") && l.Result != "pass" {
			d.g.t.Errorf("%+v", l)
		}
	}
	return s
}

const onlySkipped = "healthz=skip clock=skip wrong_token=skip login=skip current_user=skip list=skip right=skip logout=skip ended=skip"

func TestSelfcheck(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(edited(
		"service_items:\n", "service_items:\n  - {code: 110103MZ002, name: 未授权的事项, department: 11110000000021135M, items: [\"100185101\"]}\n",
	))
	w := watch(g)
	w.refused(t, (&caller{g: g}).get("/security/get_current_user"), http.StatusUnauthorized, "20001")
	for _, one := range []struct {
		name string
		run  func(*testing.T, *gateway)
	}{
		{"all passed", selfcheckPasses},
		{"as text", selfcheckText},
		{"wrong secret", selfcheckWrongSecret},
		{"items", selfcheckItems},
		{"rights", selfcheckRights},
		{"untrusted root", selfcheckUntrusted},
		{"usage", selfcheckUsage},
		{"standard input", selfcheckStdin},
		{"terminal", selfcheckTerminal},
	} {
		t.Run(one.name, func(t *testing.T) { one.run(t, g.in(t)) })
	}
	// Nothing was made or changed, whatever was asked.
	for _, r := range w.close(t) {
		if r.Event == "request" && r.Outcome == "SUCCESS" && !slices.Contains([]string{"login", "logout", "get_current_user", "list", "auth"}, r.Interface) {
			t.Errorf("a self-check did %s", r.Interface)
		}
	}
	t.Run("gateway down", func(t *testing.T) {
		d := g.department("hydj", "zhangbin").in(t)
		secrets := d.rightSecrets()
		g.stop()
		s := d.checkWith(secrets, 1)
		if got := s.results(); got != "network=fail tls=skip "+onlySkipped {
			t.Error(got)
		}
		if l := s.of(t, "network"); !strings.Contains(l.Detail, "连不上") || !strings.Contains(l.Remedy, "端口") {
			t.Errorf("%+v", l)
		}
	})
}

func selfcheckPasses(t *testing.T, g *gateway) {
	s := g.department("hydj", "zhangbin").check(0, "--item", marriage, "--service-item", service,
		"--need", "function_call", "--need", "issue", "--need", "abolish")
	const want = "network=pass tls=pass healthz=pass clock=pass wrong_token=pass login=pass current_user=pass list=pass item=pass " +
		"right=pass right=pass right=pass logout=pass ended=pass"
	if got := s.results(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for check, words := range map[string][]string{
		"tls": {"TLS 1.3", "到期"}, "wrong_token": {"20002", "401"}, "ended": {"20002"},
		"current_user": {"zhangbin", "北京市民政局", mzj, "approver"}, "list": {"2 种"},
		"network": {"127.0.0.1"},
	} {
		for _, word := range words {
			if l := s.of(t, check); !strings.Contains(l.Detail, word) {
				t.Errorf("%s lacks %q: %s", check, word, l.Detail)
			}
		}
	}
	for _, l := range s.Checks {
		if l.Result == "pass" && l.Remedy != "" {
			t.Errorf("nothing was to be minded: %+v", l)
		}
	}
	if right := s.of(t, "right"); !responseID.MatchString(right.ResponseID) || !strings.Contains(right.Name, service) {
		t.Errorf("%+v", right)
	}
	// Without anything to look for, what there is to check passes.
	s = g.department("hydj", "zhangbin").check(0)
	if got := s.of(t, "right"); got.Result != "skip" || !strings.Contains(got.Detail, "--service-item") {
		t.Errorf("%+v", got)
	}
}

func selfcheckText(t *testing.T, g *gateway) {
	d := g.department("hydj", "zhangbin")
	out, errs, code := g.command(d.args("--secrets-file", d.rightSecrets(), "--item", marriage, "--service-item", "110103MZ002")...)
	if code != 1 || !strings.Contains(errs, "1 项检查未通过") {
		t.Errorf("exit %d: %s", code, errs)
	}
	for _, line := range []string{
		"[通过] 登录：", "[通过] 目录 305018201：已发布并开通\n", "[未通过] 权限 依职能调用（事项 110103MZ002）：代码 30001", "应答标识 ",
		"    处理：按接入申请表", "[通过] 退出后令牌失效：", "通过 11 项，未通过 1 项，跳过 0 项\n",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("the report lacks %q:\n%s", line, out)
		}
	}
	for _, secret := range g.secrets {
		if strings.Contains(out+errs, secret) {
			t.Error("the report tells a secret")
		}
	}
}

func selfcheckWrongSecret(t *testing.T, g *gateway) {
	d := g.department("hydj", "maker")
	s := d.checkWith(d.secrets(0o600, "nobody's secret", g.secrets["password/maker"]), 1, "--item", marriage, "--service-item", service)
	const want = "network=pass tls=pass healthz=pass clock=pass wrong_token=pass login=fail current_user=skip list=skip item=skip right=skip logout=skip ended=skip"
	if got := s.results(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	l := s.of(t, "login")
	if l.Code != "20003" || !responseID.MatchString(l.ResponseID) || !strings.Contains(l.Remedy, "app_secret") || !strings.Contains(l.Remedy, "锁定") {
		t.Errorf("%+v", l)
	}
	if r := decodeRecord(t, g.must("audit", "export", "--response-id", l.ResponseID)); r.Interface != "login" || r.ErrorCode != "20003" {
		t.Errorf("the record of the refusal is %+v", r)
	}
}

func selfcheckItems(t *testing.T, g *gateway) {
	wanted := []struct{ item, result, words string }{
		{marriage, "pass", "已发布并开通"},
		{marriage + "006939684" + "110000", "pass", "已发布并开通"}, // by its whole code
		{"100185101", "pass", "已发布并开通"},                       // of another department: the catalogue is everybody's
		{"100185102", "fail", "未发布或未开通"},                      // a draft
		{"305018299", "fail", "没有这个编码"},
	}
	var args []string
	for _, one := range wanted {
		args = append(args, "--item", one.item)
	}
	s := g.department("hydj", "zhangbin").check(1, args...)
	for _, one := range wanted {
		if l := s.named(t, "目录 "+one.item); l.Check != "item" || l.Result != one.result || !strings.Contains(l.Detail, one.words) {
			t.Errorf("%s: %+v", one.item, l)
		}
	}
}

func selfcheckRights(t *testing.T, g *gateway) {
	type right struct {
		name   string
		code   string // "" where the right is there
		minded string // what a pass says beside
	}
	for _, one := range []struct {
		app, account string
		args         []string
		rights       []right
	}{
		{"hydj", "zhangbin", []string{"--service-item", "110103MZ002", "--service-item", "110103GA001", "--service-item", "110103MZ009"}, []right{
			{"权限 依职能调用（事项 110103MZ002）", "30001", ""}, // its item is not granted
			{"权限 依职能调用（事项 110103GA001）", "30003", ""}, // another department's
			{"权限 依职能调用（事项 110103MZ009）", "30003", ""}, // nobody's
		}},
		{"readonly", "zhangbin", []string{"--item", marriage, "--service-item", service, "--need", "function_call", "--need", "issue"}, []right{
			{"权限 依职能调用（事项 110103MZ001）", "", ""},
			{"权限 发证（目录 305018201，事项 110103MZ001）", "30001", ""},
		}},
		{"hydj", "maker", []string{"--item", marriage, "--service-item", service, "--need", "issue", "--need", "abolish"}, []right{
			{"权限 发证（目录 305018201，事项 110103MZ001）", "", "部分角色"}, // makes, does not sign
			{"权限 废止（目录 305018201，事项 110103MZ001）", "30002", ""},
		}},
		{"hydj", "nobody", []string{"--item", marriage, "--service-item", service, "--need", "function_call", "--need", "issue"}, []right{
			{"当前账户", "", "没有任何角色"},
			{"权限 依职能调用（事项 110103MZ001）", "30002", ""},
			{"权限 发证（目录 305018201，事项 110103MZ001）", "30002", ""},
		}},
		{"hydj", "zhangbin", []string{"--item", marriage, "--item", "100185101", "--service-item", service}, []right{
			{"权限 依职能调用（事项 110103MZ001）", "", "至少有一种"},
		}},
	} {
		exit := 0
		for _, want := range one.rights {
			if want.code != "" {
				exit = 1
			}
		}
		s := g.department(one.app, one.account).check(exit, one.args...)
		for _, want := range one.rights {
			l := s.named(t, want.name)
			if l.Code != want.code || (l.Result == "pass") != (want.code == "") || !strings.Contains(l.Remedy, want.minded) ||
				(want.code == "" && want.minded == "") != (l.Remedy == "") || !responseID.MatchString(l.ResponseID) && want.minded == "" {
				t.Errorf("%s at %s: %+v", one.account, one.app, l)
			}
		}
		if s.of(t, "ended").Result != "pass" {
			t.Error("the session was not ended")
		}
	}
}

// Nothing is sent to a gateway that cannot prove who it is.
func selfcheckUntrusted(t *testing.T, g *gateway) {
	other := httptest.NewUnstartedServer(http.NotFoundHandler())
	other.StartTLS()
	other.Close()
	root := filepath.Join(t.TempDir(), "other.crt")
	write(t, root, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate().Raw})))

	before := strings.Count(g.must("audit", "export"), `"event":"request"`)
	for _, one := range []struct{ name, url, ca, detail, remedy string }{
		{"another root", "https://localhost:" + g.port, root, "--ca", "冒充"},
		{"the system's roots", "https://localhost:" + g.port, "", "本机信任的根", "--ca"},
		{"another name", "https://127.0.0.1:" + g.port, filepath.Join(g.dir, "data", "root.crt"), "多半没有 127.0.0.1 的证书", "IP 地址"},
	} {
		d := g.department("hydj", "zhangbin")
		d.url, d.ca = one.url, one.ca
		s := d.check(1)
		if got := s.results(); got != "network=pass tls=fail "+onlySkipped {
			t.Errorf("%s: %s", one.name, got)
		}
		if l := s.of(t, "tls"); !strings.Contains(l.Detail, one.detail) {
			t.Errorf("%s: %+v", one.name, l)
		}
	}
	if after := strings.Count(g.must("audit", "export"), `"event":"request"`); after != before {
		t.Errorf("%d requests were sent", after-before)
	}
}

// Wrong usage exits with 2 before anything is sent.
func selfcheckUsage(t *testing.T, g *gateway) {
	d := g.department("hydj", "zhangbin")
	right, app, password := d.rightSecrets(), g.secrets["app_secret/hydj"], g.secrets["password/zhangbin"]
	broken := filepath.Join(t.TempDir(), "broken.json")
	write(t, broken, `[{"kind":"app_secret","key":"hydj","value":`+"1234567890123"+`}]`)
	elsewhere := department{g: g, app: "other", account: "stranger"}.secrets(0o600, app, password)
	halves := department{g: g, app: "hydj", account: "maker"}.secrets(0o600, app, password)

	before := strings.Count(g.must("audit", "export"), `"event":"request"`)
	for _, one := range []struct {
		name string
		args []string
		word string
	}{
		{"readable by others", d.args("--secrets-file", d.secrets(0o644, app, password)), "chmod 600"},
		{"readable by the group", d.args("--secrets-file", d.secrets(0o640, app, password)), "chmod 600"},
		{"no such file", d.args("--secrets-file", "nowhere"), "密钥文件"},
		{"a folder", d.args("--secrets-file", t.TempDir()), "普通文件"},
		{"not the form of a secrets file", d.args("--secrets-file", broken), "app_secret"},
		{"no secret of the application", d.args("--secrets-file", elsewhere), "hydj"},
		{"no password of the account", d.args("--secrets-file", halves), "zhangbin"},
		{"nothing on standard input", d.args(), "标准输入"},
		{"no root file", append(d.args("--secrets-file", right), "--ca", "nowhere"), "--ca"},
		{"no --url", []string{"selfcheck", "--app-key", "a", "--account", "b"}, "--url"},
		{"plain http", []string{"selfcheck", "--url", "http://localhost", "--app-key", "a", "--account", "b"}, "https"},
		{"a password in --url", []string{"selfcheck", "--url", "https://u:" + password + "@localhost", "--app-key", "a", "--account", "b"}, "https"},
		{"a path in --url", append(d.args("--secrets-file", right), "--url", d.url+"/healthz"), "https"},
		{"an item code", d.args("--secrets-file", right, "--item", "3050182"), "9、15 或 24"},
		{"a service item", d.args("--secrets-file", right, "--service-item", "a b"), "事项编码"},
		{"an unknown need", d.args("--secrets-file", right, "--need", "archive"), "function_call"},
		{"issue without an item", d.args("--secrets-file", right, "--need", "issue", "--service-item", service), "--item"},
		{"a secret as a flag", d.args("--password", password), "选项"},
	} {
		out, errs, code := g.command(one.args...)
		if code != 2 || !strings.Contains(errs, one.word) || out != "" {
			t.Errorf("%s: exit %d: %s%s", one.name, code, out, errs)
		}
		if strings.Contains(errs, app) || strings.Contains(errs, password) || strings.Contains(errs, "1234567890123") {
			t.Errorf("%s: the text tells a secret", one.name)
		}
	}
	if after := strings.Count(g.must("audit", "export"), `"event":"request"`); after != before {
		t.Errorf("%d requests were sent", after-before)
	}
}

func selfcheckStdin(t *testing.T, g *gateway) {
	d := g.department("hydj", "zhangbin")
	app, password := g.secrets["app_secret/hydj"], g.secrets["password/zhangbin"]
	for _, one := range []struct {
		name, in string
		code     int
	}{
		{"two lines", app + "\n" + password + "\n", 0},
		{"no line end", app + "\r\n" + password, 0},
		{"in the wrong order", password + "\n" + app + "\n", 1},
		{"one line", app + "\n", 2},
		{"an empty line", "\n" + password + "\n", 2},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], d.args("--json")...)
		cmd.Env, cmd.Dir, cmd.Stdin = g.env, g.dir, strings.NewReader(one.in)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != one.code {
			t.Errorf("%s: exit %d\n%s", one.name, cmd.ProcessState.ExitCode(), out)
		}
		if bytes.Contains(out, []byte(app)) || bytes.Contains(out, []byte(password)) {
			t.Errorf("%s: the output tells a secret", one.name)
		}
	}
}

// On a terminal both secrets are asked for, and neither is shown.
func selfcheckTerminal(t *testing.T, g *gateway) {
	app, password := g.secrets["app_secret/hydj"], g.secrets["password/zhangbin"]
	for _, one := range []struct {
		name, first, second string
		code                int
		words               string
	}{
		{"both", app + "\r", password + "\r", 0, "[通过] 退出后令牌失效"},
		{"both at once", app + "\r" + password + "\r", "", 0, "[通过] 退出后令牌失效"},
		{"interrupted", app + "\x03", "", 1, "已中断"},
	} {
		master, line := terminal(t)
		before, err := term.GetState(int(line.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], g.department("hydj", "zhangbin").args()...)
		cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = g.env, g.dir, line, line, line
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		shown := new(logBuffer)
		go func() { _, _ = io.Copy(shown, master) }()
		sees := func(text string) {
			t.Helper()
			for end := time.Now().Add(time.Minute); !strings.Contains(shown.String(), text); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%s: %q is not shown: %s", one.name, text, shown.String())
				}
			}
		}
		for _, turn := range []struct{ prompt, answer string }{{"app_secret（hydj）：", one.first}, {"口令（zhangbin）：", one.second}} {
			if turn.answer == "" {
				continue
			}
			sees(turn.prompt)
			if _, err := io.WriteString(master, turn.answer); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Wait()
		sees(one.words)
		if code := cmd.ProcessState.ExitCode(); code != one.code {
			t.Errorf("%s: exit %d\n%s", one.name, code, shown.String())
		}
		if text := shown.String(); strings.Contains(text, app) || strings.Contains(text, password) || one.code == 0 && !strings.Contains(text, "正在检查：登录") {
			t.Errorf("%s: the terminal shows a secret, or not what is under way", one.name)
		}
		if after, err := term.GetState(int(line.Fd())); err != nil || !reflect.DeepEqual(after, before) {
			t.Errorf("%s: the terminal was left in another state: %v", one.name, err)
		}
	}
}

// terminal opens a pseudo-terminal: what a person types and sees, and what the process has.
func terminal(t *testing.T) (master, line *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	raw, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var fault error
	if err := raw.Control(func(fd uintptr) {
		if fault = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); fault == nil {
			n, fault = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); err != nil || fault != nil {
		t.Fatal(err, fault)
	}
	line, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Close() })
	return master, line
}
