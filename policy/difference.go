package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// A Side is one of two versions that are compared, with the registry's facts that belong to it.
type Side struct {
	Decider Decider
	Facts   Facts
}

// A Shift is something that some accounts may do under one version and not under the other.
type Shift struct {
	Gained     bool   `json:"gained"` // or lost
	Department string `json:"department"`
	App        string `json:"app"` // "" for org_admin, in which applications have no say
	// Item is * for every item that neither side knows, and for org_admin.
	Item string `json:"item"`
	// Interface is a governed interface, or org_admin (log in for the department); "" where Field may be shown in clear.
	Interface string `json:"interface,omitempty"`
	Field     string `json:"field,omitempty"`
	// ServiceItems are those for which it holds, "" being none; * alone stands for all, and none.
	ServiceItems []string `json:"service_items"`
	// Accounts are all for which it holds with just these service items.
	Accounts []string `json:"accounts"`
	Example  Example  `json:"example"`
}

// An Example is one question of a Shift, with both answers and the lines that decided.
type Example struct {
	Request Request  `json:"request"` // Interface is "" for a field, org_admin for that
	Before  Decision `json:"before"`
	After   Decision `json:"after"`
}

// ErrTooMany says that there is more to tell than anybody would read. What was found until then comes beside it.
var ErrTooMany = errors.New("policy: too many rows")

// ErrForeign refuses a Decider that is not of this package: nobody knows its lines.
var ErrForeign = errors.New("policy: a Decider of another make")

// bounds keep an answer to a size that can be held and sent.
type bounds struct{ rows, names int }

// take uses up a row with so many names; false if there is no room for it.
func (b *bounds) take(names int) bool {
	b.rows--
	b.names -= names
	return b.rows >= 0 && b.names >= 0
}

// most are the rows that Differ and Who return at most, and the names of accounts and service items in them.
var most = bounds{rows: 100_000, names: 2_000_000}

// Differ returns everything that one side allows and the other does not, exactly: of all departments, applications and accounts
// that either side's facts know, all governed interfaces, sensitive fields and org_admin, and all items and service items that facts
// or lines know, with one item that stands for all others. Rows are in order of department, application, item, interface or field.
//
// Both sides' lines are laid out at once. Subjects to whom the same lines speak are asked as one, and only where a line that speaks to
// them changed: beside reading the lines, the cost is that of what changed.
func Differ(ctx context.Context, earlier, later Side) ([]Shift, error) {
	return differ(ctx, earlier, later, most)
}

func differ(ctx context.Context, earlier, later Side, most bounds) ([]Shift, error) {
	d := difference{deciders: [2]*decider{compiledOf(earlier.Decider), compiledOf(later.Decider)}, left: most}
	if d.deciders[0] == nil || d.deciders[1] == nil {
		return nil, ErrForeign
	}
	d.layout = newLayout(d.deciders[0].lines, d.deciders[1].lines)
	d.survey([]Facts{earlier.Facts, later.Facts})
	d.settle()
	d.sets = serviceSets{d.layout, map[string][]string{}}
	d.someItem = "OTHER"
	for d.numbers[d.someItem] != 0 {
		d.someItem += "_"
	}
	for _, department := range d.places {
		if !d.moved(department) {
			continue
		}
		s := d.scene(department)
		err := d.offices(s)
		for i := 0; err == nil && i < len(s.parties[application]); i++ {
			err = d.application(ctx, s, &s.parties[application][i])
		}
		if err != nil {
			return d.shifts, fmt.Errorf("policy: compare versions %d and %d: %w", d.deciders[0].version, d.deciders[1].version, err)
		}
	}
	return d.shifts, nil
}

// A difference is a comparison under way.
type difference struct {
	*layout
	deciders [2]*decider
	sets     serviceSets
	someItem string // a name that stands for unmentioned in examples
	shifts   []Shift
	left     bounds
}

// A change is an act on a thing that some accounts gain or lose.
type change struct {
	at, bit int // in things, in askable
	gained  bool
	served  string // the key of the service items
}

