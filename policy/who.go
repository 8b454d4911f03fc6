package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// An Ask is whose rights to an item are wanted. What is "" is not restricted.
type Ask struct {
	Item string `json:"item"` // required
	// Field asks who may see this field in clear, Interface who may call this one; neither asks for every governed interface. Not both.
	Field      string `json:"field,omitempty"`
	Interface  string `json:"interface,omitempty"`
	App        string `json:"app,omitempty"`
	Account    string `json:"account,omitempty"`
	Department string `json:"department,omitempty"`
}

// A Holder is an account that may do something with the item asked about, by an application, in a department.
type Holder struct {
	Department string `json:"department"`
	App        string `json:"app"`
	Account    string `json:"account"`
	Interface  string `json:"interface,omitempty"` // "" for a Field in clear
	Field      string `json:"field,omitempty"`
	// ServiceItems are those for which it holds by these lines, "" being none; * alone stands for all, and none.
	ServiceItems []string `json:"service_items"`
	// Lines decide: the application's, the account's and, for function calls, the service item's.
	Lines []string `json:"lines"`
}

// ErrAsk refuses an Ask that the lines can't answer.
var ErrAsk = errors.New("policy: not a question about an item")

// Who returns everybody, of the facts, who may do what ask says under d, exactly, and under which lines. Rows are in order of department,
// application, account, interface. Rights by different lines are different rows.
func Who(ctx context.Context, d Decider, f Facts, ask Ask) ([]Holder, error) {
	return who(ctx, d, f, ask, most)
}

func who(ctx context.Context, d Decider, f Facts, ask Ask, most bounds) ([]Holder, error) {
	own := compiledOf(d)
	switch {
	case own == nil:
		return nil, ErrForeign
	case !isItem(ask.Item), ask.Field != "" && !isItem(ask.Field), ask.Field != "" && ask.Interface != "":
		return nil, fmt.Errorf("%w: item %q, field %q, interface %q", ErrAsk, ask.Item, ask.Field, ask.Interface)
	case ask.Interface != "" && !governed[ask.Interface]:
		return nil, fmt.Errorf("%w: the lines do not govern interface %q", ErrAsk, ask.Interface)
	}
	h := holders{own: own, layout: newLayout(own.lines, own.lines), ask: ask, left: most}
	h.survey([]Facts{f})
	h.narrow()
	h.settle()
	h.sets = serviceSets{h.layout, map[string][]string{}}
	for _, department := range h.places {
		s := h.scene(department)
		for i := range s.parties[application] {
			if err := h.application(ctx, s, &s.parties[application][i]); err != nil {
				return h.found, fmt.Errorf("policy: who may use item %s: %w", ask.Item, err)
			}
		}
	}
	return h.found, nil
}

// holders is a question under way.
type holders struct {
	*layout
	own   *decider
	sets  serviceSets
	ask   Ask
	found []Holder
	left  bounds
}

// narrow leaves of the universe what is asked about.
func (h *holders) narrow() {
	for subject, part := range h.parts {
		name := h.bare(subject)
		if part == application && h.ask.App != "" && name != h.ask.App || part == account && h.ask.Account != "" && name != h.ask.Account {
			delete(h.parts, subject)
		}
	}
	h.places = slices.DeleteFunc(h.places, func(n uint32) bool { return h.ask.Department != "" && h.names[n] != h.ask.Department })
	t := h.thing(h.ask.Item, h.ask.Field)
	if h.ask.Interface != "" {
		t.acts = actsThat(func(a *act) bool { return a.name == h.ask.Interface })
	}
	h.things = []thing{t}
}

// application finds who may use the item by one application in a department.
func (h *holders) application(ctx context.Context, s *scene, app *party) error {
	from := len(h.found)
	var err error
	for i := 0; err == nil && i < len(s.parties[account]); i++ {
		if err = ctx.Err(); err == nil {
			err = h.pair(s, app, &s.parties[account][i])
		}
	}
	slices.SortStableFunc(h.found[from:], func(a, b Holder) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Interface, b.Interface), slices.Compare(a.ServiceItems, b.ServiceItems))
	})
	return err
}

// pair finds what an application and accounts may do together.
func (h *holders) pair(s *scene, app, person *party) error {
	possible := app.allows & person.allows & h.things[0].acts
	if possible == 0 {
		return nil
	}
	j := s.together(app, person, 0)
	for bit := range askable {
		if possible>>bit&1 == 0 {
			continue
		}
		r := Request{
			App: h.bare(app.members[0]), Account: h.bare(person.members[0]), Department: h.names[s.department], Item: h.ask.Item, Interface: askable[bit],
		}
		grounds, err := h.grounds(r, bit, &j)
		if err != nil {
			return err
		}
		for _, g := range grounds {
			row := Holder{Department: r.Department, App: r.App, Interface: r.Interface, Field: h.ask.Field, Lines: g.lines}
			row.ServiceItems = h.sets.of(h.sets.key(g.none, g.others, g.some, g.but(&j)))
			if row.Field != "" {
				row.Interface = ""
			}
			for _, one := range person.members {
				if !h.left.take(len(row.ServiceItems)) {
					return ErrTooMany
				}
				row.Account = h.bare(one)
				h.found = append(h.found, row)
			}
		}
	}
	return nil
}

// A ground is lines by which something is allowed, and the service items for which they are what decides.
type ground struct {
	lines        []string
	none, others bool
	some         []uint32
}

// but are the service items that are told apart from the others of a ground that holds for those.
func (g *ground) but(j *together) (out []uint32) {
	if !g.others {
		return nil
	}
	for _, one := range j.some {
		if !slices.Contains(g.some, one.service) {
			out = append(out, one.service)
		}
	}
	return out
}

// grounds are those on which an act of r's parties is allowed. What is allowed for the service items that no line tells apart is allowed as for none.
func (h *holders) grounds(r Request, bit int, j *together) ([]*ground, error) {
	var all []*ground
	on := func(service string) (*ground, error) {
		r.ServiceItem = service
		decision := answerOf(h.own, r, h.ask.Field)
		if !decision.Allow {
			return nil, fmt.Errorf("the decision on %+v is not what the lines say", r)
		}
		at := slices.IndexFunc(all, func(g *ground) bool { return slices.Equal(g.lines, decision.Lines) })
		if at < 0 {
			at, all = len(all), append(all, &ground{lines: decision.Lines})
		}
		return all[at], nil
	}
	if j.none[0]>>bit&1 != 0 {
		g, err := on("")
		if err != nil {
			return nil, err
		}
		g.none, g.others = true, j.others[0]>>bit&1 != 0
	}
	for _, one := range j.some {
		if one.may[0]>>bit&1 == 0 {
			continue
		}
		g, err := on(h.names[one.service])
		if err != nil {
			return nil, err
		}
		g.some = append(g.some, one.service)
	}
	return all, nil
}
