package masking_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"licgate/masking"
)

// plan is what the gateway lays before an upstream for the marriage licence of examples/platform.yaml: its five sensitive fields, and the
// attributes of the standard that repeat fields.
var plan = masking.NewPlan(fields, nil)

var fields = []masking.Field{
	{Key: "CZR", Kind: masking.Name},
	{Key: "CYRSFZJHM", Kind: masking.IdentityNumber},
	{Key: "CZRCSRQ", Kind: masking.BirthDate},
	{Key: "POXM", Kind: masking.Name},
	{Key: "POSFZJH", Kind: masking.IdentityNumber},
	{Key: "holder_name", Kind: masking.Name},
	{Key: "holder_identity_num", Kind: masking.IdentityNumber},
	{Key: "id_code", Kind: masking.PublicNumber},
	{Key: "issue_date", Kind: masking.PublicNumber},
	{Key: "begin_date", Kind: masking.PublicNumber},
	{Key: "expiry_date", Kind: masking.PublicNumber},
	{Key: "issue_org_name", Kind: masking.PublicNumber},
	{Key: "issue_org_code", Kind: masking.PublicNumber},
}

// licence is one licence as get_license answers it (appendix G.2), about 2 KiB: 62 members, 7 values to mask, 10 to look at. It is of nobody.
func licence(i int) string {
	return fmt.Sprintf(`{"license_code":"110105202000%06d","name":"内地居民婚姻登记证","license_item_code":"305018201","id_code":"J110105-2020-%06d",`+
		`"holder_name":"欧阳明月","holder_identity_type":"111","holder_identity_num":"11010519491231002X","issue_org_name":"北京市朝阳区民政局",`+
		`"issue_org_code":"11110000000021135M","division":"北京市朝阳区","division_code":"110105","issue_date":"2020-05-22","begin_date":"2020-05-22",`+
		`"expiry_date":null,"license_status":"ISSUED","version":1,"biz_num":"20200721%06d","license_group":"1","trust_level":"A",`+
		`"creator":"bj_mzj_zhangbin","creation_time":"2020-05-22 10:11:12.345","issuer":"bj_mzj_lihua","issue_time":"2020-05-22 10:12:13.456",`+
		`"abolisher":null,"abolish_time":null,"abolish_reason":null,"correlative_license":null,"last_modificator":"bj_mzj_lihua",`+
		`"last_modification_time":"2020-05-22 10:12:13.456","data_fields":{"CZR":"欧阳明月","CYRSFZJLX":"10","CYRSFZJHM":"11010519491231002X","CZRXB":"女",`+
		`"CZRGJ":"中国","CZRCSRQ":"1949-12-31","POXM":"张三","POSFZJH":"11010119800229123X","POXB":"男","POGJ":"中国","JHZZH":"J110105-2020-%06d",`+
		`"FZRQ":"2020-05-22","FZJGMC":"北京市朝阳区民政局婚姻登记处","HYDJY":"登记员甲","BZ":"双方自愿结婚，符合《中华人民共和国民法典》规定，准予登记，发给此证。",`+
		`"license_code":"110105202000%06d","name":"内地居民婚姻登记证","issue_org_name":"北京市朝阳区民政局","issue_org_code":"11110000000021135M",`+
		`"issue_date":"2020-05-22","expiry_date":null,"version":1,"creator":"bj_mzj_zhangbin","creation_time":"2020-05-22 10:11:12.345",`+
		`"last_modificator":"bj_mzj_lihua","last_modification_time":"2020-05-22 10:12:13.456"},"list":[{"n":1,"ok":true},{"n":2.50,"ok":false}],`+
		`"remark":"本证照由北京市电子证照共享平台提供，仅限婚姻登记事项使用，不得复制、转让；如有疑问请联系颁证机关。"}`, i, i, i, i, i)
}

// body is an answer of about size bytes.
func body(size int) []byte {
	var rows []string
	for n := 0; n < size-512; n += len(rows[len(rows)-1]) {
		rows = append(rows, licence(len(rows)))
	}
	return []byte(`{"ack_code":"SUCCESS","errors":[],"sign":null,"sign_method":null,"timestamp":"2020-05-22 10:11:12.345","correlation_id":null,` +
		`"response_id":"0a1b2c3d-0000-4000-8000-000000000000","total_count":` + fmt.Sprint(len(rows)) + `,"data":[` + strings.Join(rows, ",") + `]}`)
}

// change is what encoding/json's way has to do between decoding and encoding.
func change(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			if kind, ok := kinds[key]; ok {
				if text, ok := member.(string); ok {
					v[key] = masking.Mask(kind, text)
					continue
				}
			}
			v[key] = change(member)
		}
	case []any:
		for i := range v {
			v[i] = change(v[i])
		}
	}
	return v
}

var kinds = func() map[string]masking.Kind {
	all := make(map[string]masking.Kind)
	for _, f := range fields {
		all[f.Key] = f.Kind
	}
	return all
}()

// TestBothWaysMaskAlike keeps the measurement honest.
func TestBothWaysMaskAlike(t *testing.T) {
	t.Parallel()
	var one strings.Builder
	text := body(20 << 10)
	if err := plan.JSON(&one, strings.NewReader(string(text))); err != nil {
		t.Fatal(err)
	}
	var value, masked any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(change(value))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(one.String()), &masked); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(masked); err != nil || string(got) != string(want) {
		t.Errorf("%v\n%s\n%s", err, got, want)
	}
	if strings.Contains(one.String(), "欧阳明月") || strings.Contains(one.String(), "11010519491231002X") {
		t.Error("a value is left")
	}
}
