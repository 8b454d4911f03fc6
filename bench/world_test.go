//go:build linux

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// What examples/platform.yaml declares.
const (
	appKey  = "hydj"
	account = "110000_zhangbin"
	item    = "305018201"
	service = "110103MZ001"
)

type object = map[string]any

// world is a gateway and a bare Caddy that answers the same requests with bodies of the same sizes.
type world struct {
	gateway, bare *process
	operations    []*operation
	secrets       map[string]string
	token         string
	made          int // licences so far
}

// operation is one interface under load.
type operation struct {
	name string
	path string
	size int // bytes of the answer's body
	// requests makes n requests that will all succeed.
	requests func(n int) ([][]byte, error)
	// answer is how a success begins.
	answer string
}

func (o *operation) check(body []byte) error {
	if !strings.HasPrefix(string(body[:min(len(body), len(o.answer))]), o.answer) {
		return fmt.Errorf("%s: refused: %.300s", o.name, body)
	}
	return nil
}

// ofSize checks a bare answer.
func (o *operation) ofSize(body []byte) error {
	if len(body) != o.size {
		return fmt.Errorf("%s: bare Caddy answers %d bytes, not %d", o.name, len(body), o.size)
	}
	return nil
}

// The chain as the shipped Caddyfile has it, and with limits that nobody meets.
const (
	shipped   = "\n\tlicgate\n}\n"
	unlimited = `
	licgate {
		limit {
			application    100000000 1000000000
			address        100000000 1000000000
			login          100000000 1000000000
			redeem         100000000 1000000000
			redeem_overall 100000000 1000000000
		}
	}
}
`
)

// gatewayConfig is the shipped Caddyfile with limits that nobody meets.
func gatewayConfig() (func(string) string, error) {
	text, err := os.ReadFile("../Caddyfile")
	if err != nil {
		return nil, err
	}
	before, after, found := strings.Cut(string(text), shipped)
	if !found {
		return nil, errors.New("the shipped Caddyfile has no site with licgate and nothing else")
	}
	return func(string) string { return before + unlimited + after }, nil
}

// bareConfig answers each operation's path with a body of its size. Metrics are on, as in the shipped Caddyfile.
func bareConfig(operations []*operation) func(string) string {
	return func(port string) string {
		var b strings.Builder
		b.WriteString("{\n\tadmin off\n\tstorage file_system caddy\n\tskip_install_trust\n\tauto_https disable_redirects\n\tmetrics\n}\n" +
			"localhost:" + port + " {\n\ttls internal\n\trespond /healthz ok\n")
		for _, o := range operations {
			b.WriteString("\trespond " + o.path + " " + strings.Repeat("x", o.size) + "\n")
		}
		return b.String() + "}\n"
	}
}

const bareRoot = "caddy/pki/authorities/local/root.crt"

// theWorld is made once for all benchmarks.
var theWorld = sync.OnceValues(func() (*world, error) {
	w := &world{secrets: map[string]string{}}
	config, err := gatewayConfig()
	if err != nil {
		return w, err
	}
	if w.gateway, err = prepare(config, "data/root.crt"); err != nil {
		return w, err
	}
	if _, err = w.gateway.start("/healthz"); err != nil {
		return w, err
	}
	if err := w.declare(); err != nil {
		return w, err
	}
	if err := w.measureAnswers(); err != nil {
		return w, err
	}
	if w.bare, err = prepare(bareConfig(w.operations), bareRoot); err != nil {
		return w, err
	}
	_, err = w.bare.start("/healthz")
	return w, err
})

func (w *world) stop() {
	for _, p := range []*process{w.gateway, w.bare} {
		if p != nil {
			p.stop()
		}
	}
}

// declare applies the example platform with a rate that nobody meets, logs in and makes what the operations need.
func (w *world) declare() error {
	example, err := os.ReadFile("../examples/platform.yaml")
	if err != nil {
		return err
	}
	text := strings.Replace(string(example), "{per_second: 200}", "{per_second: 100000000, per_minute: 1000000000}", 1)
	if text == string(example) {
		return errors.New("the example platform has no rate to raise")
	}
	file, out := filepath.Join(w.gateway.dir, "platform.yaml"), filepath.Join(w.gateway.dir, "secrets.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	if err := w.gateway.command("apply", "-f", file, "--secrets-out", out); err != nil {
		return err
	}
	if err := w.keepSecrets(out); err != nil {
		return err
	}
	login, err := w.call("POST", "/security/login", w.credentials())
	if err != nil {
		return err
	}
	w.token = login.AccessToken
	return w.operate()
}

func (w *world) keepSecrets(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var generated []struct{ Kind, Key, Value string }
	if err := json.Unmarshal(text, &generated); err != nil {
		return err
	}
	for _, one := range generated {
		w.secrets[one.Kind+"/"+one.Key] = one.Value
	}
	return nil
}

func (w *world) credentials() object {
	return object{
		"app_key": appKey, "app_secret": w.secrets["app_secret/"+appKey],
		"account": account, "password": w.secrets["password/"+account],
	}
}

