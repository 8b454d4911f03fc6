package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// User is an account (get_current_user) and, in calls, the operator: the person at the department who acts, for the record.
type User struct {
	Account        string `json:"account,omitempty"`
	Name           string `json:"name,omitempty"`
	IdentityNum    string `json:"identity_num,omitempty"`
	Role           string `json:"role,omitempty"` // roles, separated by commas
	Division       string `json:"division,omitempty"`
	DivisionCode   string `json:"division_code,omitempty"`
	ServiceOrg     string `json:"service_org,omitempty"`
	ServiceOrgCode string `json:"service_org_code,omitempty"`
}

// Format hides the person.
func (u User) Format(f fmt.State, _ rune) { hide(f, "user "+u.Account) }

// Business says for what a call is made: members that making and using licences have in common.
type Business struct {
	ServiceItemCode string `json:"service_item_code"` // 事项编码, registered for the department
	ServiceItemName string `json:"service_item_name"`
	BizNum          string `json:"biz_num,omitempty"` // 业务流水号
	Operator        User   `json:"operator"`
}

// Item is an entry of the catalogue.
type Item struct {
	Code         string  `json:"license_item_code"`
	Name         string  `json:"name"`
	Status       string  `json:"status"` // DRAFT, PUBLISH, CANCEL
	IsOpen       bool    `json:"is_open"`
	AdminOrg     string  `json:"admin_org"`
	AdminOrgCode string  `json:"admin_org_code"`
	Fields       []Field `json:"fields"`
}

// Field is a data item of a catalogue entry: a name that data_fields may have.
type Field struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	DataType    string `json:"data_type"`
	Length      int    `json:"length"`
	IsAllowNull bool   `json:"is_allow_null"`
	IsSensitive bool   `json:"is_sensitive"`
}

// License holds the attributes of a licence that most callers need; the rest stand in DataFields, or in the data of Call.
// Sensitive values are masked unless they were asked for with right.
type License struct {
	LicenseCode        string         `json:"license_code"`
	Name               string         `json:"name"`
	ItemCode           string         `json:"license_item_code"`
	IDCode             string         `json:"id_code"`
	HolderName         string         `json:"holder_name"`
	HolderIdentityType string         `json:"holder_identity_type"`
	HolderIdentityNum  string         `json:"holder_identity_num"`
	IssueOrgName       string         `json:"issue_org_name"`
	IssueDate          string         `json:"issue_date"`  // yyyy-MM-dd
	ExpiryDate         string         `json:"expiry_date"` // "": for ever
	Status             string         `json:"license_status"`
	DataFields         map[string]any `json:"data_fields"`
}

// Format hides the licence's content.
func (l License) Format(f fmt.State, _ rune) { hide(f, "licence of "+l.ItemCode+" "+l.Status) }

// CurrentUser tells who is logged in (table 3). ServiceOrgCode is the department for which calls are made.
func (c *Client) CurrentUser(ctx context.Context) (*Answer[User], error) {
	return typed[User](c.Call(ctx, http.MethodGet, "/security/get_current_user", nil, nil))
}

// ListQuery filters the catalogue. The zero value is the first ten entries that are published and open.
type ListQuery struct {
	Keyword   string   // in the name of the entry or of its department
	Status    []string // empty: PUBLISH
	Closed    bool     // those that are not open instead
	PageIndex int      // from 1; 0: 1
	PageSize  int      // up to 150; 0: 10
}

// List looks into the catalogue (table 4). TotalCount counts all that fit.
func (c *Client) List(ctx context.Context, q ListQuery) (*Answer[[]Item], error) {
	values := url.Values{"is_open": {strconv.FormatBool(!q.Closed)}}
	if q.Keyword != "" {
		values.Set("keyword", q.Keyword)
	}
	if len(q.Status) > 0 {
		values.Set("status", strings.Join(q.Status, ","))
	}
	for name, n := range map[string]int{"page_index": q.PageIndex, "page_size": q.PageSize} {
		if n != 0 {
			values.Set(name, strconv.Itoa(n))
		}
	}
	return typed[[]Item](c.Call(ctx, http.MethodGet, "/license_item/list", values, nil))
}

// AuthRequest asks for a person's licences for a service item.
type AuthRequest struct {
	Business
	IdentityNumbers   []string // up to 20
	ShowSensitiveData bool     // needs a right of application and account; each such answer is on record
	PageIndex         int      // from 1; 0: 1
	PageSize          int      // up to 150; 0: 10
}

// Format hides whom it is about.
func (AuthRequest) Format(f fmt.State, _ rune) { hide(f, "auth request") }

// Auth finds licences (table 14). AuthCodes stand in the order of Data; no licence is no failure.
func (c *Client) Auth(ctx context.Context, q AuthRequest) (*Answer[[]License], error) {
	return typed[[]License](c.Call(ctx, http.MethodPost, "/license/auth", nil, struct {
		Business
		IdentityNumber    string `json:"identity_number"`
		ShowSensitiveData bool   `json:"show_sensitive_data,omitempty"`
		PageIndex         int    `json:"page_index,omitempty"`
		PageSize          int    `json:"page_size,omitempty"`
	}{q.Business, strings.Join(q.IdentityNumbers, ","), q.ShowSensitiveData, q.PageIndex, q.PageSize}))
}

// PageToken opens a licence's pages for a short time.
type PageToken struct {
	Token     Secret `json:"license_access_token"`
	ExpiresIn string `json:"expires_in"` // the time at which it ends: yyyy-MM-dd HH:mm:ss.SSS, Asia/Shanghai
}

