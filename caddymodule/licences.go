package caddymodule

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"licgate/licence"
	"licgate/masking"
	"licgate/protocol"
	"licgate/session"
)

// Licences answers the JSON interfaces of the standard from built-in storage. Pages go on to the next handler.
//
// Syntax:
//
//	licgate_licences
type Licences struct {
	app     *App
	service *licence.Service
	manager *session.Manager
	logger  *zap.Logger
	answers map[protocol.Interface]answerer
}

// CaddyModule returns the Caddy module information.
func (Licences) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_licences", New: func() caddy.Module { return new(Licences) }}
}

// Provision finds the app.
func (l *Licences) Provision(ctx caddy.Context) (err error) {
	l.logger = ctx.Logger()
	if l.app, err = appOf(ctx); err != nil {
		return err
	}
	l.service, l.manager, l.answers = l.app.gateway.licences, l.app.sessions, l.handlers()
	return nil
}

func parseLicences(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	return new(Licences), noArguments(h.Dispenser)
}

// ServeHTTP answers one call. What it needs to know was parsed and decided before.
func (l *Licences) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	t, err := arrivedAtEnd(r, "licgate_licences")
	if err != nil {
		return err
	}
	if t.call == nil || t.endpoint == nil || t.endpoint.Page {
		return next.ServeHTTP(w, r)
	}
	answer, known := l.answers[t.call.Endpoint.Interface]
	if !known {
		return protocol.Fail(protocol.CodeNoPath, "")
	}
	a := protocol.Answer{Interface: t.call.Endpoint.Interface}
	if err := answer(r, t, &a); err != nil {
		return reword(a.Interface, err)
	}
	a.MaskedFields = t.maskedIn(a.Data)
	return t.writeAnswer(w, http.StatusOK, &a)
}

type answerer func(r *http.Request, t *trip, a *protocol.Answer) error

func (l *Licences) handlers() map[protocol.Interface]answerer {
	return map[protocol.Interface]answerer{
		protocol.Login: l.login, protocol.Logout: l.logout, protocol.GetCurrentUser: l.currentUser,
		protocol.List:   l.list,
		protocol.Create: l.create, protocol.Update: l.update, protocol.Delete: l.delete,
		protocol.Sign: l.sign, protocol.Change: l.change, protocol.Abolish: l.abolish, protocol.Issue: l.issue,
		protocol.BatchCreate: l.batchCreate, protocol.BatchSign: l.batchSign,
		protocol.PsnHolder: l.holder, protocol.Auth: l.auth,
		protocol.Token: l.token, protocol.GetTokenQR: l.token,
		protocol.GetLicense: l.getLicense, protocol.GetLicenseQR: l.getLicense,
		protocol.Archive: l.archive, protocol.ArchiveQR: l.archive,
	}
}

func (l *Licences) login(r *http.Request, t *trip, a *protocol.Answer) error {
	address, err := netip.ParseAddr(clientIP(r))
	if err != nil {
		return fmt.Errorf("the client's address: %w", err)
	}
	c := t.call
	token, s, err := l.manager.Login(r.Context(), session.Credentials{
		AppKey: c.AppKey, AppSecret: c.AppSecret, Account: c.Params.Account, Password: c.Password, OrgCode: c.OrgCode,
		Address: address,
	})
	if err != nil {
		t.record.Allow, t.record.Reason = false, "login_refused"
		return err
	}
	t.record.Department, t.record.SessionID = s.Department, s.ID
	a.AccessToken = token
	return nil
}

func (l *Licences) logout(r *http.Request, t *trip, _ *protocol.Answer) error {
	return l.manager.Logout(r.Context(), t.sessionToken)
}

func (l *Licences) currentUser(_ *http.Request, t *trip, a *protocol.Answer) error {
	account, ok := t.state.registry.Account(t.session.Account)
	if !ok {
		return session.ErrNoSession
	}
	user := protocol.UserInfo{
		Account: account.Account, Name: account.Name, ServiceOrgCode: t.session.Department,
		Creator: account.Creator, CreationTime: account.CreationTime,
		LastModificator: account.LastModificator, LastModificationTime: account.LastModificationTime,
	}
	for i, role := range account.Roles {
		if i > 0 {
			user.Role += ","
		}
		user.Role += role
	}
	if d, ok := t.state.registry.Department(t.session.Department); ok {
		user.ServiceOrg, user.Division, user.DivisionCode = d.Name, d.Division, d.DivisionCode
	}
	if len(account.IdentitySealed) > 0 {
		number, err := vault{l.app.gateway.keys}.OpenIdentity(account.Account, account.IdentitySealed)
		if err != nil {
			return fmt.Errorf("opening an account's identity number: %w", err)
		}
		user.IdentityNum = t.state.masking.Mask(masking.IdentityNumber, number)
	}
	a.Data = user
	return nil
}

