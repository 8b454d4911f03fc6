package protocol

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// example is one request of appendices B–H, see testdata/standard/README.md.
type example struct {
	Example   string    `json:"example"`
	Interface Interface `json:"interface"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Query     string    `json:"query"`
	Body      string    `json:"body"`
	Repairs   []string  `json:"repairs"`
	body      string
}

func (x *example) request() *http.Request {
	r := httptest.NewRequest(x.Method, x.Path+"?"+x.Query, strings.NewReader(x.body))
	if x.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func examples(t testing.TB) map[string]*example {
	t.Helper()
	files, err := filepath.Glob("testdata/standard/*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*example{}
	for _, file := range files {
		if strings.HasSuffix(file, ".body.json") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		x := new(example)
		if err := json.Unmarshal(text, x); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if x.Body != "" {
			body, err := os.ReadFile(filepath.Join("testdata/standard", x.Body))
			if err != nil {
				t.Fatal(err)
			}
			x.body = string(body)
		}
		if filepath.Base(file) != x.Example+".json" {
			t.Errorf("%s holds example %s", file, x.Example)
		}
		all[x.Example] = x
	}
	return all
}

// The standard prints one example per interface; each decodes to what it says.
func TestStandardExamples(t *testing.T) {
	t.Parallel()
	clerk := func(account, org, division string) *UserInfo {
		return &UserInfo{
			Account: account, Name: "张三", IdentityNum: "110105*****", Role: org + "XX处室科员", ServiceOrg: org, Division: division, DivisionCode: "110105",
		}
	}
	mzj := clerk("bj_mzj ", "市XX局", "朝阳区")
	spaced := clerk("bj_mzj ", "市 XX 局", "北京市")
	spaced.Role = "市 XX 局 XX 处室科员"
	zhangbin := &UserInfo{
		Account: "110000_zhangbin", Name: "张彬", Role: "内地居民婚姻登记角色", Division: "北京市", DivisionCode: "110000", ServiceOrg: "北京市XX局",
	}
	face := func(address string) map[string]any {
		return map[string]any{
			"BIRTHPLACE": "北京", "PERSON_NAME": "李大华", "BIRTHDAY": "1992-02-14", "HOUSEHOLD_ADDRESS": address, "IDENTITY_NUMBER": "110105*****",
		}
	}
	service := func(p Params) Params {
		p.ServiceItemCode, p.ServiceItemName = "事项编码", "事项名称"
		return p
	}
	office := func(p Params) Params {
		p = service(p)
		p.BizNum, p.Operator = "业务流水号", mzj
		return p
	}
	phone := func(p Params) Params {
		p.ServiceItemCode, p.ServiceItemName, p.BizNum, p.Operator = "1234567890", "申办事项", "10021800000693979911307100001", spaced
		return p
	}
	open := true
	const old = "006939684110000"
	want := map[string]struct {
		item string
		Params
	}{
		"B.1": {"", Params{AppKey: "APP_KEY", AppSecret: "APP_SECRET", Account: "test_bj_wht", Password: "abc123"}},
		"B.2": {"", Params{}},
		"B.3": {"", Params{}},
		"C.1": {"", Params{PageIndex: 1, PageSize: 10, Status: []string{"PUBLISH"}, IsOpen: &open}},
		"D.1": {old, office(Params{DataFields: face("北京市朝阳区朝阳路 111 号")})},
		"D.2": {old, office(Params{LicenseCode: "11000016D000020", DataFields: face("北京市朝阳区朝阳路 111 号")})},
		"D.3": {old, office(Params{LicenseCode: "11000016D000021"})},
		"E.1": {old, office(Params{LicenseCode: "11000015D00000B"})},
		"E.2": {old, office(Params{LicenseCode: "11000015D00032V", DataFields: face("北京市朝阳区朝阳路111号")})},
		"E.3": {old, office(Params{LicenseCode: "11000015D00032V"})},
		"F.1": {"305018201", Params{Operator: zhangbin, ServiceItemCode: "110103MZ001", ServiceItemName: "婚姻登记", BizNum: "20200721123"}},
		"F.2": {"305018201", Params{
			Operator: zhangbin, ServiceItemCode: "110103MZ001", ServiceItemName: "婚姻登记", BizNum: "20200721123",
			LicenseCodes: []string{"11000020170000HS2P", "11000020170000HU1N"},
		}},
		"G.1": {"", Params{PageIndex: 1, PageSize: 10, Credential: "MCK0102*****"}},
		"G.2": {"", service(Params{
			PageIndex: 1, ShowSensitiveData: new(false), PageSize: 10, BizNum: "业务流水号", Operator: clerk("js_abc ", "市XX局", "朝阳区"), IdentityNumbers: []string{"110105*****"},
		})},
		"G.3": {"", Params{AuthCode: "AUTH_CODE"}},
		"G.4": {"", Params{AuthCode: "AUTH_CODE"}},
		"G.5": {"", Params{LicenseAccessToken: "LICENSE_ACCESS_TOKEN"}},
		"H.1": {"", phone(Params{AuthCodeQR: "AUTH_CODE"})},
		"H.2": {"", service(Params{AuthCodeQR: "1235815", Operator: spaced})},
		"H.3": {"", phone(Params{AuthCodeQR: "AUTH_CODE", FileType: "PDF", RequestID: "b2629b80-a96f-469b-87f7-0496bee4f958"})},
		"H.4": {"", Params{LicenseAccessToken: "LICENSE_ACCESS_TOKEN"}},
	}
	all := examples(t)
	if len(all) != 21 {
		t.Errorf("%d examples, want 21", len(all))
	}
	seen := map[Interface]bool{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x := all[name]
		seen[x.Interface] = true
		e, item, f := Route(x.request())
		if f != nil {
			t.Errorf("%s: not routed: %s %s", name, f.Code.Number, f.Detail)
			continue
		}
		if e.Interface != x.Interface || item != want[name].item {
			t.Errorf("%s: routed to %s %q", name, e.Interface, item)
		}
		session, f := SessionToken(x.request())
		if f != nil || (session == "ACCESS_TOKEN") != (e.Access == SessionAccess) {
			t.Errorf("%s: session token %q %v", name, session, f)
		}
		page, _, f := PageToken(x.request())
		if f != nil || (page == "LICENSE_ACCESS_TOKEN") != (e.Access == PageAccess) {
			t.Errorf("%s: page token %q %v", name, page, f)
		}
		c, f := Decode(x.request(), e, item, DefaultLimits)
		if f != nil {
			t.Errorf("%s: %s %s", name, f.Code.Number, f.Detail)
			continue
		}
		if name == "F.1" {
			checkBatchRows(t, c.Licenses)
			c.Licenses = nil
		}
		if !reflect.DeepEqual(c.Params, want[name].Params) {
			t.Errorf("%s: decoded to %+v (operator %+v)", name, c.Params, c.Operator)
		}
	}
	for _, e := range Endpoints() {
		if e.Table > 0 && !seen[e.Interface] {
			t.Errorf("no example of %s", e.Interface)
		}
	}
}

func checkBatchRows(t *testing.T, rows []CreateData) {
	t.Helper()
	if len(rows) != 2 {
		t.Fatalf("F.1: %d rows", len(rows))
	}
	for i, number := range []string{"J110103-2020-000002", "J110103-2020-000003"} {
		if r := rows[i]; len(r.DataFields) != 22 || r.DataFields["JHZZH"] != number || r.DataFields["ZP"] != "" || r.LicenseGroup != "1" {
			t.Errorf("F.1: row %d is %+v", i, r)
		}
	}
}
