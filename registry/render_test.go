package registry

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// again parses what Render writes.
func again(t testing.TB, p *Platform) (*Platform, []byte) {
	t.Helper()
	file, err := Render(p)
	if err != nil {
		t.Fatalf("Render: %v", err)
	}
	got, err := Parse(file)
	if err != nil {
		t.Fatalf("Parse of what Render wrote: %v\n%s", err, file)
	}
	return got, file
}

func sameAgain(t testing.TB, p *Platform) {
	t.Helper()
	got, file := again(t, p)
	if !reflect.DeepEqual(bare(got), bare(p)) {
		t.Fatalf("wrote\n%s\nread  %+v\nwant  %+v", file, bare(got), bare(p))
	}
	if _, twice := again(t, got); string(twice) != string(file) {
		t.Fatalf("wrote\n%s\nthen\n%s", file, twice)
	}
}

func TestRenderAccepted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"contract.yaml", "contract_without_secrets.yaml", "everything.yaml", "administrator.yaml"} {
		sameAgain(t, load(t, name))
	}
}

func TestRenderText(t *testing.T) {
	t.Parallel()
	got, err := Render(load(t, "contract.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `departments:
  - code: "11110000000021135M"
    name: 北京市民政局
    division: 北京市
    division_code: "110000"
    parent: ""
items:
  - license_item_code: "305018201"
    name: 内地居民婚姻登记证
    department: "11110000000021135M"
    status: PUBLISH
    is_open: true
    holder_type: person
    validity: 长期
    license_groups: ["1"]
    fields:
      - {key: CZR, label: 持证人, type: string, required: true, sensitive: name, role: holder_name}
      - {key: CYRSFZJHM, label: 身份证件号码, type: string, required: true, sensitive: identity_number, role: holder_identity_num}
      - {key: JHZZH, label: 结婚证字号, type: string, role: id_code}
      - {key: FZRQ, label: 发证日期, type: date, role: issue_date}
service_items:
  - code: "110103MZ001"
    name: 婚姻登记
    department: "11110000000021135M"
    items: ["305018201"]
applications:
  - app_key: "hydj"
    name: 婚姻登记系统
    department: "11110000000021135M"
    ip_allow: ["127.0.0.0/8"]
    rate: {per_second: 200}
    grants:
      - items: ["305018201"]
        needs: ["issue", "abolish", "function_call", "archive", "web_view"]
        service_items: ["110103MZ001"]
accounts:
  - account: "110000_zhangbin"
    name: 张彬
    department: "11110000000021135M"
    roles: ["issuer", "user"]
policy: ""
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Texts that YAML has tricks for, in every place that holds a text.
func TestRenderTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"no", "true", "null", "~", "123", "0x1F", "1_000", "1e5", ".inf", "2020-01-01", "190:20:30", "=", "<<", "a: b", "a #b", "#a", "- a", "-", "?",
		"*a", "&a", "!a", "!!str a", "|", ">", "@a", "`a", "%a", "{a", "[a", "a,b", "'a'", `"a"`, `a\nb`, "…a", "a…", "𬱖", "é", "\u00a0a\u00a0b", "---", "...a",
		"a\u200bb", "👍",
	} {
		p := load(t, "contract.yaml")
		trimmed := strings.TrimSpace(text)
		p.Departments[0].Name, p.Departments[0].Division = trimmed, trimmed
		p.Items[0].Name, p.Items[0].ShortName, p.Items[0].Type, p.Items[0].Version = trimmed, trimmed, trimmed, trimmed
		p.Items[0].SealCode, p.Items[0].LicenseGroups = trimmed, []string{trimmed}
		p.Items[0].Fields[0].Label = trimmed
		p.ServiceItems[0].Name, p.Applications[0].Name, p.Accounts[0].Name = trimmed, trimmed, trimmed
		for _, around := range []string{"%s", "%s\n", "\n%s", "%s\n\n", " %s\n", "a\n  %s\nb\n", "\t%s", "a\n%s \n", "%[1]s\n%[1]s", "a\n\n%s\n", "%s\n ", "a\n\t%s\n"} {
			policy := fmt.Sprintf(around, text)
			p.Policy = &policy
			if strings.ContainsRune(policy, '\t') {
				p.Items[0].Description = trimmed
			} else {
				p.Items[0].Description = policy
			}
			sameAgain(t, p)
		}
	}
}

// Whatever a platform of good form holds, a written file says the same.
func TestRenderGenerated(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		p := generate(rand.New(rand.NewPCG(seed, 1)))
		if err := Check(p); err != nil {
			t.Fatalf("seed %d: the generator made a bad platform: %v", seed, err)
		}
		sameAgain(t, p)
	}
}
