package protocol

import (
	"net/http"
	"slices"
	"strings"
)

// Code is one row of the error table. Number and Text are stable: clients match them.
type Code struct {
	Number string // digits
	Text   string // Chinese; what happened and what to do
	Status int    // HTTP status (domain.md §1: business failures answer 200)
	Remedy string // Chinese; what the caller does about it
}

// The error table. 1xxxx the request, 2xxxx the session, 3xxxx rights, 4xxxx licences and codes, 5xxxx limits, 9xxxx the gateway.
var (
	CodeMalformed = code("10001", "请求体不是合法的 JSON，请检查格式与编码（UTF-8）", http.StatusBadRequest,
		"检查 JSON 语法、UTF-8 编码、嵌套层数（不超过 32 层）；说明中给出出错位置")
	CodeMissing = code("10002", "缺少必选参数", http.StatusOK,
		"补齐说明中列出的参数")
	CodeParameter = code("10003", "参数取值不正确", http.StatusOK,
		"按说明修改该参数的类型、长度或取值")
	CodeAmbiguous = code("10004", "请求有歧义，已拒绝", http.StatusBadRequest,
		"去掉重复的查询参数、重复的成员名、路径中的编码或多余斜杠；令牌只放一处")
	CodeTooLarge = code("10005", "请求体超过大小上限", http.StatusRequestEntityTooLarge,
		"缩小请求体（默认上限 10 MiB，批量接口 64 MiB），或分批提交")
	CodeNoPath = code("10006", "接口不存在，请检查请求地址", http.StatusNotFound,
		"对照接口清单检查地址与 item_code 的写法")
	CodeMethod = code("10007", "请求方法不正确", http.StatusMethodNotAllowed,
		"按接口清单使用 GET 或 POST")
	CodeMediaType = code("10008", "请求体类型不受支持，请使用 application/json", http.StatusUnsupportedMediaType,
		"请求头设 Content-Type: application/json，字符集 UTF-8，不压缩")
	CodeConflict = code("10009", "同一参数在两处取值不同", http.StatusOK,
		"同一参数只在 data 内、data 外或查询参数中的一处给出")

	CodeNoToken = code("20001", "缺少访问令牌，请先登录", http.StatusUnauthorized,
		"调用登录接口，以查询参数 access_token 或 Authorization: Bearer 携带令牌")
	CodeBadToken = code("20002", "访问令牌无效或已过期，请重新登录", http.StatusUnauthorized,
		"重新登录取得新令牌")
	CodeCredentials = code("20003", "登录失败：应用、账户或口令不正确，或未获准登录", http.StatusOK,
		"核对 app_key、app_secret、account、password 与 org_code；连续失败会被锁定")
	CodeLocked = code("20004", "登录失败次数过多，请稍后再试", http.StatusOK,
		"等待锁定时间过去后再登录；忘记口令请联系管理部门")
	CodeAddress = code("20005", "来源地址不在该应用的许可范围内，请联系管理部门", http.StatusForbidden,
		"从已登记的地址调用，或请管理部门增加地址")
	CodeCredential = code("20006", "实名登录凭据无效或已过期，请重新完成实名认证", http.StatusOK,
		"引导持证人重新完成实名认证，取得新凭据")

	CodeAddressLocked = code("20007", "来源地址已被暂停访问，请联系管理部门", http.StatusForbidden,
		"联系管理部门查明原因；解除之后再调用")

	CodeAppRight = code("30001", "应用未获该证照的此项授权，请向管理部门申请", http.StatusOK,
		"按接入申请表（附录 A）向管理部门申请该证照的相应需求")
	CodeAccountRight = code("30002", "账户角色不允许此项操作，请联系本部门管理员", http.StatusOK,
		"请本部门管理员为账户增加相应角色")
	CodeServiceItem = code("30003", "事项编码未登记，或不属于本部门，或不可使用该证照", http.StatusOK,
		"使用本部门已登记、且可使用该证照的事项编码")

	CodeItemLocked = code("30004", "该证照目录已被暂停使用，请联系管理部门", http.StatusOK,
		"等待管理部门解除锁定后重试")

	CodeNoLicence = code("40001", "找不到该电子证照", http.StatusOK,
		"核对证照唯一编码、证照号码与 item_code")
	CodeDuplicate = code("40002", "已存在：存在重复的电子证照", http.StatusOK,
		"查询已有证照；需要更新时用修改或变更接口")
	CodeState = code("40003", "电子证照当前状态不允许此操作", http.StatusOK,
		"修改、删除、签发只能在签发前进行；变更、废止只能在签发后进行")
	CodeNoAbolish = code("40004", "找不到需要废止的电子证照", http.StatusOK,
		"核对证照唯一编码与证照号码")
	CodeNoSign = code("40005", "找不到需要签名的电子证照", http.StatusOK,
		"核对证照唯一编码与证照号码；确认证照已制作")
	CodeSeveral = code("40006", "该证照号码对应多张电子证照，请提供 license_code", http.StatusOK,
		"改用 license_code 指明证照")
	CodeField = code("40007", "证照数据项不正确", http.StatusOK,
		"按证照目录的数据项修改 data_fields")
	CodeNoItem = code("40008", "证照目录不存在，请检查 item_code", http.StatusOK,
		"调用证照目录查询接口核对 item_code")
	CodeItemClosed = code("40009", "证照目录未发布或未开通", http.StatusOK,
		"请目录编制部门发布并开通该目录")
	CodeNoCode = code("40010", "用证码无效或已过期，请重新获取", http.StatusOK,
		"重新检索取得新的用证码；用证码只能由取得它的应用使用")
	CodeNoGrantee = code("40011", "授权对象不存在该电子证照", http.StatusOK,
		"核对证件号码与授权对象")
	CodeNoPageToken = code("40012", "证照访问令牌无效、已使用或已过期，请重新获取", http.StatusOK,
		"用用证码重新换取证照访问令牌")
	CodeGroup = code("40013", "照面模版组别不存在", http.StatusOK,
		"核对 license_group；不填则使用默认模版")
	CodeMismatch = code("40014", "证照唯一编码与证照号码不一致", http.StatusOK,
		"核对 license_code 与 id_code，或只填其中一个")
	CodeStale = code("40015", "电子证照刚被修改，请重新查询后再试", http.StatusOK,
		"重新查询该证照后再提交")
	CodeFileType = code("40016", "不支持该电子文件类型，可用 PDF、OFD", http.StatusOK,
		"file_type 填 PDF（默认）或 OFD")

	CodeNoCheck = code("40017", "二维码无效，请核对后请持证人重新出示", http.StatusOK,
		"核对二维码的来源与内容，请持证人重新出示")
	CodeCheckExpired = code("40018", "二维码已过期，请持证人刷新后重新出示", http.StatusOK,
		"请持证人刷新页面后重新出示")

	CodeRate = code("50001", "请求过于频繁，请稍后再试", http.StatusTooManyRequests,
		"按 Retry-After 响应头等待后重试，并降低调用频率")

	CodeInternal = code("90001", "系统内部错误，请凭 response_id 联系管理部门", http.StatusInternalServerError,
		"稍后重试；仍失败时把 response_id 告知管理部门")
	CodeUnavailable = code("90002", "服务暂时不可用，请稍后再试", http.StatusServiceUnavailable,
		"稍后重试")
	CodeNoRecord = code("90003", "审计记录无法保存，已停止应答，请联系管理部门", http.StatusServiceUnavailable,
		"稍后重试；仍失败时告知管理部门")
	CodeWithheld = code("90004", "后端应答无法可靠脱敏，已扣留", http.StatusBadGateway,
		"把 response_id 告知管理部门")
	CodeUpstream = code("90005", "后端服务未正常应答", http.StatusBadGateway,
		"稍后重试；仍失败时把 response_id 告知管理部门")
	CodeChain = code("90006", "网关处理链配置不完整，已拒绝服务", http.StatusInternalServerError,
		"把 response_id 告知管理部门，由运维人员检查网关配置")
)

