package licence

import "time"

// State of a licence (domain.md §3). Expiry is derived, never stored.
type State string

// The states; REGISTERED is made but not signed. DELETED leaves a tombstone, so that its number is never used again.
const (
	Draft      State = "DRAFT"
	Registered State = "REGISTERED"
	Issued     State = "ISSUED"
	Abolished  State = "ABOLISHED"
	Deleted    State = "DELETED"
)

// Item is a catalogue item as this package needs it.
type Item struct {
	Code, Name, Department string
	DepartmentName         string
	Division, DivisionCode string
	Status                 string // DRAFT, PUBLISH, CANCEL
	Open                   bool
	HolderType, Validity   string // Validity: 长期, or 5年 / 18个月 / 90天
	Groups                 []string
	SealCode               string
	Fields                 []Field
	// Faces are the versions of the faces in force, by license_group; "" is for the groups that have none of their own.
	Faces map[string]string
}

// Face is the version of the face that a licence of group has today; "": the plain one.
func (i *Item) Face(group string) string {
	if version, own := i.Faces[group]; own {
		return version
	}
	return i.Faces[""]
}

// Field is a data field of an item's face. Role ties it to an attribute of the licence.
type Field struct {
	Key, Label, Type string // Type: string, date, number, integer, boolean, image, object, array
	Length           int    // characters; 0: 4,000
	Required         bool
	Sensitive, Role  string
}

// Licence is one electronic licence, opened. Times are Asia/Shanghai when written out.
type Licence struct {
	Code       string // 证照唯一编码, 18 = division 6 + year 4 + 8 base-36
	Item, Name string
	IDCode     string // 证照号码
	State      State
	Revision   int64
	Department string // that issued it; only it changes the licence

	HolderName, HolderIdentityType, HolderIdentityNum string
	// HolderIdentityNums are all holders' numbers (a marriage has two), normalised; the licence is found by each.
	HolderIdentityNums []string

	IssueOrgName, IssueOrgCode, Division, DivisionCode string
	IssueDate, BeginDate, ExpiryDate                   string // yyyy-MM-dd, or "" (长期)

	Group, SealCode, BizNum      string
	Face                         string // version of the face that it was issued under; "": none was declared then, or it is REGISTERED
	ServiceItem, ServiceItemName string
	Fields                       map[string]any // data_fields
	Version, TrustLevel          string
	Correlative                  string // 关联证照: what a change replaced, or was replaced by

	Creator              string
	CreationTime         time.Time
	Issuer               string
	IssueTime            time.Time
	Abolisher            string
	AbolishTime          time.Time
	AbolishReason        string
	LastModificator      string
	LastModificationTime time.Time
}

// Expired reports whether the licence's validity had ended at now (the expiry date itself is valid, Asia/Shanghai).
func (l *Licence) Expired(now time.Time) bool {
	return l.ExpiryDate != "" && dateOf(now) > l.ExpiryDate
}

// Status is the state that users see: EXPIRED when issued and expired, else State.
func (l *Licence) Status(now time.Time) string {
	if l.State == Issued && l.Expired(now) {
		return "EXPIRED"
	}
	return string(l.State)
}
