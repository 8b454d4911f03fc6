package licence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"licgate/gm"
)

// ErrTampered says that a stored licence does not open, or that its row says otherwise than what was sealed.
var ErrTampered = errors.New("licence: stored licence has been changed or is unreadable")

// The first byte of the plaintext that is sealed. Format 2 is written; format 1 has no face.
const (
	sealedFormat1 = 1
	sealedFormat2 = 2
)

// sealedLicence is what is sealed of a licence. Its encoding, format 2, is frozen: the format byte, then this object as
// JSON; members in this order, those of maps by key, empty ones left out, no HTML escapes, no blanks, times in
// milliseconds since 1970 UTC. Any change — a new member, another order, another unit — is a new format that is
// written from then on, while all older formats stay readable. It repeats what the row has in clear, so that a row
// changed behind our back is found out.
type sealedLicence struct {
	Code                 string         `json:"code"`
	Item                 string         `json:"item"`
	Name                 string         `json:"name"`
	IDCode               string         `json:"id_code,omitempty"`
	State                State          `json:"state"`
	Revision             int64          `json:"revision"`
	Department           string         `json:"department"`
	HolderName           string         `json:"holder_name,omitempty"`
	HolderIdentityType   string         `json:"holder_identity_type,omitempty"`
	HolderIdentityNum    string         `json:"holder_identity_num,omitempty"`
	HolderIdentityNums   []string       `json:"holder_identity_nums,omitempty"`
	IssueOrgName         string         `json:"issue_org_name,omitempty"`
	IssueOrgCode         string         `json:"issue_org_code,omitempty"`
	Division             string         `json:"division,omitempty"`
	DivisionCode         string         `json:"division_code,omitempty"`
	IssueDate            string         `json:"issue_date,omitempty"`
	BeginDate            string         `json:"begin_date,omitempty"`
	ExpiryDate           string         `json:"expiry_date,omitempty"`
	Group                string         `json:"group,omitempty"`
	Face                 string         `json:"face,omitempty"`
	SealCode             string         `json:"seal_code,omitempty"`
	BizNum               string         `json:"biz_num,omitempty"`
	ServiceItem          string         `json:"service_item,omitempty"`
	ServiceItemName      string         `json:"service_item_name,omitempty"`
	Fields               map[string]any `json:"fields,omitempty"`
	Version              string         `json:"version,omitempty"`
	TrustLevel           string         `json:"trust_level,omitempty"`
	Correlative          string         `json:"correlative,omitempty"`
	Creator              string         `json:"creator,omitempty"`
	CreationTime         millis         `json:"creation_time,omitempty"`
	Issuer               string         `json:"issuer,omitempty"`
	IssueTime            millis         `json:"issue_time,omitempty"`
	Abolisher            string         `json:"abolisher,omitempty"`
	AbolishTime          millis         `json:"abolish_time,omitempty"`
	AbolishReason        string         `json:"abolish_reason,omitempty"`
	LastModificator      string         `json:"last_modificator,omitempty"`
	LastModificationTime millis         `json:"last_modification_time,omitempty"`
}

// millis is a time in milliseconds since 1970 UTC; 0 is the zero time.
type millis int64