// operate lists the operations.
func (w *world) operate() error {
	issued, err := w.call("POST", "/license/"+item+"/issue", w.licence(identity(0)))
	if err != nil {
		return err
	}
	code := url.QueryEscape(issued.Data.AuthCode)
	token, err := w.call("GET", "/license/token?auth_code="+code, nil)
	if err != nil {
		return err
	}
	login, err := json.Marshal(w.credentials())
	if err != nil {
		return err
	}
	search, err := json.Marshal(object{
		"service_item_code": service, "service_item_name": "婚姻登记", "operator": operator, "identity_number": identity(0),
	})
	if err != nil {
		return err
	}
	const success = `{"ack_code":"SUCCESS"`
	page := "/license/view_license"
	w.operations = []*operation{
		{name: "login", path: "/security/login", answer: success, requests: always(request("POST", "/security/login", "", login))},
		{name: "auth", path: "/license/auth", answer: success, requests: always(request("POST", "/license/auth", w.token, search))},
		{
			name: "get_license", path: "/license/get_license", answer: success,
			requests: always(request("GET", "/license/get_license?auth_code="+code, w.token, nil)),
		},
		{name: "create", path: "/license/" + item + "/create", answer: success, requests: w.creates},
		{name: "sign", path: "/license/" + item + "/sign", answer: success, requests: w.signs},
		{
			name: "view page", path: page, answer: "<!",
			requests: always(request("GET", page+"?license_access_token="+url.QueryEscape(token.Data.LicenseAccessToken), "", nil)),
		},
		{
			name: "archive PDF", path: "/license/archive", answer: success,
			requests: always(request("GET", "/license/archive?auth_code="+code, w.token, nil)),
		},
	}
	return nil
}

// measureAnswers notes how large each operation's answer is.
func (w *world) measureAnswers() error {
	for _, o := range w.operations {
		requests, err := o.requests(1)
		if err != nil {
			return err
		}
		if _, err := w.gateway.run(requests, 1, func(body []byte) error {
			o.size = len(body)
			return o.check(body)
		}); err != nil {
			return err
		}
	}
	return nil
}

// always makes the same request again and again.
func always(raw []byte) func(int) ([][]byte, error) {
	return func(n int) ([][]byte, error) {
		requests := make([][]byte, n)
		for i := range requests {
			requests[i] = raw
		}
		return requests, nil
	}
}

func (w *world) creates(n int) ([][]byte, error) {
	requests := make([][]byte, n)
	for i := range requests {
		body, err := json.Marshal(w.licence(identity(1 + w.made%999)))
		if err != nil {
			return nil, err
		}
		requests[i] = request("POST", "/license/"+item+"/create", w.token, body)
	}
	return requests, nil
}

// batchRows is how many licences one batch_create makes.
const batchRows = 500

// batch makes n unsigned licences and returns their codes.
func (w *world) batch(n int) ([]string, error) {
	var codes []string
	for len(codes) < n {
		rows := make([]object, min(batchRows, n-len(codes)))
		for i := range rows {
			rows[i] = object{"data_fields": w.fields(identity(1 + w.made%999))}
		}
		made, err := w.call("POST", "/license/"+item+"/batch_create", wrapped(object{"licenses": rows}))
		if err != nil {
			return nil, err
		}
		codes = append(codes, made.Data.LicenseCodes...)
	}
	return codes, nil
}

// signs makes n licences, outside of what is measured, and the requests that sign them.
func (w *world) signs(n int) ([][]byte, error) {
	codes, err := w.batch(n)
	if err != nil {
		return nil, err
	}
	requests := make([][]byte, n)
	for i := range requests {
		body, err := json.Marshal(wrapped(object{"license_code": codes[i]}))
		if err != nil {
			return nil, err
		}
		requests[i] = request("POST", "/license/"+item+"/sign", w.token, body)
	}
	return requests, nil
}

// answer is what setting up needs of an envelope.
type answer struct {
	AckCode     string `json:"ack_code"`
	AccessToken string `json:"access_token"`
	Data        struct {
		AuthCode           string   `json:"auth_code"`
		LicenseAccessToken string   `json:"license_access_token"`
		LicenseCodes       []string `json:"license_codes"`
	} `json:"data"`
}

func (w *world) call(method, path string, body any) (answer, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return answer{}, err
		}
	}
	var a answer
	_, err := w.gateway.run([][]byte{request(method, path, w.token, payload)}, 1, func(text []byte) error {
		if err := json.Unmarshal(text, &a); err != nil {
			return err
		}
		if a.AckCode != "SUCCESS" {
			return fmt.Errorf("%s: %.300s", path, text)
		}
		return nil
	})
	return a, err
}

var operator = object{
	"account": "bj_mzj", "name": "张三", "role": "科员", "service_org": "市民政局", "division": "朝阳区", "division_code": "110105",
}

// wrapped is a write's body: everything in data.
func wrapped(more object) object {
	data := object{"service_item_code": service, "service_item_name": "婚姻登记", "biz_num": "20200721123", "operator": operator}
	for k, v := range more {
		data[k] = v
	}
	return object{"data": data}
}

func (w *world) licence(holder string) object {
	return wrapped(object{"data_fields": w.fields(holder), "license_group": "1"})
}

// fields is a whole face, with a number that no other licence has.
func (w *world) fields(holder string) object {
	w.made++
	return object{
		"CZR": "李大华", "CYRSFZJLX": "10", "CYRSFZJHM": holder, "CZRXB": "女", "CZRGJ": "中国", "CZRCSRQ": "2000-01-01",
		"POXM": "欧阳明月", "POSFZJH": "11010519491231002X", "JHZZH": "J110103-2020-" + strconv.Itoa(w.made),
		"FZJGMC": "北京市民政局", "FZRQ": "2020-02-14", "HYDJY": "王五", "BZ": "无",
	}
}

// identity is an invented identity number with its right check digit (GB 11643).
func identity(n int) string {
	body := "11010120000101" + strconv.Itoa(1000 + n)[1:]
	sum := 0
	for _, c := range body {
		sum = (sum + int(c-'0')) * 2 % 11
	}
	return body + string("0123456789X"[(12-sum)%11])
}
