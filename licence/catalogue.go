package licence

import (
	"slices"
	"strings"
)

// Query is the filter of the catalogue list (table 4).
type Query struct {
	Keyword string   // in the item's name or its department's, case-insensitive
	Status  []string // empty: PUBLISH
	Open    *bool    // nil: true
	Page    Page
}

// published is the catalogue status (LicenseItemStatus) of an item in force.
const published = "PUBLISH"

// List filters items, in the order given, and returns one page and the count of all.
func List(items []*Item, q Query) ([]*Item, int) {
	keyword := strings.ToLower(strings.TrimSpace(q.Keyword))
	status := q.Status
	if len(status) == 0 {
		status = []string{published}
	}
	open := q.Open == nil || *q.Open
	var found []*Item
	for _, item := range items {
		if item.Open == open && slices.Contains(status, item.Status) &&
			(strings.Contains(strings.ToLower(item.Name), keyword) || strings.Contains(strings.ToLower(item.DepartmentName), keyword)) {
			found = append(found, item)
		}
	}
	limit, offset := q.Page.bounds()
	rest := found[min(offset, len(found)):]
	return rest[:min(limit, len(rest))], len(found)
}