// PageToken makes a license_access_token of an auth_code (table 15).
func (c *Client) PageToken(ctx context.Context, authCode string) (*Answer[PageToken], error) {
	return typed[PageToken](c.Call(ctx, http.MethodGet, "/license/token", url.Values{"auth_code": {authCode}}, nil))
}

// GetLicense reads a licence's data by an auth_code (table 16).
func (c *Client) GetLicense(ctx context.Context, authCode string) (*Answer[License], error) {
	return typed[License](c.Call(ctx, http.MethodGet, "/license/get_license", url.Values{"auth_code": {authCode}}, nil))
}

// File is an archived licence.
type File struct {
	Name string `json:"file_name"`
	Data []byte `json:"file_data"`
}

// Format hides the content.
func (d File) Format(f fmt.State, _ rune) { hide(f, fmt.Sprintf("file of %d bytes", len(d.Data))) }

// Archive fetches a licence as PDF by an auth_code (6.5.2.2 e).
func (c *Client) Archive(ctx context.Context, authCode string) (*Answer[File], error) {
	return c.ArchiveAs(ctx, ArchiveRequest{AuthCode: authCode})
}

// ArchiveRequest asks for a licence as a file.
type ArchiveRequest struct {
	AuthCode          string `json:"auth_code"`
	FileType          string `json:"file_type,omitempty"`           // PDF or OFD; "": PDF
	ShowSensitiveData bool   `json:"show_sensitive_data,omitempty"` // needs a right of application and account; each such file is on record
}

// Format hides the code.
func (ArchiveRequest) Format(f fmt.State, _ rune) { hide(f, "archive request") }

// ArchiveAs fetches a licence as a file of a type (6.5.2.2 e).
func (c *Client) ArchiveAs(ctx context.Context, q ArchiveRequest) (*Answer[File], error) {
	return typed[File](c.Call(ctx, http.MethodPost, "/license/archive", nil, q))
}

// ArchiveQuery asks what the department issued of a catalogue entry, for archiving.
type ArchiveQuery struct {
	ServiceItemCode string `json:"service_item_code"`
	Since           string `json:"since,omitempty"`     // of issuing: 2026-01-31 or 2026-01-31 08:00:00, Asia/Shanghai; "": ever
	After           string `json:"after,omitempty"`     // Next of the page before; "": the first page
	PageSize        int    `json:"page_size,omitempty"` // up to 500; 0: 100
}

// ArchivePage is a page of it, oldest issue first. Next is "" at the end; TotalCount of the answer counts all, on the first page.
type ArchivePage struct {
	Licenses []ArchiveEntry `json:"licenses"`
	Next     string         `json:"next_after"`
}

// ArchiveEntry is a licence that may be archived, with a code to do so.
type ArchiveEntry struct {
	LicenseCode string `json:"license_code"`
	IssueDate   string `json:"issue_date"` // yyyy-MM-dd, as on the licence
	IssueTime   string `json:"issue_time"` // yyyy-MM-dd HH:mm:ss, Asia/Shanghai
	AuthCode    string `json:"auth_code"`
}

// Format hides the code.
func (e ArchiveEntry) Format(f fmt.State, _ rune) { hide(f, "licence to archive") }

// ArchiveList lists the issued licences of an item that the department of the session issued (archive_list, an extra call).
func (c *Client) ArchiveList(ctx context.Context, item string, q ArchiveQuery) (*Answer[ArchivePage], error) {
	return typed[ArchivePage](c.write(ctx, item, "archive_list", q))
}

// Making is what a licence is made from.
type Making struct {
	Business
	DataFields   map[string]any `json:"data_fields"` // by the keys of the item's Fields
	LicenseGroup string         `json:"license_group,omitempty"`
	SealCode     string         `json:"seal_code,omitempty"`
}

// Format hides the content.
func (Making) Format(f fmt.State, _ rune) { hide(f, "content of a licence") }

// Made names a new licence.
type Made struct {
	LicenseCode string `json:"license_code"`
	AuthCode    string `json:"auth_code"`
}

// Format hides the codes: whoever holds them is asked no more.
func (Made) Format(f fmt.State, _ rune) { hide(f, "made licence") }

// Create makes a licence that is not signed yet (table 5).
func (c *Client) Create(ctx context.Context, item string, m Making) (*Answer[Made], error) {
	return typed[Made](c.write(ctx, item, "create", m))
}

// Issue makes and signs a licence: both or nothing.
func (c *Client) Issue(ctx context.Context, item string, m Making) (*Answer[Made], error) {
	return typed[Made](c.write(ctx, item, "issue", m))
}

// SignRequest names a licence to be signed, by its code or by the number on its face (id_code).
type SignRequest struct {
	Business
	LicenseCode string `json:"license_code,omitempty"`
	IDCode      string `json:"id_code,omitempty"`
}

// Sign signs a licence (table 8).
func (c *Client) Sign(ctx context.Context, item string, q SignRequest) (*Raw, error) {
	return c.write(ctx, item, "sign", q)
}

// write calls an interface of tables 5–12, or another with the item in its path; like the standard's examples it puts everything into data.
func (c *Client) write(ctx context.Context, item, verb string, data any) (*Raw, error) {
	if item == "" || strings.ContainsFunc(item, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') }) {
		return nil, fmt.Errorf("client: an item code is made of digits and capitals")
	}
	return c.Call(ctx, http.MethodPost, "/license/"+item+"/"+verb, nil, map[string]any{"data": data})
}
