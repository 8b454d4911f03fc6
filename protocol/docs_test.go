package protocol

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestDocs holds docs/errors.md and docs/interfaces.md to the tables. go generate ./protocol writes them.
func TestDocs(t *testing.T) {
	t.Parallel()
	golden(t, "../docs/errors.md", errorsPage())
	golden(t, "../docs/interfaces.md", interfacesPage())
}

const generatedNote = "<!-- 由 go generate ./protocol 根据代码中的表生成，请勿手工修改。 -->\n\n"

func errorsPage() []byte {
	var b strings.Builder
	b.WriteString("# 错误代码\n\n" + generatedNote)
	b.WriteString(`应答的 ` + "`ack_code`" + ` 为 ` + "`FAILURE`" + ` 时，` + "`errors`" + ` 中每一项有三个成员：

- ` + "`code`" + `：下表中的代码，固定不变，程序应以它判断；
- ` + "`message`" + `：下表中的说明，必要时在“：”之后补充细节（如参数名），供人阅读；
- ` + "`inner_code`" + `：更细的原因，没有时为 null。

向管理部门反映问题时请提供应答中的 ` + "`response_id`" + `，审计记录以它为索引。
业务失败的 HTTP 状态为 200；HTTP 状态为 401 的代码在网关配置了 ` + "`auth_failure_status 200`" + ` 时也以 200 应答。

`)
	group := byte(0)
	for _, c := range Codes() {
		if c.Number[0] != group {
			group = c.Number[0]
			fmt.Fprintf(&b, "## %cxxxx %s\n\n| 代码 | HTTP 状态 | 说明 | 如何处理 |\n|---|---|---|---|\n", group, groupNames[group])
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", c.Number, c.Status, c.Text, c.Remedy)
		if last := nextGroup(c); last {
			b.WriteString("\n")
		}
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

var groupNames = map[byte]string{
	'1': "请求", '2': "会话", '3': "权限", '4': "证照与用证码", '5': "频率", '9': "网关",
}

// nextGroup reports whether c is the last of its group.
func nextGroup(c *Code) bool {
	codes := Codes()
	for i, other := range codes {
		if other == c {
			return i == len(codes)-1 || codes[i+1].Number[0] != c.Number[0]
		}
	}
	return false
}

func interfacesPage() []byte {
	var b strings.Builder
	b.WriteString("# 接口清单\n\n" + generatedNote)
	b.WriteString(`标准第 6 章的 21 个接口（表 1 至表 21），以及三个补充接口。地址以 API_ROOT 为根，页面以 WEB_ROOT 为根，默认都是站点根目录。

| 表 | 名称 | 方法名称 | 请求方法 | 地址 | 别名 | 必选参数 | 可选参数 | 访问权限 |
|---|---|---|---|---|---|---|---|---|
`)
	for _, e := range Endpoints() {
		table := "补充"
		if e.Table > 0 {
			table = fmt.Sprint(e.Table)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | `%s` | %s | %s | %s | %s |\n", table, e.Name, e.Interface,
			strings.Join(e.Methods, "、"), e.Path, codes(e.Aliases), codes(e.Required), codes(e.Optional), accessName(e))
	}
	b.WriteString(fmt.Sprintf(`
## 参数的写法

- 每个接口都可带 `+"`request_id`"+`（至多 %d 个可见字符），应答的 `+"`correlation_id`"+` 原样返回。
- POST 接口的参数可以平铺，也可以放在 `+"`data`"+` 中；同一参数出现在多处时取值必须相同。`+"`data_fields`"+` 在 `+"`data`"+` 内外均可。
- GET 接口的参数全部在查询字符串中，对象（如 `+"`operator`"+`）写成 JSON 文本。口令、密钥与实名凭据（app_secret、password、credential）只能放在请求体中。
- 值为 null 或空白等于没有给出。不认识的参数被忽略。
- `+"`data_fields`"+` 是 JSON 对象，或内容为 JSON 对象的字符串；数据项名称至多 %d 个字符。
- `+"`license_codes`"+` 的每一项是字符串，或含 `+"`license_code`"+` 的对象；与 `+"`licenses`"+` 一样至多 %d 项。
- `+"`identity_number`"+` 以逗号分隔，至多 %d 个；`+"`status`"+` 以逗号分隔，取值 %s。
- `+"`page_index`"+` 默认 1；`+"`page_size`"+` 默认 10，最大 %d。数字也可写成字符串。
- `+"`show_sensitive_data`"+`、`+"`is_open`"+` 为 true 或 false，也可写成字符串。
- `+"`file_type`"+` 默认 PDF。`+"`sign`"+` 的 license_code 与 id_code 至少给出一个。
- 文本至多 %d 个字符，不含控制字符；编码两端的空白会被去掉。

请求体须为 UTF-8 编码的 JSON 对象（application/json，不压缩），嵌套不超过 %d 层，默认上限 %d MiB，批量接口 %d MiB。
会话令牌放在查询参数 `+"`access_token`"+` 或 `+"`Authorization: Bearer`"+` 请求头中，不得两处都有。
错误代码见 [errors.md](errors.md)。
`, maxRequestID, maxFieldName, maxRows, maxIdentities, statusesInWord, maxPageSize, maxText, maxDepth, DefaultLimits.Body>>20, DefaultLimits.Batch>>20))
	return []byte(b.String())
}

func codes(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	return "`" + strings.Join(names, "` `") + "`"
}

func accessName(e *Endpoint) string {
	switch e.Access {
	case Anyone:
		return "合法接入的应用"
	case PageAccess:
		return "持证照访问令牌者"
	case PublicAccess:
		return "任何人，无须登录"
	}
	return "已登录用户"
}

// The pages say what the table says: a row that loses a column would go unnoticed in a golden file that is written anew.
func TestDocsNameEverything(t *testing.T) {
	t.Parallel()
	errorPage, interfacePage := string(errorsPage()), string(interfacesPage())
	for _, c := range Codes() {
		if !strings.Contains(errorPage, fmt.Sprintf("| %s | %d | %s | %s |", c.Number, c.Status, c.Text, c.Remedy)) {
			t.Errorf("%s is not documented", c.Number)
		}
		if groupNames[c.Number[0]] == "" {
			t.Errorf("the group of %s has no name", c.Number)
		}
		if strings.Contains(c.Text+c.Remedy, "|") {
			t.Errorf("%s breaks the table", c.Number)
		}
	}
	for _, e := range Endpoints() {
		if !strings.Contains(interfacePage, "| `"+e.Path+"` |") {
			t.Errorf("%s is not documented", e.Interface)
		}
	}
	if strings.Contains(interfacePage, http.MethodHead) {
		t.Error("HEAD is not offered")
	}
}
