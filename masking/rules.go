package masking

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A shape is one way to show the values of a kind.
type shape struct {
	option string
	mask   masker // nil: whole
}

// none is the option that shows nothing.
const none = "none"

// shapes are the options of each kind, the default first (domain.md §6). Numbers are characters shown at both ends.
var shapes = map[Kind][]shape{
	Name:           {{"surname", maskName}, {none, nil}},
	IdentityNumber: {{"6+*", identityShape{6, 0}.mask}, {"3+4", identityShape{3, 4}.mask}, {"1+2", identityShape{1, 2}.mask}, {none, nil}},
	Phone:          {{"3+4", phoneShape{3, 4}.mask}, {"3+2", phoneShape{3, 2}.mask}, {"0+4", phoneShape{0, 4}.mask}, {none, nil}},
	Landline:       {{"area+2", landlineShape{2}.mask}, {"area", landlineShape{0}.mask}, {none, nil}},
	Address:        {{"district", addressShape{district}.mask}, {"city", addressShape{city}.mask}, {"province", addressShape{province}.mask}, {none, nil}},
	BirthDate:      {{"year", maskBirthDate}, {none, nil}},
	BankCard:       {{"0+4", maskBankCard}, {none, nil}},
	Email:          {{"1+domain", emailShape{1}.mask}, {"domain", emailShape{0}.mask}, {none, nil}},
	Passport:       {{"1+2", maskPassport}, {none, nil}},
	Photo:          {{none, nil}},
	Text:           {{none, nil}},
}

// Rules say how much of a value of each kind is shown. Nil are the defaults. Immutable; safe for concurrent use.
type Rules struct {
	chosen map[Kind]string // what differs from the default
	treat  map[Kind]*treatment
}

// defaults are the treatments of nil Rules.
var defaults = treatments(nil)

func treatments(chosen map[Kind]string) map[Kind]*treatment {
	all := make(map[Kind]*treatment, len(shapes))
	for kind, options := range shapes {
		i := max(0, slices.IndexFunc(options, func(s shape) bool { return s.option == chosen[kind] }))
		all[kind] = newTreatment(kind, options[i].mask)
	}
	all[PublicNumber] = newTreatment(PublicNumber, maskNumber)
	return all
}

// NewRules chooses an option for some kinds; the others keep their default. An unknown kind or option is refused.
func NewRules(options map[Kind]string) (*Rules, error) {
	r := &Rules{chosen: make(map[Kind]string)}
	for _, kind := range slices.Sorted(maps.Keys(options)) {
		known := Options(kind)
		switch {
		case known == nil:
			return nil, fmt.Errorf("masking: there is no kind %q to choose a rule for", kind)
		case !slices.Contains(known, options[kind]):
			return nil, fmt.Errorf("masking: %s can be shown as %s, not as %q", kind, strings.Join(known, ", "), options[kind])
		case options[kind] != known[0]:
			r.chosen[kind] = options[kind]
		}
	}
	r.treat = treatments(r.chosen)
	return r, nil
}

// Options are what NewRules takes for kind, the default first; nil for a kind that is not in the list.
func Options(kind Kind) []string {
	if !Known(kind) {
		return nil
	}
	var options []string
	for _, s := range shapes[kind] {
		options = append(options, s.option)
	}
	return options
}

// Chosen are the options that differ from the default.
func (r *Rules) Chosen() map[Kind]string {
	if r == nil {
		return nil
	}
	return maps.Clone(r.chosen)
}

// Mask returns what is shown of value under these rules; see the package's Mask.
func (r *Rules) Mask(kind Kind, value string) string {
	return string(r.treatment(kind).show(nil, []byte(value)))
}

func (r *Rules) treatment(kind Kind) *treatment {
	known := defaults
	if r != nil {
		known = r.treat
	}
	if t, ok := known[kind]; ok {
		return t
	}
	return newTreatment(kind, nil)
}
