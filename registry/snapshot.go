package registry

// Snapshot indexes one platform for look-ups. Immutable; swapped whole; safe for concurrent use.
type Snapshot struct {
	platform     *Platform
	departments  map[string]*Department
	ancestors    map[string][]string
	items        map[string]*Item
	byBasic      map[string]*Item // of the 24-character codes; nil where several share the basic part
	serviceItems map[serviceKey]*ServiceItem
	applications map[string]*Application
	accounts     map[string]*Account

	administrators map[string]*Administrator
	certificates   map[string]*Administrator // by digest of the public key
}

type serviceKey struct{ department, code string }

// The parts of an item code (domain.md §4).
const (
	wholeCode = 24
	basicPart = 9
)

// NewSnapshot indexes p, which must have passed Check and must not change afterwards.
func NewSnapshot(p *Platform) *Snapshot {
	s := &Snapshot{
		platform:     p,
		departments:  make(map[string]*Department, len(p.Departments)),
		ancestors:    make(map[string][]string, len(p.Departments)),
		items:        make(map[string]*Item, len(p.Items)),
		byBasic:      map[string]*Item{},
		serviceItems: make(map[serviceKey]*ServiceItem, len(p.ServiceItems)),
		applications: make(map[string]*Application, len(p.Applications)),
		accounts:     make(map[string]*Account, len(p.Accounts)),

		administrators: make(map[string]*Administrator, len(p.Administrators)),
		certificates:   map[string]*Administrator{},
	}
	for i := range p.Departments {
		s.departments[p.Departments[i].Code] = &p.Departments[i]
	}
	for i := range p.Departments {
		code := p.Departments[i].Code
		s.ancestors[code] = s.parents(code)
	}
	for i := range p.Items {
		item := &p.Items[i]
		s.items[item.LicenseItemCode] = item
		if len(item.LicenseItemCode) != wholeCode {
			continue
		}
		basic := item.LicenseItemCode[:basicPart]
		if _, shared := s.byBasic[basic]; shared {
			item = nil
		}
		s.byBasic[basic] = item
	}
	for i := range p.ServiceItems {
		one := &p.ServiceItems[i]
		s.serviceItems[serviceKey{one.Department, one.Code}] = one
	}
	for i := range p.Applications {
		s.applications[p.Applications[i].AppKey] = &p.Applications[i]
	}
	for i := range p.Accounts {
		s.accounts[p.Accounts[i].Account] = &p.Accounts[i]
	}
	for i := range p.Administrators {
		a := &p.Administrators[i]
		s.administrators[a.Administrator] = a
		for _, digest := range a.Certificates {
			s.certificates[digest] = a
		}
	}
	return s
}

func (s *Snapshot) parents(code string) []string {
	var all []string
	for one := s.departments[code]; one != nil && one.Parent != "" && len(all) < deepest; one = s.departments[one.Parent] {
		all = append(all, one.Parent)
	}
	return all
}

// Platform returns what the snapshot was made of. Callers must not change it.
func (s *Snapshot) Platform() *Platform { return s.platform }

// Department finds a department by code.
func (s *Snapshot) Department(code string) (*Department, bool) {
	d, ok := s.departments[code]
	return d, ok
}

// Item finds a catalogue item by any of its three code forms (24 = 9 basic + 9 organisation + 6 division, 15, 9):
// exactly, else a 24-character code by its basic part. An item that is registered by its 24 characters answers to
// its basic part too, where no other item shares it. Rights are judged by the code of the item found.
func (s *Snapshot) Item(code string) (*Item, bool) {
	if item, ok := s.items[code]; ok {
		return item, true
	}
	switch len(code) {
	case wholeCode:
		item, ok := s.items[code[:basicPart]]
		return item, ok
	case basicPart:
		item := s.byBasic[code]
		return item, item != nil
	}
	return nil, false
}

// ServiceItem finds a service item of a department (or of an ancestor of it) by code; the nearest one's.
func (s *Snapshot) ServiceItem(department, code string) (*ServiceItem, bool) {
	if one, ok := s.serviceItems[serviceKey{department, code}]; ok {
		return one, true
	}
	for _, above := range s.ancestors[department] {
		if one, ok := s.serviceItems[serviceKey{above, code}]; ok {
			return one, true
		}
	}
	return nil, false
}

// Application finds an application by app_key.
func (s *Snapshot) Application(appKey string) (*Application, bool) {
	a, ok := s.applications[appKey]
	return a, ok
}

// Account finds an account by name.
func (s *Snapshot) Account(name string) (*Account, bool) {
	a, ok := s.accounts[name]
	return a, ok
}

// Administrator finds an administrator by login name, a disabled one too.
func (s *Snapshot) Administrator(name string) (*Administrator, bool) {
	a, ok := s.administrators[name]
	return a, ok
}

// AdministratorByCertificate finds the administrator, a disabled one too, for whom a client certificate stands, by the SHA-256 of its
// SubjectPublicKeyInfo in lower-case hex.
func (s *Snapshot) AdministratorByCertificate(sha256hex string) (*Administrator, bool) {
	a, ok := s.certificates[sha256hex]
	return a, ok
}

// Ancestors returns the department's parents, nearest first. Callers must not change it.
func (s *Snapshot) Ancestors(department string) []string { return s.ancestors[department] }
