package caddymodule

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"licgate/client"
	"licgate/protocol"
)

// selfcheck asks a gateway whether what a department was given works: from the department's machine, over HTTPS alone. It makes,
// changes and reads no licence: what proves a right is a call about somebody or something that cannot exist.
type selfcheck struct {
	root         *url.URL // API_ROOT
	trust        *tls.Config
	ownRoots     bool // --ca was given
	client       *client.Client
	account      string
	items        []string // catalogue codes that the list must hold
	serviceItems []string
	needs        []string // keys of provable

	answered  time.Time     // when healthz answered
	date      string        // the Date header of that answer
	token     client.Secret // the session's, for the look after its end
	published map[string]bool
}

// What cannot exist: a person born in 1900 in no division (the check character is right, GB 11643), a licence made in the year 0000,
// and a token that nobody was given.
const (
	impossiblePerson  = "000000190001010009"
	impossibleLicence = "000000000000000000"
)

var impossibleToken = client.NewSecret("lgs1_" + strings.Repeat("A", 43))

// Bounds of the self-check.
const (
	stepPatience   = 20 * time.Second
	clockTolerance = 5 * time.Minute
	// renewalNotice is how long before a certificate ends somebody should renew it. One that lives for less than machineRenewed is
	// renewed by a machine.
	renewalNotice  = 14 * 24 * time.Hour
	machineRenewed = 30 * 24 * time.Hour
	listPage       = 150
	maxListPages   = 200
)

// checked is one line of the report.
type checked struct {
	Check      string `json:"check"`
	Name       string `json:"name"`
	Result     string `json:"result"` // pass, fail, skip
	Detail     string `json:"detail"`
	Remedy     string `json:"remedy,omitempty"` // what to do; with pass: what to mind
	Code       string `json:"code,omitempty"`   // docs/errors.md
	ResponseID string `json:"response_id,omitempty"`
}

// Values of checked.Result.
const (
	resultPass = "pass"
	resultFail = "fail"
	resultSkip = "skip"
)

func passed(format string, args ...any) checked {
	return checked{Result: resultPass, Detail: fmt.Sprintf(format, args...)}
}

