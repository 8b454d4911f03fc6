package caddymodule

import (
	"time"

	"licgate/licence"
	"licgate/masking"
	"licgate/protocol"
	"licgate/registry"
)

// wireLicence says a licence in the words of the wire, masked by the trip's plan for its item. The attributes that G.2 prints inside
// data_fields stand there too; a face field of the same name wins.
func (t *trip) wireLicence(l *licence.Licence) *protocol.License {
	item, ok := t.state.item(l.Item)
	if !ok || t.plans[item.Code] == nil {
		return nil // not decided about: nothing of it leaves
	}
	out := &protocol.License{
		LicenseCode: l.Code, Name: l.Name, LicenseItemCode: l.Item,
		IDCode:             t.attribute(item, "id_code", l.IDCode),
		HolderName:         t.attribute(item, "holder_name", l.HolderName),
		HolderIdentityNum:  t.attribute(item, "holder_identity_num", l.HolderIdentityNum),
		HolderIdentityType: l.HolderIdentityType,
		IssueOrgName:       t.attribute(item, "issue_org_name", l.IssueOrgName),
		IssueOrgCode:       t.attribute(item, "issue_org_code", l.IssueOrgCode),
		Division:           l.Division, DivisionCode: l.DivisionCode,
		IssueDate:     t.attribute(item, "issue_date", l.IssueDate),
		BeginDate:     t.attribute(item, "begin_date", l.BeginDate),
		ExpiryDate:    t.attribute(item, "expiry_date", l.ExpiryDate),
		LicenseStatus: l.Status(time.Now()), Version: l.Version, BizNum: masking.Number(l.BizNum), LicenseGroup: l.Group,
		Creator: l.Creator, CreationTime: wireTime(l.CreationTime), Issuer: l.Issuer, IssueTime: wireTime(l.IssueTime),
		Abolisher: l.Abolisher, AbolishTime: wireTime(l.AbolishTime), AbolishReason: l.AbolishReason,
		CorrelativeLicense: l.Correlative, LastModificator: l.LastModificator,
		LastModificationTime: wireTime(l.LastModificationTime), TrustLevel: l.TrustLevel,
	}
	fields := t.plans[item.Code].Object(declared(item, l.Fields))
	for key, value := range map[string]any{
		"license_code": out.LicenseCode, "name": out.Name, "issue_org_name": out.IssueOrgName,
		"issue_org_code": out.IssueOrgCode, "issue_date": out.IssueDate, "expiry_date": out.ExpiryDate,
		"version": out.Version, "creator": out.Creator, "creation_time": out.CreationTime,
		"last_modificator": out.LastModificator, "last_modification_time": out.LastModificationTime,
	} {
		if _, taken := fields[key]; !taken {
			fields[key] = value
		}
	}
	out.DataFields = fields
	return out
}

// declared leaves out what the item does not declare (any more): nobody says how sensitive it is.
func declared(item *licence.Item, fields map[string]any) map[string]any {
	out := make(map[string]any, len(item.Fields))
	for _, f := range item.Fields {
		if value, ok := fields[f.Key]; ok {
			out[f.Key] = value
		}
	}
	return out
}

func (t *trip) wireLicences(licences []*licence.Licence) []*protocol.License {
	out := make([]*protocol.License, 0, len(licences))
	for _, l := range licences {
		if wire := t.wireLicence(l); wire != nil {
			out = append(out, wire)
			t.noteLicence(l.Code)
		}
	}
	return out
}

// wireTime is "" for a time that has not come.
func wireTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return protocol.Time(at, false)
}

// wireItem says a catalogue item in the words of the wire.
func wireItem(s *registry.Snapshot, code string) protocol.LicenseItem {
	it, ok := s.Item(code)
	if !ok {
		return protocol.LicenseItem{}
	}
	out := protocol.LicenseItem{
		LicenseItemCode: it.LicenseItemCode, Name: it.Name, ShortName: it.ShortName, HolderType: it.HolderType,
		Type: it.Type, Status: it.Status, IsOpen: it.IsOpen, Version: it.Version,
		AdminOrgCode: it.Department, PublishDate: it.PublishDate, Description: it.Description,
		Fields: make([]protocol.LicenseItemField, 0, len(it.Fields)),
	}
	if d, ok := s.Department(it.Department); ok {
		out.AdminOrg, out.Division, out.DivisionCode = d.Name, d.Division, d.DivisionCode
	}
	for _, f := range it.Fields {
		out.Fields = append(out.Fields, protocol.LicenseItemField{
			Key: f.Key, Name: f.Label, DataType: f.Type, Length: f.Length, IsAllowNull: !f.Required,
			IsShow: !f.Hidden, IsSensitive: f.Sensitive != "", SensitiveType: f.Sensitive,
		})
	}
	return out
}
