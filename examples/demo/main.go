// Command demo starts bin/licgate on loopback with fresh data, plays the standard's two flows (6.5.2.1 make and sign, 6.5.2.2 find,
// view, archive) over HTTPS, prints every request and answer, saves the PDF, and leaves the gateway running.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	data       = "demo-data"
	account    = "110000_zhangbin"
	appKey     = "hydj"
	item       = "305018201"
	identity   = "11010119800229123X" // check digit right, person invented
	pidName    = "licgate.pid"
	startLimit = 30 * time.Second
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "演示未完成：", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if _, err := os.Stat("bin/licgate"); err != nil {
		return errors.New("没有 bin/licgate，请在仓库根目录运行 make demo")
	}
	stopEarlier()
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	env := append(os.Environ(), "LICGATE_DATA="+data, "LICGATE_HOST=localhost", "LICGATE_PORT="+port,
		"LICGATE_ADMIN=unix/"+filepath.Join(data, "admin.sock"), "LICGATE_STORE=", "LICGATE_SESSIONS=store", "LICGATE_LIMITS=memory")
	pid, err := start(env)
	if err != nil {
		return err
	}
	d := &demo{root: "https://localhost:" + port}
	if err := d.waitReady(ctx, pid); err != nil {
		return fmt.Errorf("网关没有就绪，见 %s：%w", filepath.Join(data, "licgate.log"), err)
	}
	if err := d.apply(ctx, env); err != nil {
		return err
	}
	if err := d.makeAndSign(ctx); err != nil {
		return err
	}
	if err := d.findViewArchive(ctx); err != nil {
		return err
	}
	fmt.Printf(`
演示完成，网关仍在运行（进程 %d，数据在 %s/，日志 %s/licgate.log）。

  健康检查   curl --cacert %s/root.crt %s/healthz
  证照页面   %s
  移动端页面 %s
             （地址在浏览器中打开一次即作废，15 分钟内有效；刷新照常；浏览器会提示自签名证书，根证书为 %s/root.crt）
  归档文件   %s
  审计校验   bin/licgate audit verify --data %s
  停止       kill %d
`, pid, data, data, data, d.root, d.page, d.mobile, data, d.file, data, pid)
	return nil
}

// stopEarlier ends the gateway that an earlier demo left running.
func stopEarlier() {
	text, err := os.ReadFile(filepath.Join(data, pidName))
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || !strings.Contains(filepath.Base(name), "licgate") {
		return // the number belongs to somebody else by now
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	for range 100 {
		if syscall.Kill(pid, 0) != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// freePort is LICGATE_PORT, or 8443, or the next one that is free.
func freePort() (string, error) {
	first := 8443
	if p := os.Getenv("LICGATE_PORT"); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil {
			return "", fmt.Errorf("LICGATE_PORT=%s 不是端口号", p)
		}
		first = n
	}
	for port := first; port < first+50; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return strconv.Itoa(port), nil
		}
	}
	return "", fmt.Errorf("从 %d 起的 50 个端口都被占用", first)
}