func failed(remedy, format string, args ...any) checked {
	return checked{Result: resultFail, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

func skipped(detail string) checked { return checked{Result: resultSkip, Detail: detail} }

// selfcheckStep is one question. It is skipped where one of after did not pass.
type selfcheckStep struct {
	check, name string
	after       string
	ask         func(context.Context) checked
	// always: also after an interruption, since a session that was opened must be ended.
	always bool
}

func (s *selfcheck) steps() []selfcheckStep {
	steps := []selfcheckStep{
		{check: "network", name: "网络连接", ask: s.network},
		{check: "tls", name: "TLS 与证书", after: "network", ask: s.handshake},
		{check: "healthz", name: "网关健康状态", after: "tls", ask: s.healthz},
		{check: "clock", name: "时钟", after: "tls", ask: s.clock},
		{check: "wrong_token", name: "拒绝无效令牌", after: "tls", ask: s.wrongToken},
		{check: "login", name: "登录", after: "tls", ask: s.login},
		{check: "current_user", name: "当前账户", after: "login", ask: s.currentUser},
		{check: "list", name: "证照目录", after: "login", ask: s.list},
	}
	for _, item := range s.items {
		steps = append(steps, selfcheckStep{check: "item", name: "目录 " + item, after: "list", ask: func(ctx context.Context) checked {
			return s.item(ctx, item)
		}})
	}
	for _, need := range s.needs {
		for _, about := range s.subjects(need) {
			steps = append(steps, selfcheckStep{
				check: "right", name: "权限 " + provable[need].name + "（" + about.String() + "）", after: "login",
				ask: func(ctx context.Context) checked { return provable[need].ask(s, ctx, about) },
			})
		}
	}
	if len(s.serviceItems) == 0 {
		steps = append(steps, selfcheckStep{check: "right", name: "权限", after: "login", ask: func(context.Context) checked {
			return skipped("没有用 --service-item 给出事项编码，未检查权限")
		}})
	}
	return append(steps,
		selfcheckStep{check: "logout", name: "退出登录", after: "login", ask: s.logout, always: true},
		selfcheckStep{check: "ended", name: "退出后令牌失效", after: "logout", ask: s.ended},
	)
}

// run asks all questions in order and tells of each as it is asked and answered.
func (s *selfcheck) run(ctx context.Context, begin func(name string), end func(checked)) []checked {
	var all []checked
	failing := map[string]string{} // names of steps that did not pass
	for _, step := range s.steps() {
		begin(step.name)
		var r checked
		switch reason, missing := failing[step.after]; {
		case missing:
			r = skipped("“" + reason + "”未通过，无法检查")
		case ctx.Err() != nil && !step.always:
			r = skipped(errInterrupted.Error())
		default:
			r = s.ask(ctx, step)
		}
		r.Check, r.Name = step.check, step.name
		if r.Result != resultPass {
			failing[step.check] = step.name
		}
		all = append(all, r)
		end(r)
	}
	return all
}

func (s *selfcheck) ask(ctx context.Context, step selfcheckStep) checked {
	if step.always {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, stepPatience)
	defer cancel()
	return step.ask(ctx)
}

func (s *selfcheck) host() string { return s.root.Hostname() }

func (s *selfcheck) address() string {
	return net.JoinHostPort(s.host(), cmp.Or(s.root.Port(), "443"))
}

const noProxy = "本命令直接连接，不使用代理。"

func (s *selfcheck) network(ctx context.Context) checked {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address())
	var name *net.DNSError
	switch {
	case errors.As(err, &name):
		return failed("核对 --url 中的主机名；检查本机的 DNS 设置，或请管理部门告知地址后写入 hosts", "主机名 %s 无法解析", s.host())
	case errors.Is(err, context.DeadlineExceeded):
		return failed("检查防火墙与路由，请网络管理员放行到该地址的访问。"+noProxy, "连接 %s 超时", s.address())
	case err != nil:
		return failed("核对 --url 的端口；向管理部门确认网关在运行；检查防火墙。"+noProxy, "连不上 %s：%v", s.address(), err)
	}
	defer conn.Close()
	return passed("已连通 %s，本机地址 %s（须在登记的来源地址之内，经地址转换时以转换后的为准）",
		conn.RemoteAddr(), conn.LocalAddr().(*net.TCPAddr).IP)
}

func (s *selfcheck) handshake(ctx context.Context) checked {
	conn, err := (&tls.Dialer{Config: s.trust}).DialContext(ctx, "tcp", s.address())
	if err != nil {
		return s.distrust(err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	leaf := state.PeerCertificates[0]
	left := time.Until(leaf.NotAfter)
	r := passed("%s，证书链已校验，签发者 %s，%s后到期", tls.VersionName(state.Version), leaf.Issuer.CommonName, roughly(left))
	switch whole := leaf.NotAfter.Sub(leaf.NotBefore); {
	case whole <= machineRenewed:
		r.Detail += "（短期证书，由网关自动更换）"
	case left < renewalNotice:
		r.Remedy = "证书即将到期，请提醒管理部门更换"
	}
	return r
}

// roughly says a time that is left in days, or in hours when it is short.
func roughly(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%d 小时", int(d.Hours()))
	}
	return fmt.Sprintf("%d 天", int(d.Hours()/24))
}

// distrust says why a handshake failed.
func (s *selfcheck) distrust(err error) checked {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		plain   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown) && s.ownRoots:
		return failed("核对 --ca 指定的是不是管理部门提供的根证书；如证书无误，可能有人冒充网关，请停止并报告", "证书不是由 --ca 指定的根签发的")
	case errors.As(err, &unknown):
		return failed("向管理部门索取根证书，用 --ca 指定；不要关闭证书校验", "证书不是由本机信任的根签发的")
	case errors.As(err, &name):
		return failed("核对 --url 中的主机名，须与管理部门告知的一致", "证书不属于主机名 %s", s.host())
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return failed("核对本机时钟；时钟无误时请管理部门更换证书", "证书已过期或尚未生效")
	case errors.As(err, &plain):
		return failed("核对 --url 的端口，须是 HTTPS 端口", "%s 不是 TLS 端口", s.address())
	}
	if noCertificate(err) {
		return failed("核对 --url 中的主机名，须与管理部门告知的一致"+s.byAddress(), "网关多半没有 %s 的证书，因此拒绝握手：%v", s.host(), err)
	}
	return failed("网关要求 TLS 1.2 以上；检查中间设备是否干预了 TLS，仍失败时告知管理部门", "TLS 握手失败：%v", err)
}