// offices finds who may log in for a department now, or no longer.
func (d *difference) offices(s *scene) error {
	for _, gained := range []bool{true, false} {
		var who []int
		for i := range s.parties[account] {
			p := &s.parties[account][i]
			if p.touched&officeAct != 0 && changed(p.may(&office, 0), gained) != 0 {
				who = append(who, i)
			}
		}
		if who == nil {
			continue
		}
		row := Shift{Gained: gained, Item: anyOne, Interface: actOrgAdmin, ServiceItems: []string{anyOne}}
		if err := d.tell(s, row, who, anyOne); err != nil {
			return err
		}
	}
	return nil
}

// changed are the acts that are gained from one side to the other, or lost.
func changed(r rights, gained bool) actSet {
	if gained {
		return r[1] &^ r[0]
	}
	return r[0] &^ r[1]
}

// application finds what accounts may do with one application in a department now, or no longer.
func (d *difference) application(ctx context.Context, s *scene, app *party) error {
	found := map[change][]int{} // → places of the accounts' parties
	reach := app.reach()
	for i := range s.parties[account] {
		if err := ctx.Err(); err != nil {
			return err
		}
		person := &s.parties[account][i]
		possible := app.allows & person.allows
		touched := (app.touched | person.touched) & possible
		if touched|s.listed&possible == 0 {
			continue
		}
		for _, at := range reach {
			acts := d.things[at].acts
			if touched&acts == 0 && (!s.relisted[at] || s.listed&possible&acts == 0) {
				continue
			}
			j := s.together(app, person, at)
			for _, gained := range []bool{true, false} {
				d.sets.each(&j, func(r rights) actSet { return changed(r, gained) }, func(bit int, served string) {
					c := change{at, bit, gained, served}
					found[c] = append(found[c], i)
				})
			}
		}
	}
	changes := make([]change, 0, len(found))
	for c := range found {
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.bit, b.bit), gainsFirst(a.gained, b.gained),
			slices.Compare(d.sets.of(a.served), d.sets.of(b.served)))
	})
	for _, c := range changes {
		t := &d.things[c.at]
		row := Shift{Gained: c.gained, App: d.bare(app.members[0]), Item: t.item, Field: t.field, ServiceItems: d.sets.of(c.served)}
		if t.field == "" {
			row.Interface = askable[c.bit]
		}
		item := t.item
		if item == unmentioned {
			row.Item, item = anyOne, d.someItem
		}
		if err := d.tell(s, row, found[c], item); err != nil {
			return err
		}
	}
	return nil
}

func gainsFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// tell completes a row and takes it up. who are the places of its accounts' parties, item is the one of the example.
func (d *difference) tell(s *scene, row Shift, who []int, item string) error {
	row.Department, row.Accounts = d.names[s.department], s.accounts(who)
	r := Request{
		App: row.App, Account: row.Accounts[0], Department: row.Department, Item: item, Interface: row.Interface, ServiceItem: row.ServiceItems[0],
	}
	if r.ServiceItem == anyOne {
		r.ServiceItem = ""
	}
	row.Example = Example{r, answerOf(d.deciders[0], r, row.Field), answerOf(d.deciders[1], r, row.Field)}
	if row.Example.Before.Allow == row.Gained || row.Example.After.Allow != row.Gained {
		return fmt.Errorf("the decisions on %+v are not what the lines say", r)
	}
	if !d.left.take(len(row.Accounts) + len(row.ServiceItems)) {
		return ErrTooMany
	}
	d.shifts = append(d.shifts, row)
	return nil
}

// answerOf decides one question of a row: of a field, of org_admin, or of an interface.
func answerOf(d *decider, r Request, field string) Decision {
	switch {
	case field != "":
		return d.judgeClear(&r, field).Decision()
	case r.Interface == actOrgAdmin:
		return d.judgeOffice(r.Account, r.Department).Decision()
	}
	return d.Decide(r)
}
