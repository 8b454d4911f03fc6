package licence_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"licgate/gm"
	"licgate/licence"
	"licgate/licence/licencetest"
)

// world is a service over a fresh store, with a clock that stands still until it is moved.
type world struct {
	*licence.Service
	store *spy
	mu    sync.Mutex
	clock time.Time
}

// sharedKeys makes one keyring for all tests: each would cost a few fsyncs.
var sharedKeys = sync.OnceValues(newKeys)

func newKeys() (*gm.Keyring, error) {
	dir, err := os.MkdirTemp("", "licence-keys-*")
	if err != nil {
		return nil, err
	}
	keys, err := gm.Open(dir, rand.Reader)
	return keys, errors.Join(err, os.RemoveAll(dir))
}

// noon is 2026-03-05 12:00 in Asia/Shanghai.
var noon = time.Date(2026, 3, 5, 4, 0, 0, 123_456_789, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	keys, err := sharedKeys()
	if err != nil {
		t.Fatalf("keyring: %v", err)
	}
	w := &world{store: &spy{Store: licencetest.NewMemory()}, clock: noon}
	w.Service = &licence.Service{Store: w.store, Keys: keys, Random: rand.Reader, Now: func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.clock
	}}
	return w
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// spy is a store whose calls a test may turn; the rest is the real one.
type spy struct {
	licence.Store
	apply        func(context.Context, licence.Write) error
	findByIDCode func(context.Context, string, []byte) ([]licence.Stored, error)
	find         func(context.Context, string) (licence.Stored, error)
	listByHolder func(rows []licence.Stored) []licence.Stored
	applied      []licence.Write
	mu           sync.Mutex
}

func (s *spy) Apply(ctx context.Context, w licence.Write) error {
	s.mu.Lock()
	s.applied = append(s.applied, w)
	s.mu.Unlock()
	if s.apply != nil {
		return s.apply(ctx, w)
	}
	return s.Store.Apply(ctx, w)
}

func (s *spy) Find(ctx context.Context, code string) (licence.Stored, error) {
	if s.find != nil {
		return s.find(ctx, code)
	}
	return s.Store.Find(ctx, code)
}

func (s *spy) FindByIDCode(ctx context.Context, item string, digest []byte) ([]licence.Stored, error) {
	if s.findByIDCode != nil {
		return s.findByIDCode(ctx, item, digest)
	}
	return s.Store.FindByIDCode(ctx, item, digest)
}

func (s *spy) ListByHolder(ctx context.Context, digests [][]byte, items []string, limit, offset int) ([]licence.Stored, int, error) {
	rows, total, err := s.Store.ListByHolder(ctx, digests, items, limit, offset)
	if s.listByHolder != nil {
		rows = s.listByHolder(rows)
	}
	return rows, total, err
}

var (
	civil = licence.Actor{
		App: "hydj", Account: "110000_zhangbin", Department: "11110000000021135M", DepartmentName: "北京市民政局",
		Division: "北京市", DivisionCode: "110000",
	}
	other = licence.Actor{App: "other", Account: "110000_other", Department: "91350100M000100Y43", DepartmentName: "另一部门", DivisionCode: "350100"}
)

// marriage is an item with every role that a marriage certificate has.
func marriage(edits ...func(*licence.Item)) *licence.Item {
	item := &licence.Item{
		Code: "305018201", Name: "内地居民婚姻登记证", Department: civil.Department, DepartmentName: civil.DepartmentName,
		Status: "PUBLISH", Open: true, HolderType: "person", Validity: "长期", Groups: []string{"1", "2"}, SealCode: "SEAL-0",
		Fields: []licence.Field{
			{Key: "CZR", Label: "持证人", Type: "string", Required: true, Role: "holder_name", Length: 20},
			{Key: "CYRSFZJHM", Label: "身份证件号码", Type: "string", Required: true, Role: "holder_identity_num"},
			{Key: "CYRSFZJLX", Label: "身份证件类型", Type: "string", Role: "holder_identity_type"},
			{Key: "POXM", Label: "配偶姓名", Type: "string"},
			{Key: "POSFZJH", Label: "配偶身份证件号码", Type: "string", Role: "holder_identity_num"},
			{Key: "JHZZH", Label: "结婚证字号", Type: "string", Role: "id_code"},
			{Key: "FZRQ", Label: "发证日期", Type: "date", Role: "issue_date"},
			{Key: "YXQQSRQ", Label: "有效期起始日期", Type: "date", Role: "begin_date"},
			{Key: "YXQJSRQ", Label: "有效期截止日期", Type: "date", Role: "expiry_date"},
			{Key: "FZJGMC", Label: "发证机关", Type: "string", Role: "issue_org_name"},
			{Key: "FZJGZZJGDM", Label: "发证机关代码", Type: "string", Role: "issue_org_code"},
			{Key: "ZP", Label: "照片", Type: "image", Role: "photo"},
			{Key: "BZ", Label: "备注", Length: 10},
		},
	}
	for _, edit := range edits {
		edit(item)
	}
	return item
}