func start(env []string) (int, error) {
	log, err := os.OpenFile(filepath.Join(data, "licgate.log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command("bin/licgate", "run", "--config", "Caddyfile")
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it outlives the demo
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("启动网关：%w", err)
	}
	pid := cmd.Process.Pid
	go func() { _ = cmd.Wait() }() // so that an end is noticed
	return pid, os.WriteFile(filepath.Join(data, pidName), []byte(strconv.Itoa(pid)), 0o600)
}

type demo struct {
	root         string
	client       *http.Client
	secret       string
	password     string
	token        string
	page, mobile string
	file         string
}

func (d *demo) waitReady(ctx context.Context, pid int) error {
	var last error
	for end := time.Now().Add(startLimit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil {
			return errors.New("进程已退出")
		}
		root, err := os.ReadFile(filepath.Join(data, "root.crt"))
		if err != nil {
			last = err
			continue
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(root)
		d.client = &http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, Proxy: nil},
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.root+"/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := d.client.Do(req)
		if err != nil {
			last = err
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		last = fmt.Errorf("healthz: %s", resp.Status)
	}
	return last
}

// apply declares the platform and takes the generated secrets.
func (d *demo) apply(ctx context.Context, env []string) error {
	secrets := filepath.Join(data, "secrets.json")
	fmt.Println("$ licgate apply -f examples/platform.yaml --secrets-out", secrets)
	cmd := exec.CommandContext(ctx, "bin/licgate", "apply", "-f", "examples/platform.yaml", "--secrets-out", secrets, "--why", "演示")
	cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apply：%w", err)
	}
	text, err := os.ReadFile(secrets)
	if err != nil {
		return err
	}
	var generated []struct{ Kind, Key, Value string }
	if err := json.Unmarshal(text, &generated); err != nil {
		return err
	}
	for _, g := range generated {
		switch g.Kind {
		case "app_secret":
			d.secret = g.Value
		case "password":
			d.password = g.Value
		}
	}
	return nil
}

type object = map[string]any

var operator = object{
	"account": account, "name": "张彬", "role": "内地居民婚姻登记角色",
	"service_org": "北京市民政局", "division": "北京市", "division_code": "110000",
}

// makeAndSign is 6.5.2.1.
func (d *demo) makeAndSign(ctx context.Context) error {
	fmt.Println("\n══ 6.5.2.1 制证签发 ══")
	if err := d.login(ctx); err != nil {
		return err
	}
	if _, err := d.call(ctx, "GET", "/license_item/list", url.Values{"keyword": {"婚姻"}, "status": {"PUBLISH"}}, nil); err != nil {
		return err
	}
	made, err := d.call(ctx, "POST", "/license/"+item+"/create", nil, object{"data": object{
		"service_item_code": "110103MZ001", "service_item_name": "婚姻登记", "biz_num": "20200721123", "operator": operator,
		"license_group": "1",
		"data_fields": object{
			"CZR": "李大华", "CYRSFZJLX": "10", "CYRSFZJHM": identity, "CZRXB": "男", "CZRGJ": "中国", "CZRCSRQ": "1980-02-29",
			"POXM": "欧阳明月", "POSFZJH": "11010519491231002X", "JHZZH": "J110103-2020-000002",
			"FZJGMC": "北京市民政局", "FZRQ": "2020-02-14", "HYDJY": "张彬", "BZ": "",
		},
	}})
	if err != nil {
		return err
	}
	code := made["data"].(object)["license_code"]
	if _, err := d.call(ctx, "POST", "/license/"+item+"/sign", nil, object{"data": object{
		"license_code": code, "id_code": "J110103-2020-000002", "service_item_code": "110103MZ001", "service_item_name": "婚姻登记",
		"operator": operator,
	}}); err != nil {
		return err
	}
	return d.logout(ctx)
}

// findViewArchive is 6.5.2.2.
func (d *demo) findViewArchive(ctx context.Context) error {
	fmt.Println("\n══ 6.5.2.2 用证 ══")
	if err := d.login(ctx); err != nil {
		return err
	}
	found, err := d.call(ctx, "POST", "/license/auth", nil, object{
		"service_item_code": "110103MZ001", "service_item_name": "婚姻登记", "operator": operator, "identity_number": identity,
	})
	if err != nil {
		return err
	}
	codes := found["auth_codes"].([]any)
	if len(codes) == 0 {
		return errors.New("没有找到刚签发的证照")
	}
	auth := url.Values{"auth_code": {codes[0].(string)}}
	for _, path := range []struct {
		address *string
		page    string
	}{{&d.page, "/license/view_license"}, {&d.mobile, "/license/view_mobile"}} {
		answer, err := d.call(ctx, "GET", "/license/token", auth, nil)
		if err != nil {
			return err
		}
		*path.address = d.root + path.page + "?license_access_token=" + answer["data"].(object)["license_access_token"].(string)
		if err := d.view(ctx, *path.address); err != nil {
			return err
		}
	}
	archived, err := d.call(ctx, "GET", "/license/archive", auth, nil)
	if err != nil {
		return err
	}
	file := archived["data"].(object)
	content, err := base64.StdEncoding.DecodeString(file["file_data"].(string))
	if err != nil {
		return err
	}
	d.file = filepath.Join(data, file["file_name"].(string))
	if err := os.WriteFile(d.file, content, 0o600); err != nil {
		return err
	}
	fmt.Printf("  版式文件已保存：%s（%d 字节）\n", d.file, len(content))
	return d.logout(ctx)
}

func (d *demo) login(ctx context.Context) error {
	answer, err := d.call(ctx, "POST", "/security/login", nil, object{
		"app_key": appKey, "app_secret": d.secret, "account": account, "password": d.password,
	})
	if err == nil {
		d.token, _ = answer["access_token"].(string)
	}
	return err
}

func (d *demo) logout(ctx context.Context) error {
	_, err := d.call(ctx, "POST", "/security/logout", nil, object{})
	d.token = ""
	return err
}

// view loads a page as a browser does.
func (d *demo) view(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	fmt.Printf("\n→ GET %s\n← %s  %s，%d 字节\n", strings.TrimPrefix(address, d.root), resp.Status, resp.Header.Get("Content-Type"), len(page))
	if resp.StatusCode != http.StatusOK {
		return errors.New("页面打不开")
	}
	return nil
}

// call sends one request, prints it and its answer, and returns the answer; a FAILURE is an error.
func (d *demo) call(ctx context.Context, method, path string, query url.Values, body object) (object, error) {
	var payload []byte
	if body != nil {
		payload, _ = json.Marshal(body)
	}
	target := d.root + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	fmt.Printf("\n→ %s %s\n", method, strings.TrimPrefix(target, d.root))
	show(body)
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer object
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s %s：应答不是 JSON：%w", method, path, err)
	}
	fmt.Printf("← %s\n", resp.Status)
	show(answer)
	if answer["ack_code"] != "SUCCESS" {
		return nil, fmt.Errorf("%s %s 失败", method, path)
	}
	return answer, nil
}

// show prints a JSON object; secrets and files are cut short.
func show(o object) {
	if o == nil {
		return
	}
	text, _ := json.MarshalIndent(shorten(o), "  ", "  ")
	fmt.Println("  " + string(text))
}

func shorten(v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for key, one := range v {
			if s, ok := one.(string); ok && (key == "app_secret" || key == "password" || len(s) > 200) {
				one = fmt.Sprintf("%.4s…（%d 字符）", s, len(s))
			}
			out[key] = shorten(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = shorten(v[i])
		}
		return out
	}
	return v
}
