package licence

import (
	"context"
	"errors"
	"time"
)

// Errors that users meet; the protocol gives each a code and a text. FieldError is for data_fields.
var (
	ErrNotFound   = errors.New("licence: no such licence")                         // also: a foreign department's
	ErrDuplicate  = errors.New("licence: item and id_code are in use")             // 已存在
	ErrState      = errors.New("licence: not allowed in its state")                // e.g. sign twice
	ErrSeveral    = errors.New("licence: id_code fits several; give license_code") // sign by id_code
	ErrTarget     = errors.New("licence: license_code and id_code are both empty")
	ErrMismatch   = errors.New("licence: id_code is not this licence's")
	ErrItemClosed = errors.New("licence: catalogue item is not published or not open")
	ErrNoCode     = errors.New("licence: no such code")
	ErrStale      = errors.New("licence: changed meanwhile")
	ErrGroup      = errors.New("licence: unknown license_group")
)

// FieldError is a member of data_fields that does not fit the item. Message is Chinese and never repeats the value.
type FieldError struct{ Key, Message string }

func (e *FieldError) Error() string { return "licence: field " + e.Key }

// Stored is a licence as a Store sees it: nothing personal in clear.
type Stored struct {
	Code, Item, Department, DivisionCode, BizNum string
	State                                        State
	Revision                                     int64 // 1 when inserted; each update adds one
	// IDCodeDigest is unique per Item among REGISTERED and ISSUED rows; nil: no 证照号码.
	IDCodeDigest  []byte
	HolderDigests [][]byte
	Created       time.Time
	IssueTime     time.Time // zero: not issued; orders look-ups
	Sealed        []byte    // the rest; nil for DELETED
}

// StoredCode is a code or token as a Store sees it.
type StoredCode struct {
	Digest      []byte // keyed hash of the code; unique
	Kind        CodeKind
	LicenceCode string
	Grant       Grant
	Created     time.Time
	Expires     time.Time
	Revision    int64 // 1 when inserted
	Redeemer    *Redeemer
}

// Redeemer is to whom a show code is bound, and which uses it made: interface → request id.
type Redeemer struct {
	App         string            `json:"app"`
	Department  string            `json:"department"`
	ServiceItem string            `json:"service_item"`
	BizNum      string            `json:"biz_num"`
	Uses        map[string]string `json:"uses"`
}

// Write is applied whole or not at all.
type Write struct {
	Insert []Stored // ErrDuplicate: code, or item + id code digest in use
	// Update replaces rows whose stored Revision is the given Revision-1; otherwise ErrStale.
	Update      []Stored
	InsertCodes []StoredCode
	UpdateCodes []StoredCode // like Update
}

// Store keeps licences and codes. Implemented by package store, held to storetest. All methods are safe for concurrent
// use; reads see every Write that returned before they began. "Not there" is ErrNotFound or ErrNoCode; failures of the
// backend are other errors, wrapped with what was tried.
type Store interface {
	// Apply does all of w in one durable transaction.
	Apply(ctx context.Context, w Write) error
	// Find returns a licence by code, whatever its state.
	Find(ctx context.Context, code string) (Stored, error)
	// FindByIDCode returns the item's REGISTERED and ISSUED licences with that digest, oldest first.
	FindByIDCode(ctx context.Context, item string, digest []byte) ([]Stored, error)
	// ListByHolder returns one page of ISSUED licences of items that any digest holds, by IssueTime descending then Code,
	// each once, and the count of all.
	ListByHolder(ctx context.Context, digests [][]byte, items []string, limit, offset int) ([]Stored, int, error)
	// ListEverHeld returns the licences that digest holds, of any item and in any state but tombstones, which name nobody: at most limit,
	// by code, those behind the code after.
	ListEverHeld(ctx context.Context, digest []byte, after string, limit int) ([]Stored, error)
	// ListRegistered returns codes of REGISTERED licences of the item made by department, oldest first; bizNum and divisionCode
	// narrow when not empty.
	ListRegistered(ctx context.Context, item, department, bizNum, divisionCode string, limit int) ([]string, error)
	// ListIssued returns ISSUED licences of the item that department issued, by IssueTime ascending then Code: at most limit of those issued
	// at from whose code is behind the code after, or issued later.
	ListIssued(ctx context.Context, item, department string, from time.Time, after string, limit int) ([]Stored, error)
	// CountIssued counts what ListIssued would return without limit.
	CountIssued(ctx context.Context, item, department string, from time.Time, after string) (int, error)
	// HasLicences reports whether any licence of the item exists, tombstones not counted.
	HasLicences(ctx context.Context, item string) (bool, error)
	// FindCode returns a code, expired or not.
	FindCode(ctx context.Context, digest []byte) (StoredCode, error)
	// PurgeCodes removes codes that expired before t.
	PurgeCodes(ctx context.Context, t time.Time) (int, error)
}