func validFor(validity string) func(*licence.Item) {
	return func(i *licence.Item) { i.Validity = validity }
}

// identity returns an invented identity number with a correct check character (GB 11643, by its weights).
func identity(division, birth string, sequence int) string {
	number := fmt.Sprintf("%s%s%03d", division, birth, sequence)
	sum := 0
	for i, weight := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(number[i]-'0') * weight
	}
	return number + string("10X98765432"[sum%11])
}

var alice, bob = identity("110105", "19920214", 1), identity("110102", "19920101", 2)

// making is the content of a marriage certificate; pairs of key and value go on top, a nil value removes.
func making(pairs ...any) licence.Making {
	m := licence.Making{
		Group: "1", ServiceItem: "110103MZ001", ServiceItemName: "婚姻登记", BizNum: "20200721123",
		Fields: map[string]any{"CZR": "李大华", "CYRSFZJHM": alice, "CYRSFZJLX": "10", "POXM": "王小明", "POSFZJH": bob, "JHZZH": "J110103-2020-000002"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(m.Fields, pairs[i].(string))
			continue
		}
		m.Fields[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func numbered(idCode string) licence.Making { return making("JHZZH", idCode) }

func (w *world) create(t *testing.T, m licence.Making) licence.Made {
	t.Helper()
	made, err := w.Create(t.Context(), civil, marriage(), m)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return made
}

func (w *world) issue(t *testing.T, m licence.Making) licence.Made {
	t.Helper()
	made, err := w.Issue(t.Context(), civil, marriage(), m)
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return made
}

// load opens a licence as the store has it, through a code that sees every state but DELETED.
func (w *world) load(t *testing.T, code string) *licence.Licence {
	t.Helper()
	reader := &licence.Service{Store: w.store.Store, Keys: w.Keys, Now: w.Now, Random: rand.Reader}
	codes, err := reader.NewAuthCodes(t.Context(), []*licence.Licence{{Code: code}}, licence.Grant{App: "load", Department: "load"})
	if err != nil {
		t.Fatalf("NewAuthCodes: %v", err)
	}
	r, err := reader.ByAuthCode(t.Context(), codes[0], "load", "load")
	if err != nil {
		t.Fatalf("load %s: %v", code, err)
	}
	return r.Licence
}

func (w *world) stored(t *testing.T, code string) licence.Stored {
	t.Helper()
	row, err := w.store.Store.Find(t.Context(), code)
	if err != nil {
		t.Fatalf("Find(%s): %v", code, err)
	}
	return row
}

func at(code string) licence.Target { return licence.Target{Code: code} }

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error %v, want %v", what, got, want)
	}
}

func fieldError(t *testing.T, what string, err error, key string) *licence.FieldError {
	t.Helper()
	fault, ok := errors.AsType[*licence.FieldError](err)
	if !ok {
		t.Fatalf("%s: error %v, want a FieldError", what, err)
	}
	if fault.Key != key {
		t.Errorf("%s: FieldError of %s, want %s", what, fault.Key, key)
	}
	return fault
}

// race runs n calls at once and returns their errors.
func race(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

func wantOneWinner(t *testing.T, errs []error, want error) {
	t.Helper()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
		} else {
			wantErr(t, "loser", err, want)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners, want 1: %v", winners, errs)
	}
}

func clone(m licence.Making) licence.Making {
	m.Fields = maps.Clone(m.Fields)
	return m
}