var table []*Code

func code(number, text string, status int, remedy string) *Code {
	c := &Code{Number: number, Text: text, Status: status, Remedy: remedy}
	table = append(table, c)
	return c
}

// Codes returns the whole table in order of number.
func Codes() []*Code { return slices.Clone(table) }

// FindCode returns the code of a number, nil when there is none.
func FindCode(number string) *Code {
	if i := slices.IndexFunc(table, func(c *Code) bool { return c.Number == number }); i >= 0 {
		return table[i]
	}
	return nil
}

// Failure is a refusal on its way to the caller. Detail (Chinese, optional) is added to the code's text; it never holds a
// caller's value, a secret or personal data.
type Failure struct {
	Code   *Code
	Detail string
	Inner  string // inner_code, e.g. a policy.Reason
	Status int    // overrides Code.Status when not 0
}

// Fail makes a Failure; detail may be empty.
func Fail(c *Code, detail string) *Failure { return &Failure{Code: c, Detail: detail} }

// Error names the code alone: a log or a wrapping error never gets the detail.
func (f *Failure) Error() string { return "protocol: " + f.Code.Number }

// Message is what the caller reads: the code's text, then the detail, or else what to do where the text does not say it.
func (f *Failure) Message() string {
	switch {
	case f.Detail != "":
		return f.Code.Text + "：" + f.Detail
	case strings.Contains(f.Code.Text, "请"):
		return f.Code.Text
	}
	return f.Code.Text + "（" + f.Code.Remedy + "）"
}

// HTTPStatus is what the answer carries.
func (f *Failure) HTTPStatus() int {
	if f.Status != 0 {
		return f.Status
	}
	return f.Code.Status
}
