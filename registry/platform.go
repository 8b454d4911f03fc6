package registry

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// Platform is the whole declaration. A nil section was absent from the file: it is left as it is by apply.
// A present section is the whole truth: what it leaves out is removed.
type Platform struct {
	Departments  []Department  `yaml:"departments,omitempty" json:"departments,omitempty"`
	Items        []Item        `yaml:"items,omitempty" json:"items,omitempty"`
	ServiceItems []ServiceItem `yaml:"service_items,omitempty" json:"service_items,omitempty"`
	Applications []Application `yaml:"applications,omitempty" json:"applications,omitempty"`
	Accounts     []Account     `yaml:"accounts,omitempty" json:"accounts,omitempty"`
	// Administrators are the three powers (三员). Empty: whoever reaches the admin endpoint is all three.
	Administrators []Administrator `yaml:"administrators,omitempty" json:"administrators,omitempty"`
	// Masking says how much of sensitive data is shown to who may not see it in clear, where that is not the default.
	Masking []MaskRule `yaml:"masking,omitempty" json:"masking,omitempty"`
	// Policy holds further Casbin lines; nil: absent.
	Policy *string `yaml:"policy,omitempty" json:"policy,omitempty"`

	// file is what Parse read, so that faults found later still name their line.
	file *yaml.Node
}

// Department is a unit (appendix A 单位名称). Code is its 统一社会信用代码 (GB 32100), check digit verified.
type Department struct {
	Code         string `yaml:"code" json:"code"`
	Name         string `yaml:"name" json:"name"`
	Division     string `yaml:"division,omitempty" json:"division,omitempty"`
	DivisionCode string `yaml:"division_code,omitempty" json:"division_code,omitempty"` // GB/T 2260, 6 or 12 digits
	Parent       string `yaml:"parent" json:"parent"`                                   // code of 上级主管部门, or ""
}

// Item is an entry of the licence catalogue (证照目录).
type Item struct {
	LicenseItemCode string   `yaml:"license_item_code" json:"license_item_code"` // 24, 15 or 9 characters
	Name            string   `yaml:"name" json:"name"`
	ShortName       string   `yaml:"short_name,omitempty" json:"short_name,omitempty"`
	Department      string   `yaml:"department" json:"department"`
	Status          string   `yaml:"status" json:"status"`           // DRAFT, PUBLISH (default), CANCEL
	IsOpen          bool     `yaml:"is_open" json:"is_open"`         // default true
	HolderType      string   `yaml:"holder_type" json:"holder_type"` // person, organisation, both
	Type            string   `yaml:"type,omitempty" json:"type,omitempty"`
	Version         string   `yaml:"version,omitempty" json:"version,omitempty"`
	PublishDate     string   `yaml:"publish_date,omitempty" json:"publish_date,omitempty"`
	Description     string   `yaml:"description,omitempty" json:"description,omitempty"`
	Validity        string   `yaml:"validity,omitempty" json:"validity,omitempty"` // 长期, or e.g. 5年
	LicenseGroups   []string `yaml:"license_groups,omitempty" json:"license_groups,omitempty"`
	SealCode        string   `yaml:"seal_code,omitempty" json:"seal_code,omitempty"` // the default seal
	Fields          []Field  `yaml:"fields" json:"fields"`
	// Faces are how licences look, by license_group; without one they have the plain face.
	Faces []Face `yaml:"faces,omitempty" json:"faces,omitempty"`
}

// Field is one data field of an item's face.
type Field struct {
	Key       string `yaml:"key" json:"key"`
	Label     string `yaml:"label" json:"label"`
	Type      string `yaml:"type" json:"type"` // string (default), date, number, integer, boolean, image, object, array
	Length    int    `yaml:"length,omitempty" json:"length,omitempty"`
	Required  bool   `yaml:"required,omitempty" json:"required,omitempty"`
	Hidden    bool   `yaml:"hidden,omitempty" json:"hidden,omitempty"`       // not shown on the face
	Sensitive string `yaml:"sensitive,omitempty" json:"sensitive,omitempty"` // a masking kind, or ""
	Role      string `yaml:"role,omitempty" json:"role,omitempty"`           // holder_name, holder_identity_num, …
}

// MaskRule is how much of the values of one masking kind is shown (domain.md §6).
type MaskRule struct {
	Sensitive string `yaml:"sensitive" json:"sensitive"`
	Show      string `yaml:"show" json:"show"`
}

// ServiceItem is a 事项 (DB11/T 1901) and the licences that it may call for.
type ServiceItem struct {
	Code       string   `yaml:"code" json:"code"` // [0-9A-Za-z_-]{1,64}
	Name       string   `yaml:"name" json:"name"`
	Department string   `yaml:"department" json:"department"`
	Items      []string `yaml:"items" json:"items"`
}

