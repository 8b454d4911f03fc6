package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// standardPlatform declares what the standard's examples speak of: their catalogue items with the fields that they fill
// in, their account, and the two codes of service items that they print. 事项编码 stands for a code; SX-000001 is one.
const standardPlatform = `
departments:
  - {code: 11110000000021135M, name: 北京市XX局, division: 北京市, division_code: "110000", parent: ""}
items:
  - license_item_code: "006939684110000"
    name: 居民证
    department: 11110000000021135M
    holder_type: person
    validity: 10年
    fields:
      - {key: PERSON_NAME, label: 姓名, required: true, sensitive: name, role: holder_name}
      - {key: IDENTITY_NUMBER, label: 身份证件号码, required: true, sensitive: identity_number, role: holder_identity_num}
      - {key: BIRTHDAY, label: 出生日期, type: date, sensitive: birth_date}
      - {key: BIRTHPLACE, label: 出生地}
      - {key: HOUSEHOLD_ADDRESS, label: 户籍地址, sensitive: address}
  - license_item_code: "305018201"
    name: 内地居民婚姻登记证
    department: 11110000000021135M
    holder_type: person
    validity: 长期
    license_groups: ["1"]
    fields:
      - {key: ZZMC, label: 证照名称}
      - {key: CZR, label: 持证人, required: true, sensitive: name, role: holder_name}
      - {key: CYRSFZJLX, label: 身份证件类型, role: holder_identity_type}
      - {key: CYRSFZJHM, label: 身份证件号码, required: true, sensitive: identity_number, role: holder_identity_num}
      - {key: CZRXB, label: 性别}
      - {key: CZRGJ, label: 国籍}
      - {key: CZRCSRQ, label: 出生日期, type: date, sensitive: birth_date}
      - {key: POXM, label: 配偶姓名, sensitive: name}
      - {key: POSFZJLX, label: 配偶身份证件类型}
      - {key: POSFZJH, label: 配偶身份证件号码, sensitive: identity_number, role: holder_identity_num}
      - {key: POXB, label: 配偶性别}
      - {key: POGJ, label: 配偶国籍}
      - {key: POCSRQ, label: 配偶出生日期, type: date, sensitive: birth_date}
      - {key: JHZZH, label: 结婚证字号, role: id_code}
      - {key: HYDJY, label: 婚姻登记员}
      - {key: FZRQ, label: 发证日期, type: date, role: issue_date}
      - {key: YXQJSRQ, label: 有效期截止日期, type: date, role: expiry_date}
      - {key: FZJGMC, label: 发证机构, role: issue_org_name}
      - {key: FZJGZZJGDM, label: 发证机构代码, role: issue_org_code}
      - {key: FZJGSSXZQHDM, label: 行政区划代码}
      - {key: ZP, label: 照片, type: image, sensitive: photo, role: photo}
      - {key: BZ, label: 备注}
service_items:
  - {code: SX-000001, name: 事项名称, department: 11110000000021135M, items: ["006939684110000", "305018201"]}
  - {code: "1234567890", name: 申办事项, department: 11110000000021135M, items: ["006939684110000", "305018201"]}
  - {code: 110103MZ001, name: 婚姻登记, department: 11110000000021135M, items: ["305018201"]}
applications:
  - app_key: business
    name: 业务系统
    department: 11110000000021135M
    rate: {per_second: 100000}
    grants: [{items: ["*"], needs: [issue, abolish, function_call, archive, mobile_search, web_view]}]
accounts:
  - {account: test_bj_wht, name: 北京市管理员, identity_num: 11010519491231002X, department: 11110000000021135M, roles: [issuer, approver, user, archivist]}
`

// envelope is how every answer begins (domain.md §1).
var envelope = []string{"ack_code", "errors", "sign", "sign_method", "timestamp", "correlation_id", "response_id"}

// licenceMembers are those of a licence in order (domain.md §5); attributesInFace are the eleven that G.2 prints
// inside data_fields.
var (
	licenceMembers = strings.Fields(`license_code name license_item_code id_code holder_name holder_identity_type
holder_identity_num issue_org_name issue_org_code division division_code issue_date begin_date expiry_date license_status version
biz_num license_group data_fields creator creation_time issuer issue_time abolisher abolish_time abolish_reason
correlative_license last_modificator last_modification_time trust_level`)
	attributesInFace = strings.Fields(`license_code name issue_org_name issue_org_code issue_date expiry_date version creator
creation_time last_modificator last_modification_time`)
)