// noCertificate recognises what a server says that has no certificate for the name it was asked by: Caddy an internal error, others that
// they don't recognise the name.
func noCertificate(err error) bool {
	var told *net.OpError
	return errors.As(err, &told) && told.Op == "remote error" &&
		slices.Contains([]string{"tls: internal error", "tls: unrecognized name"}, told.Err.Error())
}

// byAddress is what else to do where the gateway was called by its IP address.
func (s *selfcheck) byAddress() string {
	if net.ParseIP(s.host()) == nil {
		return ""
	}
	return "，不能用 IP 地址代替；主机名无法解析时请写入 hosts"
}

func (s *selfcheck) healthz(ctx context.Context) checked {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.root.JoinPath("healthz").String(), nil)
	if err != nil {
		return failed("核对 --url", "%v", err)
	}
	transport := &http.Transport{TLSClientConfig: s.trust.Clone(), DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req) // follows no redirect
	if err != nil {
		return troubled(err)
	}
	defer resp.Body.Close()
	s.answered, s.date = time.Now(), resp.Header.Get("Date")
	switch resp.StatusCode {
	case http.StatusOK:
		return passed("GET /healthz 返回 200")
	case http.StatusForbidden, http.StatusNotFound:
		return skipped(fmt.Sprintf("GET /healthz 返回 %d，此地址没有对外开放", resp.StatusCode))
	}
	return failed("网关没有就绪，稍后再试；仍失败时告知管理部门", "GET /healthz 返回 %d", resp.StatusCode)
}

func (s *selfcheck) clock(context.Context) checked {
	date, err := http.ParseTime(s.date)
	if err != nil {
		return skipped("没有取得网关的时间（Date 应答头）")
	}
	skew := s.answered.Sub(date).Abs()
	r := passed("与网关相差 %d 秒", int(skew.Seconds()))
	if skew > clockTolerance {
		r.Remedy = "本机时钟与网关相差超过 5 分钟：请启用时间同步（NTP），否则日志对不上，实名凭据的有效期也会算错"
	}
	return r
}

func (s *selfcheck) login(ctx context.Context) checked {
	if err := s.client.Login(ctx); err != nil {
		return troubled(err)
	}
	s.token = s.client.Token()
	return passed("已取得会话令牌")
}

func (s *selfcheck) currentUser(ctx context.Context) checked {
	a, err := s.client.CurrentUser(ctx)
	switch {
	case err != nil:
		return troubled(err)
	case a.Data.Account != s.account:
		return withAnswer(failed("把应答标识告知管理部门", "网关认出的账户是 %s", a.Data.Account), a.ResponseID)
	}
	r := passed("账户 %s，部门 %s（%s），角色 %s", a.Data.Account, a.Data.ServiceOrg, a.Data.ServiceOrgCode, cmp.Or(a.Data.Role, "无"))
	if a.Data.Role == "" {
		r.Remedy = "账户没有任何角色，除查询目录外的调用都会被拒绝：请本部门管理员增加角色"
	}
	return withAnswer(r, a.ResponseID)
}

func withAnswer(r checked, responseID string) checked {
	r.ResponseID = responseID
	return r
}

func (s *selfcheck) list(ctx context.Context) checked {
	published, total, err := s.catalogue(ctx, client.ListQuery{})
	if err != nil {
		return troubled(err)
	}
	s.published = published
	return passed("共 %d 种已发布并开通的证照", total)
}

