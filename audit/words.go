package audit

// The words that the members of a record may have: who searches for another one has mistyped it.
var (
	Events   = []string{EventRequest, EventAttempt, EventStart, EventStop, EventConfig, EventPolicy, EventAdmin, EventRefusals, EventTimeJump, EventLost, EventRetire}
	Kinds    = []string{KindCatalogue, KindLifeCycle, KindUse}
	Outcomes = []string{"SUCCESS", "FAILURE", "ATTEMPT"}
)