var (
	withMillis    = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$`)
	withoutMillis = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`)
)

// replay sends the standard's examples from the files in which their repairs are listed.
type replay struct {
	t      *testing.T
	g      *gateway
	token  string
	played map[string]bool
}

const examples = "../protocol/testdata/standard"

// send sends one example; pairs say what its placeholders stand for.
func (r *replay) send(name string, pairs ...string) answer {
	r.t.Helper()
	r.played[name] = true
	var x struct{ Method, Path, Query, Body string }
	text, err := os.ReadFile(filepath.Join(examples, name+".json"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &x); err != nil {
		r.t.Fatal(err)
	}
	// LICENSE_ACCESS_TOKEN before ACCESS_TOKEN, which it contains.
	stand := strings.NewReplacer(append(pairs, "ACCESS_TOKEN", r.token, "事项编码", "SX-000001",
		"110105*****", holderID, "110103*****", holderID, "110102*****", spouseID)...)
	var body []byte
	if x.Body != "" {
		if body, err = os.ReadFile(filepath.Join(examples, x.Body)); err != nil {
			r.t.Fatal(err)
		}
		body = []byte(stand.Replace(string(body)))
	}
	return (&caller{g: r.g}).send(x.Method, x.Path+"?"+stand.Replace(x.Query), body)
}

// play sends an example that must succeed, and checks the envelope: the common members, then tail, in this order.
func (r *replay) play(tail []string, name string, pairs ...string) answer {
	r.t.Helper()
	a := r.send(name, pairs...)
	if a.status != http.StatusOK || !a.ok() {
		r.t.Fatalf("%s: %d %s", name, a.status, a.raw)
	}
	if got := members(r.t, a.raw); !slices.Equal(got, slices.Concat(envelope, tail)) {
		r.t.Errorf("%s: members %v", name, got)
	}
	if at, _ := a.body["timestamp"].(string); !withMillis.MatchString(at) {
		r.t.Errorf("%s: timestamp %q", name, at)
	}
	if a.body["sign"] != nil || a.body["sign_method"] != nil || !responseID.MatchString(a.body["response_id"].(string)) {
		r.t.Errorf("%s: %s", name, a.raw)
	}
	if list, ok := a.body["errors"].([]any); !ok || len(list) != 0 {
		r.t.Errorf("%s: errors %v", name, a.body["errors"])
	}
	return a
}

// page sends an example that is answered by a page.
func (r *replay) page(name, token string) {
	r.t.Helper()
	a := r.send(name, "LICENSE_ACCESS_TOKEN", token)
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !bytes.Contains(a.raw, []byte("居民证")) {
		r.t.Errorf("%s: %d %s", name, a.status, a.raw)
	}
	if bytes.Contains(a.raw, []byte(holderID)) || bytes.Contains(a.raw, []byte("李大华")) {
		r.t.Errorf("%s shows what is sensitive", name)
	}
}

// The standard's own examples B–H, one for each of the 21 interfaces, in an order in which they make sense.
func TestStandardExamples(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(standardPlatform)
	r := &replay{t: t, g: g, played: map[string]bool{}}
	data := []string{"data"}

	a := r.play([]string{"data", "access_token"}, "B.1", "APP_KEY", "business", "APP_SECRET", g.secrets["app_secret/business"], "abc123", g.secrets["password/test_bj_wht"])
	r.token = a.body["access_token"].(string)
	// Clients cut the token out by position: nothing follows it.
	if !bytes.HasSuffix(a.raw, []byte(`,"data":null,"access_token":"`+r.token+`"}`)) {
		t.Errorf("B.1 does not end with the token")
	}

	a = r.play(data, "B.3")
	if got := members(t, rawMember(t, a.raw, "data")); !slices.Equal(got[:8], strings.Fields("account name identity_num role division division_code service_org service_org_code")) {
		t.Errorf("B.3: members of data %v", got)
	}
	if a.text("account") != "test_bj_wht" || a.text("name") != "北京市管理员" || a.text("identity_num") != "110105********" || a.text("division_code") != "110000" || a.text("creator") == "" || a.text("creation_time") == "" {
		t.Errorf("B.3: %s", a.raw)
	}

	a = r.play([]string{"total_count", "data"}, "C.1")
	if a.body["total_count"] != 2.0 || len(a.rows()) != 2 || a.rows()[0].(object)["license_item_code"] != "006939684110000" {
		t.Errorf("C.1: %s", a.raw)
	}

	first := r.made("D.1")
	if a := r.play(data, "D.2", "11000016D000020", first); a.body["data"] != nil {
		t.Errorf("D.2: %s", a.raw)
	}
	r.play(data, "D.3", "11000016D000021", r.made("D.1"))
	r.play(data, "E.1", "11000015D00000B", first)
	a = r.play(data, "E.2", "11000015D00032V", first)
	changed := a.text("license_code")
	if changed == "" || changed == first || a.text("auth_code") == "" {
		t.Errorf("E.2: %s", a.raw)
	}
	r.play(data, "E.3", "11000015D00032V", changed)
	kept := r.made("D.1")
	r.play(data, "E.1", "11000015D00000B", kept)

	a = r.play(data, "F.1")
	batch, _ := a.data()["license_codes"].([]any)
	if len(batch) != 2 || batch[0] == batch[1] {
		t.Fatalf("F.1: %s", a.raw)
	}
	// F.2 prints a blank behind each code.
	a = r.play(data, "F.2", "11000020170000HS2P", batch[0].(string), "11000020170000HU1N", batch[1].(string))
	_, row := inOrder(t, rawMember(t, a.raw, "data"))
	want := `[{"license_code":"` + batch[0].(string) + `","result_msg":"SUCCESS","result_code":"signSuccess"},` +
		`{"license_code":"` + batch[1].(string) + `","result_msg":"SUCCESS","result_code":"signSuccess"}]`
	if string(row["result"]) != want {
		t.Errorf("F.2: %s", a.raw)
	}

	holders := []string{"total_count", "auth_codes", "data"}
	credential := strings.TrimSpace(g.must("credential", "--identity", holderID))
	a = r.play(holders, "G.1", "MCK0102*****", credential)
	shown := a.codes()
	if a.body["total_count"] != 3.0 || len(shown) != 3 || len(a.rows()) != 3 {
		t.Fatalf("G.1: %s", a.raw)
	}
	show := shown[slices.IndexFunc(a.rows(), func(one any) bool { return one.(object)["license_code"] == kept })]
	marriageShow := shown[slices.IndexFunc(a.rows(), func(one any) bool { return one.(object)["license_code"] == batch[0] })]

	a = r.play(holders, "G.2")
	if a.body["total_count"] != 3.0 || len(a.codes()) != 3 {
		t.Fatalf("G.2: %s", a.raw)
	}
	at := slices.IndexFunc(a.rows(), func(one any) bool { return one.(object)["license_code"] == kept })
	checkG2(t, a, at)
	authCode := a.codes()[at]

	a = r.play(data, "G.3", "AUTH_CODE", authCode)
	if got := members(t, rawMember(t, a.raw, "data")); !slices.Equal(got, licenceMembers) || a.text("license_code") != kept {
		t.Errorf("G.3: %v", got)
	}
	a = r.play([]string{"data", "expires_in", "license_access_token"}, "G.4", "AUTH_CODE", authCode)
	if a.body["expires_in"] != a.data()["expires_in"] || a.body["license_access_token"] != a.data()["license_access_token"] {
		t.Errorf("G.4: %s", a.raw)
	}
	checkExpiry(t, "G.4", a.text("expires_in"), withMillis, "2006-01-02 15:04:05.000")
	r.page("G.5", a.text("license_access_token"))

	if a = r.play(data, "H.1", "AUTH_CODE", show); a.text("license_code") != kept {
		t.Errorf("H.1: %s", a.raw)
	}
	// H.3 asks for the same service item and biz_num as H.1, so for the same shown code.
	a = r.play(data, "H.3", "AUTH_CODE", show)
	if a.body["correlation_id"] != "b2629b80-a96f-469b-87f7-0496bee4f958" {
		t.Errorf("H.3: correlation_id %v", a.body["correlation_id"])
	}
	pdf, err := base64.StdEncoding.DecodeString(a.text("file_data"))
	if err != nil || a.text("file_name") != kept+".pdf" || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Errorf("H.3: %v, %q, %d bytes", err, a.text("file_name"), len(pdf))
	}
	// H.2 names another one.
	a = r.play([]string{"data", "errcode", "errmsg"}, "H.2", "1235815", marriageShow)
	if a.body["errcode"] != 0.0 || a.body["errmsg"] != "" {
		t.Errorf("H.2: %s", a.raw)
	}
	checkExpiry(t, "H.2", a.text("expires_in"), withoutMillis, time.DateTime)
	mobile := r.send("H.4", "LICENSE_ACCESS_TOKEN", a.text("license_access_token"))
	if mobile.status != http.StatusOK || !bytes.Contains(mobile.raw, []byte("内地居民婚姻登记证")) || bytes.Contains(mobile.raw, []byte(holderID)) {
		t.Errorf("H.4: %d %s", mobile.status, mobile.raw)
	}
	// Shown again, the code is used up, and the answer says so in both ways.
	a = r.send("H.2", "1235815", marriageShow)
	if a.code() != "40010" || a.body["errcode"] != 40010.0 || a.body["errmsg"] != a.message() {
		t.Errorf("H.2 again: %s", a.raw)
	}

	r.play(data, "B.2")
	if a := r.send("B.3"); a.status != http.StatusUnauthorized {
		t.Errorf("B.3 after B.2: %d %s", a.status, a.raw)
	}
	r.all()
}

