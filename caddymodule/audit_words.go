package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"licgate/audit"
	"licgate/protocol"
)

// changeInterface stands in the record of what a change of the platform is about to do.
const changeInterface = "change"

// administratorInterfaces are the interfaces in the records of administrators' calls. The table of those calls leads here: it is read later.
var administratorInterfaces []string

func init() {
	administratorInterfaces = []string{changeInterface}
	for _, route := range adminRoutes() {
		administratorInterfaces = append(administratorInterfaces, route.name())
	}
}

// mistyped says which filter has a value that no record can have, "" when none: an empty table would read as that nothing happened.
func (q auditQuery) mistyped() string {
	var calls []string
	for _, e := range protocol.Endpoints() {
		calls = append(calls, string(e.Interface))
	}
	for _, filter := range []struct {
		name, value string
		known       []string
	}{
		{"outcome", q.Outcome, audit.Outcomes},
		{"event", q.Event, audit.Events},
		{"kind", q.Kind, audit.Kinds},
	} {
		if filter.value != "" && !slices.Contains(filter.known, filter.value) {
			return fmt.Sprintf("%s 没有 %q，可用：%s", filter.name, filter.value, strings.Join(filter.known, "、"))
		}
	}
	if q.Interface != "" && !slices.Contains(calls, q.Interface) && !slices.Contains(administratorInterfaces, q.Interface) {
		return fmt.Sprintf("interface 没有 %q，可用：%s；管理操作是管理接口的路径，例如 registry/apply", q.Interface, strings.Join(calls, "、"))
	}
	return ""
}
