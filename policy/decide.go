package policy

import "slices"

// The parts of a decision, in the order in which they count.
const (
	application = iota
	account
	serviceItem
	allParts
)

// parts are what each part is called, where its subject comes from, and what a refusal by it is called.
var parts = [allParts]struct {
	name, prefix string
	denied, none Reason
}{
	{PartApplication, appPrefix, ReasonAppDenied, ReasonAppNoGrant},
	{PartAccount, accountPrefix, ReasonAccountDenied, ReasonAccountNoRole},
	{PartServiceItem, servicePrefix, ReasonServiceItem, ReasonServiceItem},
}

// A query asks about one object and act for up to three subjects at once: those of Request that are asked. It stands for a
// Casbin request each.
type query struct {
	Request // but for Interface: act says it
	act     *act
	field   string // of the item; "" for the item itself
	asked   [allParts]bool
}

// subject is a part's as policy lines name it.
func (q *query) subject(part int) string {
	return parts[part].prefix + [...]string{q.App, q.Account, q.ServiceItem}[part]
}

func (q *query) object() string {
	if q.field == "" {
		return q.Item
	}
	return q.Item + fieldMark + q.field
}

// verdict is the answer for one subject and the place of the line that decided, from 0: the first deny that covers it,
// else the first allow.
type verdict struct {
	effect effect
	line   uint32
}

// matcher answers queries after the meaning that model.conf gives the lines.
type matcher interface {
	match(query) [allParts]verdict
	// via returns the links by which a p line covers what a part asks.
	via(q query, part int, line rule) []string
}

// decider puts the three decisions of a request together. What it is made of never changes.
type decider struct {
	matcher
	version int64
	lines   []string
}

func (d *decider) Version() int64 { return d.version }

func (d *decider) compiled() *decider { return d }

func (d *decider) Decide(r Request) Decision { return d.Judge(r).Decision() }

// Judge asks for all parts: a deny in any counts before a want of lines in any other, the application before the account before the
// service item.
func (d *decider) Judge(r Request) Ruling {
	var q query
	return d.rule(&q, q.put(&r))
}

// rule answers a query that was put, or says the reason why none was.
func (d *decider) rule(q *query, reason Reason) Ruling {
	ruling := Ruling{Reason: reason, Version: d.version, text: d.lines}
	if reason == "" {
		verdicts := d.match(*q)
		ruling.conclude(&q.asked, &verdicts)
	}
	ruling.Allow = ruling.Reason == ReasonAllowed || ruling.Reason == ReasonNoGrantNeeded
	return ruling
}

// put makes a query of a request, or says why it needs none.
func (q *query) put(r *Request) Reason {
	q.act = actOfRequest(r.Interface)
	switch {
	case q.act != nil && q.act.governed:
	case slices.Contains(ungranted, r.Interface):
		return ReasonNoGrantNeeded
	default:
		return ReasonUnknown
	}
	if !isName(r.Department) || !isItem(r.Item) {
		// A group's name, a field's or * must not pass for an item's.
		return ReasonAppNoGrant
	}
	q.Request = *r
	// token and get_license without a service item go by a holder's own code (psn_holder), which belongs to none; auth
	// always names one.
	q.asked = [allParts]bool{true, true, q.act.function && (r.ServiceItem != "" || r.Interface == "auth")}
	return ""
}

// putClear makes the query whether a field of r's item may be shown in clear.
func (q *query) putClear(r *Request, field string) Reason {
	if !isName(r.Department) || !isItem(r.Item) || !isItem(field) {
		return ReasonAppNoGrant
	}
	q.Request, q.field, q.act = *r, field, acts[actClear]
	q.asked = [allParts]bool{application: true, account: true}
	return ""
}

// putOffice makes the query whether an account may log in for a department.
func (q *query) putOffice(name, department string) Reason {
	if !isName(department) {
		return ReasonAccountNoRole
	}
	q.Request, q.act = Request{Account: name, Department: department, Item: anyOne}, acts[actOrgAdmin]
	q.asked = [allParts]bool{account: true}
	return ""
}

func (d *decider) Clear(r Request, fields []string) []string {
	var shown []string
	for _, field := range fields {
		if d.judgeClear(&r, field).Allow {
			shown = append(shown, field)
		}
	}
	return shown
}

// judgeClear is Clear of one field, with the reason.
func (d *decider) judgeClear(r *Request, field string) Ruling {
	var q query
	return d.rule(&q, q.putClear(r, field))
}

func (d *decider) Administers(name, department string) bool {
	return d.judgeOffice(name, department).Allow
}

// judgeOffice is Administers, with the reason.
func (d *decider) judgeOffice(name, department string) Ruling {
	var q query
	return d.rule(&q, q.putOffice(name, department))
}