func (l *Licences) list(_ *http.Request, t *trip, a *protocol.Answer) error {
	c := t.call
	items, total := licence.List(t.state.items, licence.Query{
		Keyword: c.Keyword, Status: c.Status, Open: c.IsOpen, Page: page(c),
	})
	data := make([]protocol.LicenseItem, 0, len(items))
	for _, item := range items {
		data = append(data, wireItem(t.state.registry, item.Code))
	}
	a.TotalCount, a.Data = &total, data
	return nil
}

func page(c *protocol.Call) licence.Page {
	return licence.Page{Index: c.PageIndex, Size: c.PageSize}
}

// making is the content that a call gives for a licence.
func making(c *protocol.Call) licence.Making {
	return licence.Making{
		Fields: c.DataFields, Group: c.LicenseGroup, SealCode: c.SealCode,
		ServiceItem: c.ServiceItemCode, ServiceItemName: c.ServiceItemName, BizNum: c.BizNum,
	}
}

func target(c *protocol.Call) licence.Target {
	return licence.Target{Code: c.LicenseCode, IDCode: c.IDCode}
}

func (l *Licences) create(r *http.Request, t *trip, a *protocol.Answer) error {
	made, err := l.service.Create(r.Context(), t.actor(), t.items[0], making(t.call))
	return t.made(made, err, a)
}

func (l *Licences) issue(r *http.Request, t *trip, a *protocol.Answer) error {
	made, err := l.service.Issue(r.Context(), t.actor(), t.items[0], making(t.call))
	return t.made(made, err, a)
}

func (l *Licences) change(r *http.Request, t *trip, a *protocol.Answer) error {
	made, err := l.service.Change(r.Context(), t.actor(), t.items[0], target(t.call), making(t.call))
	return t.made(made, err, a)
}

func (t *trip) made(m licence.Made, err error, a *protocol.Answer) error {
	if err != nil {
		return err
	}
	t.noteLicence(m.Licence.Code)
	a.Data = protocol.Made{LicenseCode: m.Licence.Code, AuthCode: m.AuthCode}
	return nil
}

func (l *Licences) update(r *http.Request, t *trip, _ *protocol.Answer) error {
	_, err := l.service.Update(r.Context(), t.actor(), t.items[0], target(t.call), making(t.call))
	return err
}

func (l *Licences) delete(r *http.Request, t *trip, _ *protocol.Answer) error {
	_, err := l.service.Delete(r.Context(), t.actor(), t.items[0], target(t.call))
	return err
}

func (l *Licences) sign(r *http.Request, t *trip, _ *protocol.Answer) error {
	signed, err := l.service.Sign(r.Context(), t.actor(), t.items[0], target(t.call))
	if err == nil && t.call.LicenseCode == "" {
		t.noteLicence(signed.Code)
	}
	return err
}

func (l *Licences) abolish(r *http.Request, t *trip, _ *protocol.Answer) error {
	_, err := l.service.Abolish(r.Context(), t.actor(), t.items[0], target(t.call), t.call.AbolishReason)
	return err
}

func (l *Licences) batchCreate(r *http.Request, t *trip, a *protocol.Answer) error {
	rows := make([]licence.Making, 0, len(t.call.Licenses))
	for _, row := range t.call.Licenses {
		m := making(t.call)
		m.Fields = row.DataFields
		if row.LicenseGroup != "" {
			m.Group = row.LicenseGroup
		}
		if row.SealCode != "" {
			m.SealCode = row.SealCode
		}
		rows = append(rows, m)
	}
	made, err := l.service.BatchCreate(r.Context(), t.actor(), t.items[0], rows)
	if err != nil && len(made) == 0 {
		return err
	}
	codes := make([]any, 0, len(rows))
	for _, row := range made {
		if row.Err != nil {
			f := l.rowFailure(t, row.Err)
			codes = append(codes, batchFailure{ErrorCode: f.Code.Number, Message: f.Message()})
			continue
		}
		t.noteLicence(row.Made.Licence.Code)
		codes = append(codes, row.Made.Licence.Code)
	}
	if err != nil { // the rows so far are made: the caller must hear of them
		f := l.rowFailure(t, err)
		for range rows[len(made):] {
			codes = append(codes, batchFailure{ErrorCode: f.Code.Number, Message: f.Message()})
		}
	}
	a.Data = map[string]any{"license_codes": codes}
	return nil
}

// rowFailure is what a batch says of one row; the gateway's own faults are logged.
func (l *Licences) rowFailure(t *trip, err error) *protocol.Failure {
	f, logIt := failureOf(reword(t.call.Endpoint.Interface, err))
	if logIt {
		l.logger.Error("a row of a batch failed", zap.String("response_id", t.responseID), zap.Error(err))
	}
	return f
}

// batchFailure stands in license_codes (List<Object>, table 11) where a row was not made.
type batchFailure struct {
	ErrorCode string `json:"error_code"`
	Message   string `json:"message"`
}

