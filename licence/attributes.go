package licence

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// takeFields sets the licence's data fields, already checked, and the attributes that follow from them. What the
// fields leave open comes from the actor; dates that they leave open are settled when the licence is issued.
func (l *Licence) takeFields(a Actor, item *Item, fields map[string]any) error {
	l.Fields = fields
	l.HolderName = byRole(item, fields, roleHolderName)
	l.HolderIdentityType = byRole(item, fields, roleIdentityType)
	l.IDCode = byRole(item, fields, roleIDCode)
	l.IssueDate = byRole(item, fields, roleIssueDate)
	l.BeginDate = byRole(item, fields, roleBeginDate)
	l.ExpiryDate = byRole(item, fields, roleExpiryDate)
	if l.ExpiryDate == unlimited {
		l.ExpiryDate = ""
	}
	l.IssueOrgName = byRole(item, fields, roleIssueOrgName)
	if l.IssueOrgName == "" {
		l.IssueOrgName = a.DepartmentName
	}
	l.IssueOrgCode = byRole(item, fields, roleIssueOrgCode)
	if l.IssueOrgCode == "" {
		l.IssueOrgCode = a.Department
	}
	l.HolderIdentityNum = byRole(item, fields, roleIdentityNum)
	l.HolderIdentityNums = nil
	for _, number := range allByRole(item, fields, roleIdentityNum) {
		if number = NormaliseIdentity(number); !slices.Contains(l.HolderIdentityNums, number) {
			l.HolderIdentityNums = append(l.HolderIdentityNums, number)
		}
	}
	return l.checkDates(item)
}

// settleDates gives an issued licence the dates that its fields leave open: issued today (Asia/Shanghai), and valid for
// the item's validity from its begin, or its issue.
func (l *Licence) settleDates(item *Item, now time.Time) error {
	if l.IssueDate == "" {
		l.IssueDate = dateOf(now)
	}
	if l.ExpiryDate == "" && byRole(item, l.Fields, roleExpiryDate) != unlimited {
		valid, err := parseValidity(item.Validity)
		if err != nil {
			return err
		}
		if l.ExpiryDate, err = valid.lastDay(l.firstDay()); err != nil {
			return err
		}
	}
	return l.checkDates(item)
}

func (l *Licence) firstDay() string {
	if l.BeginDate != "" {
		return l.BeginDate
	}
	return l.IssueDate
}

// checkDates refuses a licence that ends before it begins.
func (l *Licence) checkDates(item *Item) error {
	if l.ExpiryDate == "" || l.ExpiryDate >= l.firstDay() {
		return nil
	}
	for i := range item.Fields {
		if item.Fields[i].Role == roleExpiryDate {
			return item.Fields[i].fault("早于有效期起始日期或发证日期，请更正")
		}
	}
	return &FieldError{Key: roleExpiryDate, Message: "有效期截止日期早于有效期起始日期或发证日期，请更正"}
}

// byRole returns the first text that a field of the role holds, or "".
func byRole(item *Item, fields map[string]any, role string) string {
	if all := allByRole(item, fields, role); len(all) > 0 {
		return all[0]
	}
	return ""
}

func allByRole(item *Item, fields map[string]any, role string) []string {
	var all []string
	for i := range item.Fields {
		if item.Fields[i].Role != role {
			continue
		}
		if text := plain(fields[item.Fields[i].Key]); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// plain returns a scalar value as the text of an attribute.
func plain(value any) string {
	switch v := value.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return string(v)
	}
	return ""
}
