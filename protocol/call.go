package protocol

// Call is one request, parsed once; rights, record and service all use this value.
type Call struct {
	Endpoint *Endpoint
	ItemCode string // of the path
	Params
}

// Params are the members of all 21 interfaces. Only those of the called interface are filled.
type Params struct {
	RequestID string // request_id of body or query; echoed as correlation_id; at most 128 printable characters

	AppKey, AppSecret, Account, Password, OrgCode string // login

	PageIndex, PageSize int // defaults 1 and 10; size ≤ 150
	Keyword             string
	Status              []string // DRAFT, PUBLISH, CANCEL
	IsOpen              *bool

	DataFields      map[string]any // values: string, json.Number, bool, nil, map[string]any, []any
	Operator        *UserInfo
	ServiceItemCode string
	ServiceItemName string
	ServiceItemOrg  string
	BizNum          string
	LicenseGroup    string
	SealCode        string
	LicenseCode     string
	IDCode          string
	AbolishReason   string

	Licenses     []CreateData
	LicenseCodes []string
	DivisionCode string

	Credential        string
	ShowSensitiveData *bool // nil: the call does not say
	IdentityNumbers   []string

	AuthCode           string
	AuthCodeQR         string
	LicenseAccessToken string
	FileType           string // "PDF" when absent; upper case
	CheckCode          string // what a QR code says to verify
}

// CreateData is a row of batch_create (table 11).
type CreateData struct {
	DataFields   map[string]any
	LicenseGroup string
	SealCode     string
}

// Limits of a request body, bytes.
type Limits struct{ Body, Batch int64 }

// DefaultLimits are 10 MiB, and 64 MiB for batches.
var DefaultLimits = Limits{Body: 10 << 20, Batch: 64 << 20}