// Application is a business system (业务系统) with its account at the gateway.
type Application struct {
	AppKey     string `yaml:"app_key" json:"app_key"`
	Name       string `yaml:"name" json:"name"`
	Department string `yaml:"department" json:"department"`
	Secret     string `yaml:"secret,omitempty" json:"-"` // only in a file; generated when omitted and new
	Renew      bool   `yaml:"-" json:"-"`                // asks Plan to generate a secret in place of the stored one
	SecretHash string `yaml:"-" json:"secret_hash,omitempty"`
	SecretTime string `yaml:"-" json:"secret_time,omitempty"` // when SecretHash was set, as other times shown
	// PreviousHash is the secret before, good until PreviousUntil: a rotation with overlap. Both are set or neither.
	PreviousHash  string    `yaml:"-" json:"previous_hash,omitempty"`
	PreviousUntil time.Time `yaml:"-" json:"previous_until,omitzero"`
	IPAllow       []string  `yaml:"ip_allow,omitempty" json:"ip_allow,omitempty"` // CIDR or address; empty: anywhere
	Rate          Rate      `yaml:"rate,omitempty" json:"rate,omitzero"`
	Disabled      bool      `yaml:"disabled,omitempty" json:"disabled,omitempty"`
	// DisabledGiven says that a declaration names Disabled; one that does not leaves it as it is.
	DisabledGiven bool    `yaml:"-" json:"-"`
	Grants        []Grant `yaml:"grants,omitempty" json:"grants,omitempty"`
}

// Rate is an application's own limit, requests; 0 means the gateway's default.
type Rate struct {
	PerSecond int64 `yaml:"per_second,omitempty" json:"per_second,omitempty"`
	PerMinute int64 `yaml:"per_minute,omitempty" json:"per_minute,omitempty"`
}

// Grant is one block of needs ticked on the form of appendix A.
type Grant struct {
	Items        []string `yaml:"items" json:"items"`
	Needs        []string `yaml:"needs" json:"needs"`
	ServiceItems []string `yaml:"service_items,omitempty" json:"service_items,omitempty"` // empty: any of its department
	Form         string   `yaml:"form,omitempty" json:"form,omitempty"`                   // number of the form of appendix A
}

// Account is a person's account in a department.
type Account struct {
	Account     string `yaml:"account" json:"account"`
	Name        string `yaml:"name" json:"name"`
	IdentityNum string `yaml:"identity_num,omitempty" json:"-"` // only in a file; kept as IdentitySealed
	// IdentitySealed is the identity number as Vault.SealIdentity made it.
	IdentitySealed []byte   `yaml:"-" json:"identity_sealed,omitempty"`
	Department     string   `yaml:"department" json:"department"`
	Password       string   `yaml:"password,omitempty" json:"-"`
	Renew          bool     `yaml:"-" json:"-"` // asks Plan to generate a password in place of the stored one
	PasswordHash   string   `yaml:"-" json:"password_hash,omitempty"`
	Roles          []string `yaml:"roles,omitempty" json:"roles,omitempty"`
	Disabled       bool     `yaml:"disabled,omitempty" json:"disabled,omitempty"`
	// DisabledGiven is as in Application.
	DisabledGiven bool `yaml:"-" json:"-"`

	Creator              string `yaml:"-" json:"creator,omitempty"`
	CreationTime         string `yaml:"-" json:"creation_time,omitempty"`
	LastModificator      string `yaml:"-" json:"last_modificator,omitempty"`
	LastModificationTime string `yaml:"-" json:"last_modification_time,omitempty"`
}

// Roles of administrators (GB/T 22239 8.1.5: three separated powers). A person holds one.
const (
	RoleSystem   = "system"   // 系统管理员: running, configuration, keys
	RoleSecurity = "security" // 安全管理员: registry, rights, locks
	RoleAudit    = "audit"    // 审计管理员: records
)

// Administrator is a person who administers the gateway itself.
type Administrator struct {
	Administrator string `yaml:"administrator" json:"administrator"` // login name
	Name          string `yaml:"name" json:"name"`
	Role          string `yaml:"role" json:"role"`
	// IdentityNum is needed of a new one, so that nobody holds two roles under two names. Only in a file.
	IdentityNum    string `yaml:"identity_num,omitempty" json:"-"`
	IdentitySealed []byte `yaml:"-" json:"identity_sealed,omitempty"`
	Password       string `yaml:"password,omitempty" json:"-"` // only in a file; generated when omitted and new
	Renew          bool   `yaml:"-" json:"-"`                  // as in Account
	Own            bool   `yaml:"-" json:"-"`                  // its owner chose Password
	PasswordHash   string `yaml:"-" json:"password_hash,omitempty"`
	PasswordTime   string `yaml:"-" json:"password_time,omitempty"` // when it was set, as other times shown
	// PasswordGiven says that somebody else set it: the administrator must change it before anything else (GB/T 22239 8.1.4).
	PasswordGiven bool `yaml:"-" json:"password_given,omitempty"`
	// Certificates are hex SHA-256 digests of the SubjectPublicKeyInfo of client certificates that stand for this administrator at
	// Caddy's remote admin endpoint.
	Certificates []string `yaml:"certificates,omitempty" json:"certificates,omitempty"`
	Disabled     bool     `yaml:"disabled,omitempty" json:"disabled,omitempty"`
	// DisabledGiven is as in Application.
	DisabledGiven bool `yaml:"-" json:"-"`
}

// Enabled counts the enabled administrators of a role.
func (p *Platform) Enabled(role string) int { return p.Others("", role) }
