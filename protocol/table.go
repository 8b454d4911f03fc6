package protocol

import (
	"net/http"
	"slices"
	"strings"
)

// Interface is the standard's method name (方法名称); it is also the act of a policy decision.
type Interface string

// The 21 interfaces (batch_create is table 11, which prints "create" twice), the two extra calls of domain.md §2, and the public page
// that a QR code leads to.
const (
	Login          Interface = "login"            // table 1
	Logout         Interface = "logout"           // table 2
	GetCurrentUser Interface = "get_current_user" // table 3
	List           Interface = "list"             // table 4
	Create         Interface = "create"           // table 5
	Update         Interface = "update"           // table 6
	Delete         Interface = "delete"           // table 7
	Sign           Interface = "sign"             // table 8
	Change         Interface = "change"           // table 9
	Abolish        Interface = "abolish"          // table 10
	BatchCreate    Interface = "batch_create"     // table 11
	BatchSign      Interface = "batch_sign"       // table 12
	PsnHolder      Interface = "psn_holder"       // table 13
	Auth           Interface = "auth"             // table 14
	Token          Interface = "token"            // table 15
	GetLicense     Interface = "get_license"      // table 16
	ViewLicense    Interface = "view_license"     // table 17
	GetLicenseQR   Interface = "get_license_qr"   // table 18
	GetTokenQR     Interface = "get_token_qr"     // table 19
	ArchiveQR      Interface = "archive_qr"       // table 20
	ViewMobile     Interface = "view_mobile"      // table 21
	Archive        Interface = "archive"          // 6.5.2.2 e
	Issue          Interface = "issue"            // create + sign, used by real clients
	Verify         Interface = "verify"           // is this licence real?
)

// Endpoint is one row of the interface table. Rows are shared: nobody changes them.
type Endpoint struct {
	Interface Interface
	Table     int      // of the standard; 0: extra call
	Name      string   // Chinese
	Methods   []string // the standard's first
	Path      string   // "/license/{item_code}/create"
	Aliases   []string // other paths of the same interface
	Access    Access
	Page      bool // answers a page for people, under WEB_ROOT
	Batch     bool // may carry the larger body
	// Required names the mandatory members (of data or of the query).
	Required []string
	// Optional names the other members that are read, besides request_id. What stands in neither list is ignored.
	Optional []string
}

// Changes reports whether the interface makes or changes licences (tables 5–12).
func (e *Endpoint) Changes() bool { return strings.HasPrefix(e.Path, "/license/{item_code}/") }

// Access says what an interface needs to know of the caller.
type Access int

// Anyone: login. SessionAccess: a session token. PageAccess: a license_access_token in the query. PublicAccess: nobody is asked who he is; he
// is told what everybody may know.
const (
	Anyone Access = iota
	SessionAccess
	PageAccess
	PublicAccess
)

var (
	onlyGet  = []string{http.MethodGet}
	onlyPost = []string{http.MethodPost}
	getPost  = []string{http.MethodGet, http.MethodPost}
)