// made makes a licence and returns its code.
func (r *replay) made(name string) string {
	r.t.Helper()
	a := r.play([]string{"data"}, name)
	if got := members(r.t, rawMember(r.t, a.raw, "data")); !slices.Equal(got, []string{"license_code", "auth_code"}) {
		r.t.Errorf("%s: members of data %v", name, got)
	}
	return a.text("license_code")
}

// all checks that no example was forgotten.
func (r *replay) all() {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(examples, "*.json"))
	if err != nil {
		r.t.Fatal(err)
	}
	count := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if strings.HasSuffix(name, ".body") {
			continue
		}
		if count++; !r.played[name] {
			r.t.Errorf("example %s was not played", name)
		}
	}
	if count != 21 {
		r.t.Errorf("%d examples, want 21", count)
	}
}

// checkG2 checks a row: all attributes at the licence's level, and in data_fields the face and the eleven that G.2 prints.
func checkG2(t *testing.T, a answer, at int) {
	t.Helper()
	var rows []json.RawMessage
	if err := json.Unmarshal(rawMember(t, a.raw, "data"), &rows); err != nil {
		t.Fatal(err)
	}
	names, _ := inOrder(t, rows[at])
	if !slices.Equal(names, licenceMembers) {
		t.Errorf("G.2: members of a licence %v", names)
	}
	licence := a.rows()[at].(object)
	inner, _ := licence["data_fields"].(object)
	for _, name := range attributesInFace {
		if value, there := inner[name]; !there || value != licence[name] {
			t.Errorf("G.2: %s is %v in data_fields and %v beside them", name, value, licence[name])
		}
	}
	for key, value := range map[string]string{
		"PERSON_NAME": "李**", "IDENTITY_NUMBER": "110101********", "BIRTHDAY": "1992-**-**", "BIRTHPLACE": "北京", "HOUSEHOLD_ADDRESS": "北京市朝阳区****",
	} {
		if inner[key] != value {
			t.Errorf("G.2: %s is %v, want %s", key, inner[key], value)
		}
	}
	if licence["holder_name"] != "李**" || licence["holder_identity_num"] != "110101********" || licence["license_status"] != "ISSUED" {
		t.Errorf("G.2: %s", rows[at])
	}
}

func checkExpiry(t *testing.T, name, text string, form *regexp.Regexp, layout string) {
	t.Helper()
	if at, err := time.ParseInLocation(layout, text, time.FixedZone("Asia/Shanghai", 8*60*60)); !form.MatchString(text) || err != nil || !at.After(time.Now()) {
		t.Errorf("%s: expires_in %q", name, text)
	}
}

func rawMember(t *testing.T, raw []byte, name string) json.RawMessage {
	t.Helper()
	_, values := inOrder(t, raw)
	return values[name]
}