// catalogue reads the list page by page until it knows all items that are asked for. The list cannot be searched by code (table 4).
func (s *selfcheck) catalogue(ctx context.Context, q client.ListQuery) (codes map[string]bool, total int, err error) {
	codes = map[string]bool{}
	q.PageSize = listPage
	for q.PageIndex = 1; q.PageIndex <= maxListPages; q.PageIndex++ {
		a, err := s.client.List(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		for _, item := range a.Data {
			codes[item.Code] = true
		}
		total = a.TotalCount
		unknown := func(item string) bool { return !holds(codes, item) }
		if q.PageIndex*listPage >= total || len(a.Data) == 0 || !slices.ContainsFunc(s.items, unknown) {
			break
		}
	}
	return codes, total, nil
}

// holds reports whether the list has an item, which calls may name by its basic part too (domain.md §4).
func holds(codes map[string]bool, item string) bool {
	const basic, whole = 9, 24
	if codes[item] || len(item) == whole && codes[item[:basic]] {
		return true
	}
	if len(item) == basic {
		for code := range codes {
			if len(code) == whole && code[:basic] == item {
				return true
			}
		}
	}
	return false
}

func (s *selfcheck) item(ctx context.Context, item string) checked {
	if holds(s.published, item) {
		return passed("已发布并开通")
	}
	for _, closed := range []bool{false, true} {
		known, _, err := s.catalogue(ctx, client.ListQuery{Status: []string{"DRAFT", "PUBLISH", "CANCEL"}, Closed: closed})
		if err != nil {
			return troubled(err)
		}
		if holds(known, item) {
			return failed("请目录编制部门发布并开通该目录", "目录已登记，但未发布或未开通")
		}
	}
	return failed("核对目录编码；编码无误时请管理部门登记该目录", "证照目录中没有这个编码")
}

func (s *selfcheck) wrongToken(ctx context.Context) checked {
	return s.refusesToken(ctx, impossibleToken, "网关接受了一个不存在的令牌")
}

func (s *selfcheck) ended(ctx context.Context) checked {
	return s.refusesToken(ctx, s.token, "退出登录后令牌仍然有效")
}

// refusesToken expects 20002, with whatever HTTP status the gateway was told to give it.
func (s *selfcheck) refusesToken(ctx context.Context, token client.Secret, accepted string) checked {
	a, err := s.client.Send(ctx, token, http.MethodGet, "/security/get_current_user", nil, nil)
	var e *client.Error
	switch {
	case err == nil:
		return withAnswer(failed("立即把应答标识告知管理部门，在查明之前不要使用该网关", "%s", accepted), a.ResponseID)
	case errors.As(err, &e) && e.Code == protocol.CodeBadToken.Number:
		return checked{Result: resultPass, Detail: fmt.Sprintf("被拒绝（代码 %s，HTTP %d）", e.Code, e.HTTPStatus), Code: e.Code, ResponseID: e.ResponseID}
	}
	return troubled(err)
}

func (s *selfcheck) logout(ctx context.Context) checked {
	if err := s.client.Logout(ctx); err != nil {
		return troubled(err)
	}
	return passed("会话已结束")
}

// troubled says what a call's error means and what to do about it.
func troubled(err error) checked {
	var e *client.Error
	switch {
	case errors.As(err, &e) && e.Code != "":
		message, remedy := e.Message, "把应答标识告知管理部门"
		if code := protocol.FindCode(e.Code); code != nil {
			// Some messages end with the remedy, which stands on its own here.
			message, remedy = strings.TrimSuffix(message, "（"+code.Remedy+"）"), code.Remedy
		}
		r := failed(remedy, "代码 %s：%s（HTTP %d）", e.Code, message, e.HTTPStatus)
		r.Code, r.ResponseID = e.Code, e.ResponseID
		return r
	case errors.As(err, &e):
		return withAnswer(failed("核对 --url 是否为网关的地址，中间的代理有没有改动应答", "应答不是标准规定的结构（HTTP %d）", e.HTTPStatus), e.ResponseID)
	case errors.Is(err, context.Canceled):
		return skipped(errInterrupted.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return failed("检查网络后再试；仍失败时告知管理部门", "%d 秒内没有应答", int(stepPatience.Seconds()))
	}
	return failed("检查网络后再试；仍失败时告知管理部门", "没有得到应答：%v", err)
}

// subject is what a right is about; item is empty where the call names none.
type subject struct{ item, serviceItem string }

func (a subject) String() string {
	if a.item == "" {
		return "事项 " + a.serviceItem
	}
	return "目录 " + a.item + "，事项 " + a.serviceItem
}

// provable are the needs of the form (appendix A) whose grant shows in calls that do nothing. Of the others a grant shows only with a
// licence at hand.
var provable = map[string]struct {
	name    string
	perItem bool
	ask     func(*selfcheck, context.Context, subject) checked
}{
	"function_call": {"依职能调用", false, (*selfcheck).functionCall},
	"issue": {"发证", true, func(s *selfcheck, ctx context.Context, about subject) checked {
		return s.writes(ctx, about, "delete", "sign") // of the roles issuer and approver
	}},
	"abolish": {"废止", true, func(s *selfcheck, ctx context.Context, about subject) checked { return s.writes(ctx, about, "abolish") }},
}

// subjects are what a need is asked about.
func (s *selfcheck) subjects(need string) []subject {
	var all []subject
	for _, serviceItem := range s.serviceItems {
		if !provable[need].perItem {
			all = append(all, subject{serviceItem: serviceItem})
			continue
		}
		for _, item := range s.items {
			all = append(all, subject{item, serviceItem})
		}
	}
	return all
}

func (s *selfcheck) business(about subject) client.Business {
	return client.Business{ServiceItemCode: about.serviceItem, ServiceItemName: "接入自检", Operator: client.User{Account: s.account}}
}

// functionCall looks for the licences of somebody who cannot exist. The answer is a success when any licence that the service item may
// use is granted; which one it does not say.
func (s *selfcheck) functionCall(ctx context.Context, about subject) checked {
	a, err := s.client.Auth(ctx, client.AuthRequest{Business: s.business(about), IdentityNumbers: []string{impossiblePerson}})
	switch {
	case err != nil:
		return troubled(err)
	case len(a.Data) > 0 || a.TotalCount > 0:
		return withAnswer(failed("把应答标识告知管理部门", "检索一个不可能存在的证件号码，却得到 %d 张证照", a.TotalCount), a.ResponseID)
	}
	r := passed("auth 可用，检索不存在的号码得到 0 张证照")
	if len(s.items) > 1 {
		r.Remedy = "auth 成功只说明该事项至少有一种证照已授权；各种证照的授权以管理部门告知的为准"
	}
	return withAnswer(r, a.ResponseID)
}

// notFound are what writes of a licence that cannot exist are answered with once all rights are there.
var notFound = []string{protocol.CodeNoLicence.Number, protocol.CodeNoAbolish.Number, protocol.CodeNoSign.Number}

// writes tries writes upon a licence that cannot exist. That the account may do only some of them is fine: making and signing are often
// parted.
func (s *selfcheck) writes(ctx context.Context, about subject, verbs ...string) checked {
	var may []string
	var refused checked
	body := map[string]any{"data": struct {
		client.Business
		LicenseCode string `json:"license_code"`
	}{s.business(about), impossibleLicence}}
	for _, verb := range verbs {
		a, err := s.client.Call(ctx, http.MethodPost, "/license/"+about.item+"/"+verb, nil, body)
		var e *client.Error
		switch {
		case err == nil:
			return withAnswer(failed("把应答标识告知管理部门", "%s 一张不可能存在的证照，却成功了", verb), a.ResponseID)
		case errors.As(err, &e) && slices.Contains(notFound, e.Code):
			may = append(may, verb)
		case errors.As(err, &e) && e.Code == protocol.CodeAccountRight.Number:
			refused = troubled(err)
		default:
			return troubled(err)
		}
	}
	if len(may) == 0 {
		return refused
	}
	r := passed("%s 可用，以不存在的证照编码试过，没有改动任何证照", strings.Join(may, "、"))
	if len(may) < len(verbs) {
		r.Remedy = "账户只有发证的部分角色：制证与签发由不同账户办理时正常，否则请本部门管理员增加角色"
	}
	return r
}