func millisOf(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func (m millis) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// encode returns the frozen encoding of l.
func encode(l *Licence) ([]byte, error) {
	body, err := canonicalJSON(sealedLicence{
		Code: l.Code, Item: l.Item, Name: l.Name, IDCode: l.IDCode, State: l.State, Revision: l.Revision, Department: l.Department,
		HolderName: l.HolderName, HolderIdentityType: l.HolderIdentityType, HolderIdentityNum: l.HolderIdentityNum,
		HolderIdentityNums: l.HolderIdentityNums, IssueOrgName: l.IssueOrgName, IssueOrgCode: l.IssueOrgCode,
		Division: l.Division, DivisionCode: l.DivisionCode, IssueDate: l.IssueDate, BeginDate: l.BeginDate, ExpiryDate: l.ExpiryDate,
		Group: l.Group, Face: l.Face, SealCode: l.SealCode, BizNum: l.BizNum, ServiceItem: l.ServiceItem, ServiceItemName: l.ServiceItemName,
		Fields: l.Fields, Version: l.Version, TrustLevel: l.TrustLevel, Correlative: l.Correlative,
		Creator: l.Creator, CreationTime: millisOf(l.CreationTime), Issuer: l.Issuer, IssueTime: millisOf(l.IssueTime),
		Abolisher: l.Abolisher, AbolishTime: millisOf(l.AbolishTime), AbolishReason: l.AbolishReason,
		LastModificator: l.LastModificator, LastModificationTime: millisOf(l.LastModificationTime),
	})
	if err != nil {
		return nil, fmt.Errorf("licence: encode: %w", err)
	}
	return append([]byte{sealedFormat2}, body...), nil
}

// decode reads every format that encode ever wrote.
func decode(plaintext []byte) (*Licence, error) {
	if len(plaintext) == 0 || plaintext[0] != sealedFormat1 && plaintext[0] != sealedFormat2 {
		return nil, errors.New("licence: decode: unknown format")
	}
	var in sealedLicence
	d := json.NewDecoder(bytes.NewReader(plaintext[1:]))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		// The cause could quote personal data.
		return nil, errors.New("licence: decode: not the JSON of a licence")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("licence: decode: something follows the licence")
	}
	if in.Face != "" && plaintext[0] == sealedFormat1 {
		return nil, errors.New("licence: decode: format 1 has no face")
	}
	if in.Fields == nil {
		in.Fields = map[string]any{}
	}
	return &Licence{
		Code: in.Code, Item: in.Item, Name: in.Name, IDCode: in.IDCode, State: in.State, Revision: in.Revision, Department: in.Department,
		HolderName: in.HolderName, HolderIdentityType: in.HolderIdentityType, HolderIdentityNum: in.HolderIdentityNum,
		HolderIdentityNums: in.HolderIdentityNums, IssueOrgName: in.IssueOrgName, IssueOrgCode: in.IssueOrgCode,
		Division: in.Division, DivisionCode: in.DivisionCode, IssueDate: in.IssueDate, BeginDate: in.BeginDate, ExpiryDate: in.ExpiryDate,
		Group: in.Group, Face: in.Face, SealCode: in.SealCode, BizNum: in.BizNum, ServiceItem: in.ServiceItem, ServiceItemName: in.ServiceItemName,
		Fields: in.Fields, Version: in.Version, TrustLevel: in.TrustLevel, Correlative: in.Correlative,
		Creator: in.Creator, CreationTime: in.CreationTime.time(), Issuer: in.Issuer, IssueTime: in.IssueTime.time(),
		Abolisher: in.Abolisher, AbolishTime: in.AbolishTime.time(), AbolishReason: in.AbolishReason,
		LastModificator: in.LastModificator, LastModificationTime: in.LastModificationTime.time(),
	}, nil
}

// canonicalJSON is JSON without HTML escapes and trailing newline; encoding/json sorts maps by key.
func canonicalJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// associated binds sealed bytes to their licence, column and revision. It is form 2, frozen; former is form 1, of what was
// sealed before, which only the content holds to its revision.
func associated(code string, revision int64) []byte {
	return []byte("licgate/licence/2/sealed/" + code + "/" + strconv.FormatInt(revision, 10))
}

func former(code string) []byte {
	return []byte("licgate/licence/1/sealed/" + code)
}

// Value is the sealed part of a row for gm.Resealing, which seals it anew when keys are rotated. The Code is its cursor.
func (row Stored) Value() gm.Value {
	return gm.Value{
		Cursor: row.Code, Department: row.Department, Sealed: row.Sealed,
		Associated: associated(row.Code, row.Revision), Former: [][]byte{former(row.Code)},
	}
}

// identityDigest is under what a holder's number is looked up.
func (s *Service) identityDigest(normalised string) []byte {
	return s.Keys.Digest(gm.PurposeIdentity, []byte(normalised))
}

// idCodeDigest is under what a 证照号码 is looked up and kept unique; nil for none.
func (s *Service) idCodeDigest(item, idCode string) []byte {
	idCode = normaliseNumber(idCode)
	if idCode == "" {
		return nil
	}
	return s.Keys.Digest(gm.PurposeIDCode, []byte(item+"\x00"+idCode))
}

