package policy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"licgate/policy"
)

// departments is how many a world has, if it has lines enough to name them.
const departments = 1000

// A block is one application with what belongs to it: grants, service items and their lists, accounts with roles.
type block struct{ items, needs, services, accounts, roles int }

func (b block) lines() int {
	return b.items*b.needs*b.services + b.items*b.services + b.accounts*b.roles
}

var (
	small = block{items: 1, needs: 2, services: 1, accounts: 2, roles: 1}
	large = block{items: 5, needs: 4, services: 2, accounts: 5, roles: 2}
)

// A world is a policy of a given number of lines, the facts behind it, and requests that it allows, each taking three decisions.
type world struct {
	lines    []string
	facts    policy.Facts
	requests []policy.Request
}

var (
	needs = []string{"function_call", "issue", "archive", "web_view"}
	roles = []string{"user", "issuer", "archivist", "approver"}
)

func departmentCode(i int) string { return fmt.Sprintf("1111%06d0000%03dX", i, i%1000) + "0" }
func itemCode(i int) string       { return fmt.Sprintf("3050%05d", i) }

var worlds = map[int]*world{}

// worldOf makes each world once.
func worldOf(lines int) *world {
	if worlds[lines] == nil {
		worlds[lines] = newWorld(lines)
	}
	return worlds[lines]
}

func newWorld(n int) *world {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	var f policy.Facts
	var requests []policy.Request
	b := large
	if (n-departments)/departments < large.lines() {
		b = small
	}
	lines := len(policy.Lines(f))
	for i := range min(departments, n/10) {
		d := policy.DepartmentFact{Code: departmentCode(i)}
		if i > 0 {
			d.Parent = departmentCode((i - 1) / 10)
			lines++
		}
		f.Departments = append(f.Departments, d)
	}
	for i := range min(100, n/100) {
		// Half of the items have sensitive fields.
		item := policy.ItemFact{Code: itemCode(i)}
		if i%2 == 0 {
			item.Fields = []string{"CYRSFZJHM", "CZR"}
			lines += 3
		}
		f.Items = append(f.Items, item)
	}
	for i := 0; lines+b.lines() <= n; i++ {
		lines += b.lines()
		department := f.Departments[i%len(f.Departments)].Code
		app := policy.ApplicationFact{AppKey: fmt.Sprintf("app%06d", i), Department: department}
		var grant policy.GrantFact
		first := r.IntN(200)
		for k := range b.items {
			grant.Items = append(grant.Items, itemCode(first+k))
		}
		grant.Needs = needs[:b.needs]
		for k := range b.services {
			code := fmt.Sprintf("%06dMZ%06d", i%len(f.Departments), i*b.services+k)
			grant.ServiceItems = append(grant.ServiceItems, code)
			f.ServiceItems = append(f.ServiceItems, policy.ServiceItemFact{Code: code, Department: department, Items: grant.Items})
		}
		app.Grants = []policy.GrantFact{grant}
		f.Applications = append(f.Applications, app)
		for k := range b.accounts {
			account := fmt.Sprintf("110000_clerk%06d", i*b.accounts+k)
			f.Accounts = append(f.Accounts, policy.AccountFact{Account: account, Department: department, Roles: roles[:b.roles]})
			for _, name := range []string{"auth", "get_license", "token"} {
				requests = append(requests, policy.Request{
					App: app.AppKey, Account: account, Department: department,
					Item: grant.Items[r.IntN(len(grant.Items))], Interface: name, ServiceItem: grant.ServiceItems[r.IntN(len(grant.ServiceItems))],
				})
			}
		}
	}
	w := &world{lines: policy.Lines(f), facts: f}
	// What is missing to the round number: denials of items that nobody has.
	for i := 0; len(w.lines) < n; i++ {
		w.lines = append(w.lines, fmt.Sprintf("p, app:app%06d, %s, %s, archive, *, deny", i%max(1, len(f.Applications)), f.Departments[i%len(f.Departments)].Code, itemCode(1000+i)))
	}
	r.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
	w.requests = packed(requests[:min(len(requests), 1<<17)])
	return w
}

// packed lays the requests' text out in the order in which they are asked, as text that was just parsed lies in the
// processor's cache: what is measured is the policy's memory, not the benchmark's.
func packed(requests []policy.Request) []policy.Request {
	var text strings.Builder
	members := func(r *policy.Request) []*string {
		return []*string{&r.App, &r.Account, &r.Department, &r.Item, &r.ServiceItem}
	}
	for i := range requests {
		for _, m := range members(&requests[i]) {
			text.WriteString(*m)
		}
	}
	rest := text.String()
	for i := range requests {
		for _, m := range members(&requests[i]) {
			*m, rest = rest[:len(*m)], rest[len(*m):]
		}
	}
	return requests
}
