package caddymodule

import (
	"cmp"
	"net/http"

	"licgate/protocol"
)

// archiveList lists what the caller's department issued, with an auth_code for each: what is archived by it is judged again.
func (l *Licences) archiveList(r *http.Request, t *trip, a *protocol.Answer) error {
	c := t.call
	found, err := l.service.ByIssue(r.Context(), t.actor(), t.items[0], c.Since, c.After, c.PageSize)
	if err != nil {
		return err
	}
	grant := t.grant()
	if s, ok := t.state.registry.ServiceItem(t.request.Department, c.ServiceItemCode); ok {
		grant.ServiceItemName = cmp.Or(grant.ServiceItemName, s.Name)
	}
	codes, err := l.service.NewAuthCodes(r.Context(), found.Licences, grant)
	if err != nil {
		return err
	}
	page := protocol.ArchivePage{Licenses: make([]protocol.ArchiveEntry, 0, len(codes))}
	for i, one := range found.Licences {
		t.noteLicence(one.Code)
		page.Licenses = append(page.Licenses, protocol.ArchiveEntry{
			LicenseCode: one.Code, IssueDate: one.IssueDate, IssueTime: wireTime(one.IssueTime), AuthCode: codes[i],
		})
	}
	if found.Next != "" {
		page.NextAfter = &found.Next
	}
	a.TotalCount, a.Data = found.Total, page
	return nil
}
