package protocol

// UserInfo is also Operator (domain.md §5). The last four are for get_current_user only.
type UserInfo struct {
	Account        string `json:"account"`
	Name           string `json:"name"`
	IdentityNum    string `json:"identity_num"`
	Role           string `json:"role"`
	Division       string `json:"division"`
	DivisionCode   string `json:"division_code"`
	ServiceOrg     string `json:"service_org"`
	ServiceOrgCode string `json:"service_org_code"`

	Creator              string `json:"creator,omitempty"`
	CreationTime         string `json:"creation_time,omitempty"`
	LastModificator      string `json:"last_modificator,omitempty"`
	LastModificationTime string `json:"last_modification_time,omitempty"`
}

// License is a licence on the wire (domain.md §5), members in this order.
type License struct {
	LicenseCode          string         `json:"license_code"`
	Name                 string         `json:"name"`
	LicenseItemCode      string         `json:"license_item_code"`
	IDCode               string         `json:"id_code"`
	HolderName           string         `json:"holder_name"`
	HolderIdentityType   string         `json:"holder_identity_type"`
	HolderIdentityNum    string         `json:"holder_identity_num"`
	IssueOrgName         string         `json:"issue_org_name"`
	IssueOrgCode         string         `json:"issue_org_code"`
	Division             string         `json:"division"`
	DivisionCode         string         `json:"division_code"`
	IssueDate            string         `json:"issue_date"`
	BeginDate            string         `json:"begin_date"`
	ExpiryDate           string         `json:"expiry_date"`
	LicenseStatus        string         `json:"license_status"`
	Version              string         `json:"version"`
	BizNum               string         `json:"biz_num"`
	LicenseGroup         string         `json:"license_group"`
	DataFields           map[string]any `json:"data_fields"`
	Creator              string         `json:"creator"`
	CreationTime         string         `json:"creation_time"`
	Issuer               string         `json:"issuer"`
	IssueTime            string         `json:"issue_time"`
	Abolisher            string         `json:"abolisher"`
	AbolishTime          string         `json:"abolish_time"`
	AbolishReason        string         `json:"abolish_reason"`
	CorrelativeLicense   string         `json:"correlative_license"`
	LastModificator      string         `json:"last_modificator"`
	LastModificationTime string         `json:"last_modification_time"`
	TrustLevel           string         `json:"trust_level"`
}

// LicenseItem is a catalogue item on the wire (domain.md §5).
type LicenseItem struct {
	LicenseItemCode string             `json:"license_item_code"`
	Name            string             `json:"name"`
	ShortName       string             `json:"short_name"`
	HolderType      string             `json:"holder_type"`
	Type            string             `json:"type"`
	Status          string             `json:"status"`
	IsOpen          bool               `json:"is_open"`
	Version         string             `json:"version"`
	AdminOrg        string             `json:"admin_org"`
	AdminOrgCode    string             `json:"admin_org_code"`
	Division        string             `json:"division"`
	DivisionCode    string             `json:"division_code"`
	PublishDate     string             `json:"publish_date"`
	Description     string             `json:"description"`
	Fields          []LicenseItemField `json:"fields"`
}

// LicenseItemField is a data item of a catalogue item.
type LicenseItemField struct {
	Key           string `json:"key"`
	Name          string `json:"name"`
	DataType      string `json:"data_type"`
	Length        int    `json:"length"`
	IsAllowNull   bool   `json:"is_allow_null"`
	IsShow        bool   `json:"is_show"`
	IsSensitive   bool   `json:"is_sensitive"`
	SensitiveType string `json:"sensitive_type"`
}

// Made is the data of create, change and issue.
type Made struct {
	LicenseCode string `json:"license_code"`
	AuthCode    string `json:"auth_code"`
}

// BatchSignResult is a row of table 12's answer.
type BatchSignResult struct {
	LicenseCode string `json:"license_code"`
	ResultMsg   string `json:"result_msg"`
	ResultCode  string `json:"result_code"`
}

// AccessToken is the data of token and get_token_qr.
type AccessToken struct {
	ExpiresIn          string `json:"expires_in"`
	LicenseAccessToken string `json:"license_access_token"`
}

// ArchivePage is the data of archive_list: the licences of one page in the order of their issue, and the after of the next page, null at the end.
type ArchivePage struct {
	Licenses  []ArchiveEntry `json:"licenses"`
	NextAfter *string        `json:"next_after"`
}

// ArchiveEntry is a licence that may be archived.
type ArchiveEntry struct {
	LicenseCode string `json:"license_code"`
	IssueDate   string `json:"issue_date"` // as on the licence
	IssueTime   string `json:"issue_time"` // of the signature; since is held against it
	AuthCode    string `json:"auth_code"`
}

// File is the data of archive and archive_qr.
type File struct {
	FileName string `json:"file_name"`
	FileData string `json:"file_data"` // base64 (RFC 4648 §4)
}