// endpoints is the standard's chapter 6 in its order, then the extra calls.
//
// Where the tables' 必选 column is not followed:
//   - seal_code (table 5): absent from examples D.1 and F.1; absent means the item's default seal (domain.md §2).
//   - license_code and id_code (table 8): E.1 sends one of them. That both are not empty is the licence service's check.
//   - service_item_org (table 20): absent from example H.3.
//
// Members that the tables lack: abolish_reason (it is an attribute of a licence), seal_code per batch row, biz_num of
// archive_qr (H.3 sends it), and show_sensitive_data wherever licence data leave (domain.md §2).
var endpoints = []*Endpoint{
	{
		Interface: Login, Table: 1, Name: "登录", Methods: onlyPost, Path: "/security/login", Access: Anyone,
		Required: []string{"app_key", "app_secret", "account", "password"},
		Optional: []string{"org_code"},
	},
	{
		Interface: Logout, Table: 2, Name: "退出登录", Methods: onlyPost, Path: "/security/logout", Access: SessionAccess,
	},
	{
		Interface: GetCurrentUser, Table: 3, Name: "获取当前已登录用户信息", Methods: onlyGet,
		Path: "/security/get_current_user", Access: SessionAccess,
	},
	{
		Interface: List, Table: 4, Name: "全市电子证照目录查询", Methods: onlyGet, Path: "/license_item/list", Access: SessionAccess,
		Optional: []string{"page_index", "page_size", "keyword", "status", "is_open"},
	},
	{
		Interface: Create, Table: 5, Name: "创建制证数据", Methods: onlyPost, Path: "/license/{item_code}/create", Access: SessionAccess,
		Required: []string{"data_fields", "operator", "service_item_code", "service_item_name"},
		Optional: []string{"biz_num", "license_group", "seal_code"},
	},
	{
		Interface: Update, Table: 6, Name: "修改制证数据", Methods: onlyPost, Path: "/license/{item_code}/update", Access: SessionAccess,
		Required: []string{"license_code", "data_fields", "operator", "service_item_code", "service_item_name"},
		Optional: []string{"biz_num", "license_group", "seal_code"},
	},
	{
		Interface: Delete, Table: 7, Name: "删除制证数据", Methods: onlyPost, Path: "/license/{item_code}/delete", Access: SessionAccess,
		Required: []string{"license_code", "operator", "service_item_code", "service_item_name"},
		Optional: []string{"id_code", "biz_num"},
	},
	{
		Interface: Sign, Table: 8, Name: "签发一张证照", Methods: onlyPost, Path: "/license/{item_code}/sign", Access: SessionAccess,
		Required: []string{"service_item_code", "service_item_name", "operator"},
		Optional: []string{"license_code", "id_code", "biz_num"},
	},
	{
		Interface: Change, Table: 9, Name: "变更一张证照", Methods: onlyPost, Path: "/license/{item_code}/change", Access: SessionAccess,
		Required: []string{"license_code", "data_fields", "service_item_code", "service_item_name", "operator"},
		Optional: []string{"id_code", "biz_num"},
	},
	{
		Interface: Abolish, Table: 10, Name: "废止一张证照", Methods: onlyPost, Path: "/license/{item_code}/abolish", Access: SessionAccess,
		Required: []string{"license_code", "service_item_code", "service_item_name", "operator"},
		Optional: []string{"id_code", "biz_num", "abolish_reason"},
	},
	{
		Interface: BatchCreate, Table: 11, Name: "批量制作证照", Methods: onlyPost, Path: "/license/{item_code}/batch_create",
		Access: SessionAccess, Batch: true,
		Required: []string{"licenses", "service_item_code", "service_item_name", "operator"},
		Optional: []string{"biz_num"},
	},
	{
		Interface: BatchSign, Table: 12, Name: "批量签发证照", Methods: onlyPost, Path: "/license/{item_code}/batch_sign",
		Access: SessionAccess, Batch: true,
		Required: []string{"operator", "service_item_code", "service_item_name"},
		Optional: []string{"license_codes", "division_code", "biz_num"},
	},
	{
		Interface: PsnHolder, Table: 13, Name: "统一身份认证用证", Methods: onlyPost, Path: "/license/psn_holder",
		Aliases: []string{"/license/webpage"}, Access: SessionAccess,
		Required: []string{"credential"},
		Optional: []string{"page_index", "page_size", "show_sensitive_data"},
	},
	{
		Interface: Auth, Table: 14, Name: "依职能查验用证", Methods: onlyPost, Path: "/license/auth", Access: SessionAccess,
		Required: []string{"service_item_code", "service_item_name", "operator", "identity_number"},
		Optional: []string{"page_index", "page_size", "show_sensitive_data", "biz_num"},
	},
	{
		Interface: Token, Table: 15, Name: "获取证照访问令牌", Methods: onlyGet, Path: "/license/token", Access: SessionAccess,
		Required: []string{"auth_code"},
		Optional: []string{"show_sensitive_data"},
	},
	{
		Interface: GetLicense, Table: 16, Name: "提取证照数据", Methods: onlyGet, Path: "/license/get_license", Access: SessionAccess,
		Required: []string{"auth_code"},
		Optional: []string{"show_sensitive_data"},
	},
	{
		Interface: ViewLicense, Table: 17, Name: "查看电子证照页面", Methods: onlyGet, Path: "/license/view_license",
		Access: PageAccess, Page: true,
		Required: []string{"license_access_token"},
	},
	{
		Interface: GetLicenseQR, Table: 18, Name: "用证码提取证照数据", Methods: getPost, Path: "/license/get_license_qr",
		Access:   SessionAccess,
		Required: []string{"auth_code_qr", "service_item_code", "service_item_name", "operator"},
		Optional: []string{"biz_num", "show_sensitive_data"},
	},
	{
		Interface: GetTokenQR, Table: 19, Name: "用证码换取访问令牌", Methods: onlyPost, Path: "/license/get_token_qr", Access: SessionAccess,
		Required: []string{"auth_code_qr", "operator", "service_item_code", "service_item_name"},
		Optional: []string{"biz_num", "show_sensitive_data"},
	},
	{
		Interface: ArchiveQR, Table: 20, Name: "用证码归档电子文件", Methods: onlyPost, Path: "/license/archive_qr", Access: SessionAccess,
		Required: []string{"auth_code_qr", "service_item_code", "service_item_name", "operator"},
		Optional: []string{"file_type", "service_item_org", "biz_num", "show_sensitive_data"},
	},
	{
		Interface: ViewMobile, Table: 21, Name: "查看电子证照移动端页面", Methods: onlyGet, Path: "/license/view_mobile",
		Access: PageAccess, Page: true,
		Required: []string{"license_access_token"},
	},
	{
		Interface: Archive, Name: "归档电子文件", Methods: getPost, Path: "/license/archive", Access: SessionAccess,
		Required: []string{"auth_code"},
		Optional: []string{"file_type", "show_sensitive_data"},
	},
	{
		Interface: Issue, Name: "制证并签发", Methods: onlyPost, Path: "/license/{item_code}/issue", Access: SessionAccess,
		Required: []string{"data_fields", "operator", "service_item_code", "service_item_name"},
		Optional: []string{"biz_num", "license_group", "seal_code"},
	},
	{
		Interface: Verify, Name: "核验证照二维码", Methods: onlyGet, Path: "/verify", Access: PublicAccess, Page: true,
		Optional: []string{"c"},
	},
}

// Endpoints returns the table in the standard's order, the three extra calls last.
func Endpoints() []*Endpoint { return slices.Clone(endpoints) }

// Find returns the row of an interface, nil when there is none.
func Find(i Interface) *Endpoint {
	for _, e := range endpoints {
		if e.Interface == i {
			return e
		}
	}
	return nil
}

// memberNames are all names that the standard gives to members.
var memberNames = func() map[string]bool {
	m := map[string]bool{requestID: true}
	for _, e := range endpoints {
		for _, name := range slices.Concat(e.Required, e.Optional) {
			m[name] = true
		}
	}
	return m
}()
