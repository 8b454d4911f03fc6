package policy

import (
	"maps"
	"slices"
)

// An actSet is a set of acts that requests ask for.
type actSet uint32

// askable are those acts, by bit: the governed interfaces in order, clear, org_admin.
var askable = append(slices.Sorted(maps.Keys(governed)), actClear, actOrgAdmin)

func actsThat(belong func(*act) bool) (set actSet) {
	for bit, name := range askable {
		if belong(acts[name]) {
			set |= 1 << bit
		}
	}
	return set
}

var (
	interfaceActs = actsThat(func(a *act) bool { return a.governed })
	functionActs  = actsThat(func(a *act) bool { return a.function })
	authAct       = actsThat(func(a *act) bool { return a.name == "auth" })
	clearAct      = actsThat(func(a *act) bool { return a.name == actClear })
	officeAct     = actsThat(func(a *act) bool { return a.name == actOrgAdmin })
)

// writtenSets are the acts that a line allows or denies, by the act that it names and its effect.
var writtenSets = func() map[[2]string]actSet {
	sets := map[[2]string]actSet{}
	for written := range writtenActs {
		for _, effect := range []string{allow, deny} {
			sets[[2]string{written, effect}] = actsThat(func(a *act) bool { return covers(a.name, written, effect) })
		}
	}
	return sets
}()

// Two versions are laid out at once. sides are those, of the two, in which something holds; who asks about one version takes it for both.
type sides uint8

const (
	before sides = 1 << iota
	after
	both = before | after
)

// rights are acts on each side.
type rights [2]actSet

// shifted are the acts that one side has and the other has not.
func (r rights) shifted() actSet { return r[0] ^ r[1] }

func (r rights) any() actSet { return r[0] | r[1] }

func (r rights) and(o rights) rights { return rights{r[0] & o[0], r[1] & o[1]} }

func (r rights) without(o rights) rights { return rights{r[0] &^ o[0], r[1] &^ o[1]} }

func (r rights) or(o rights) rights { return rights{r[0] | o[0], r[1] | o[1]} }

// everywhere are the same acts on both sides.
func (set actSet) everywhere() rights { return rights{set, set} }

// on leaves what holds on some sides.
func (r rights) on(on sides) rights {
	for side := range r {
		if on>>side&1 == 0 {
			r[side] = 0
		}
	}
	return r
}