// clearRow is the row of l without what is sealed.
func (s *Service) clearRow(l *Licence) Stored {
	row := Stored{
		Code: l.Code, Item: l.Item, Department: l.Department, DivisionCode: l.DivisionCode, BizNum: l.BizNum,
		State: l.State, Revision: l.Revision, IDCodeDigest: s.idCodeDigest(l.Item, l.IDCode),
		Created: l.CreationTime, IssueTime: l.IssueTime,
	}
	for _, number := range l.HolderIdentityNums {
		row.HolderDigests = append(row.HolderDigests, s.identityDigest(number))
	}
	return row
}

// row is l as it is stored. Of a deleted licence nothing stays but its number and whose it was.
func (s *Service) row(l *Licence) (Stored, error) {
	if l.State == Deleted {
		return Stored{
			Code: l.Code, Item: l.Item, Department: l.Department, State: Deleted, Revision: l.Revision, Created: l.CreationTime,
		}, nil
	}
	plaintext, err := encode(l)
	if err != nil {
		return Stored{}, err
	}
	row := s.clearRow(l)
	if row.Sealed, err = s.Keys.SealFor(l.Department, plaintext, associated(l.Code, l.Revision)); err != nil {
		return Stored{}, fmt.Errorf("licence: seal %s: %w", l.Code, err)
	}
	return row, nil
}

// unseal opens the sealed part of a row. What was changed is ErrTampered; what was shredded is gone: ErrNotFound, and gm.ErrShredded. What cannot be
// opened now is none of these.
func (s *Service) unseal(row Stored) ([]byte, error) {
	plaintext, err := s.Keys.Open(row.Sealed, associated(row.Code, row.Revision))
	if errors.Is(err, gm.ErrSealed) {
		plaintext, err = s.Keys.Open(row.Sealed, former(row.Code))
	}
	switch {
	case errors.Is(err, gm.ErrSealed), errors.Is(err, gm.ErrKeyUnknown), errors.Is(err, gm.ErrKeyRecord):
		return nil, fmt.Errorf("%w: open %s: %w", ErrTampered, row.Code, err)
	case errors.Is(err, gm.ErrShredded) && !errors.Is(err, gm.ErrDestroyed):
		return nil, fmt.Errorf("%w: open %s: %w", ErrNotFound, row.Code, err)
	case err != nil:
		return nil, fmt.Errorf("licence: open %s: %w", row.Code, err)
	}
	return plaintext, nil
}

// open opens a stored licence that is not DELETED, and holds its row against it.
func (s *Service) open(row Stored) (*Licence, error) {
	plaintext, err := s.unseal(row)
	if err != nil {
		return nil, err
	}
	l, err := decode(plaintext)
	if err != nil {
		return nil, fmt.Errorf("%w: open %s: %w", ErrTampered, row.Code, err)
	}
	want := s.clearRow(l)
	if row.Code != want.Code || row.Item != want.Item || row.Department != want.Department || row.DivisionCode != want.DivisionCode ||
		row.BizNum != want.BizNum || row.State != want.State || row.Revision != want.Revision ||
		!row.Created.Equal(want.Created) || !row.IssueTime.Equal(want.IssueTime) ||
		!bytes.Equal(row.IDCodeDigest, want.IDCodeDigest) || !sameDigests(row.HolderDigests, want.HolderDigests) {
		return nil, fmt.Errorf("%w: row %s", ErrTampered, row.Code)
	}
	return l, nil
}

// Check reports whether a stored licence opens and is what its row says; one that is DELETED has nothing to open. Errors: ErrTampered; ErrNotFound
// of a shredded one.
func (s *Service) Check(row Stored) error {
	if row.State == Deleted {
		return nil
	}
	_, err := s.open(row)
	return err
}

// sameDigests compares without order, which a store need not keep.
func sameDigests(a, b [][]byte) bool {
	sorted := func(in [][]byte) [][]byte { return slices.SortedFunc(slices.Values(in), bytes.Compare) }
	return slices.EqualFunc(sorted(a), sorted(b), bytes.Equal)
}