func (l *Licences) batchSign(r *http.Request, t *trip, a *protocol.Answer) error {
	c := t.call
	rows, err := l.service.BatchSign(r.Context(), t.actor(), t.items[0], c.LicenseCodes, c.BizNum, c.DivisionCode)
	if err != nil && len(rows) == 0 {
		return err
	}
	results := make([]protocol.BatchSignResult, 0, len(rows))
	fail := func(code string, err error) {
		// The text alone, as F.2 prints it.
		results = append(results, protocol.BatchSignResult{LicenseCode: code, ResultMsg: l.rowFailure(t, err).Code.Text, ResultCode: "signFail"})
	}
	for _, row := range rows {
		if row.Err != nil {
			fail(row.Code, row.Err)
			continue
		}
		if len(c.LicenseCodes) == 0 {
			t.noteLicence(row.Code)
		}
		results = append(results, protocol.BatchSignResult{LicenseCode: row.Code, ResultMsg: "SUCCESS", ResultCode: "signSuccess"})
	}
	switch { // the rows so far are signed: the caller must hear of them, and that it was not all
	case err != nil && len(c.LicenseCodes) == 0:
		fail("", err)
	case err != nil:
		for _, code := range c.LicenseCodes[len(rows):] {
			fail(code, err)
		}
	}
	a.Data = map[string]any{"result": results}
	return nil
}

// itemCodes are the codes of the items that the decision allows.
func (t *trip) itemCodes() []string {
	codes := make([]string, 0, len(t.items))
	for _, item := range t.items {
		codes = append(codes, item.Code)
	}
	return codes
}

func (l *Licences) auth(r *http.Request, t *trip, a *protocol.Answer) error {
	found, total, err := l.service.ByHolder(r.Context(), t.call.IdentityNumbers, t.itemCodes(), page(t.call))
	if err != nil {
		return err
	}
	codes, err := l.service.NewAuthCodes(r.Context(), found, t.grant())
	if err != nil {
		return err
	}
	a.TotalCount, a.AuthCodes, a.Data = &total, codes, t.wireLicences(found)
	return nil
}

func (l *Licences) holder(r *http.Request, t *trip, a *protocol.Answer) error {
	found, total, err := l.service.ByHolder(r.Context(), []string{t.holder.IdentityNum}, t.itemCodes(), page(t.call))
	if err != nil {
		return err
	}
	codes, err := l.service.NewShowCodes(r.Context(), found, t.grant())
	if err != nil {
		return err
	}
	a.TotalCount, a.AuthCodes, a.Data = &total, codes, t.wireLicences(found)
	return nil
}

// redeem uses a show code up, where the call is one of the *_qr interfaces.
func (l *Licences) redeem(r *http.Request, t *trip) error {
	switch t.call.Endpoint.Interface {
	case protocol.GetLicenseQR, protocol.GetTokenQR, protocol.ArchiveQR:
		return l.service.Redeem(r.Context(), *t.resolved, t.grant(), t.request.Interface, t.call.RequestID)
	}
	return nil
}

func (l *Licences) token(r *http.Request, t *trip, a *protocol.Answer) error {
	if err := l.redeem(r, t); err != nil {
		return err
	}
	token, expires, err := l.service.NewAccessToken(r.Context(), *t.resolved, t.grant(), t.call.RequestID)
	if err != nil {
		return err
	}
	millis := t.call.Endpoint.Interface == protocol.Token // table 15 prints fractions, table 19 does not
	a.Data = protocol.AccessToken{ExpiresIn: protocol.Time(expires, millis), LicenseAccessToken: token}
	return nil
}

func (l *Licences) getLicense(r *http.Request, t *trip, a *protocol.Answer) error {
	if err := l.redeem(r, t); err != nil {
		return err
	}
	wire := t.wireLicence(t.resolved.Licence)
	if wire == nil {
		return errors.New("a licence without a plan")
	}
	a.Data = wire
	return nil
}

// fileKinds are the file_type of archive and archive_qr, and how each file ends.
var fileKinds = map[string]string{"PDF": ".pdf", "OFD": ".ofd"}

func (l *Licences) archive(r *http.Request, t *trip, a *protocol.Answer) error {
	ending, known := fileKinds[t.call.FileType]
	if !known {
		return protocol.Fail(protocol.CodeFileType, "")
	}
	if t.resolved.Licence.State != licence.Issued {
		return licence.ErrState
	}
	file, err := t.file(r.Context(), t.resolved.Licence, ending == ".ofd")
	if err != nil {
		return err
	}
	// Used up only once there is something to hand over.
	if err := l.redeem(r, t); err != nil {
		return err
	}
	a.Data = protocol.File{FileName: t.resolved.Licence.Code + ending, FileData: base64.StdEncoding.EncodeToString(file)}
	return nil
}

var (
	_ caddy.Provisioner           = (*Licences)(nil)
	_ caddyhttp.MiddlewareHandler = (*Licences)(nil)
)
