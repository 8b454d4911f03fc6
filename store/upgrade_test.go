package store_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"licgate/licence"
	"licgate/policy"
	"licgate/registry"
	"licgate/session"
	"licgate/store"
	"licgate/store/storetest"
)

// fillFirst puts one row into each table as the first schema has them.
func fillFirst(t *testing.T, s *store.Store) {
	t.Helper()
	at, later := store.Stamp(epoch), store.Stamp(epoch.Add(time.Hour))
	for _, row := range []struct {
		statement string
		values    []any
	}{
		{
			`INSERT INTO licences (code, item, department, division_code, biz_num, state, revision, id_code_digest, created, issue_time, sealed)
			VALUES ('L1', 'item', 'D1', '110105', 'B-1', 'ISSUED', 2, $1, $2, $3, $4)`,
			[]any{digest("id"), at, later, []byte{1, 0, 255}},
		},
		{`INSERT INTO licence_holders (digest, code, place) VALUES ($1, 'L1', 0)`, []any{digest("holder")}},
		{
			`INSERT INTO licence_codes (digest, kind, licence_code, app, account, department, service_item, service_item_name, biz_num,
			sensitive, created, expires, revision, redeemer) VALUES ($1, $2, 'L1', 'hydj', 'zhang', 'D1', 'S1', '婚姻登记', 'B-1', true, $3, $4, 3, NULL)`,
			[]any{digest("code"), string(licence.AuthCode), at, later},
		},
		{
			`INSERT INTO sessions (digest, id, app_key, account, department, by_org_code, address, created, last_seen, expires)
			VALUES ($1, 'id', 'hydj', 'zhang', 'D1', true, '192.0.2.7', $2, $2, $3)`,
			[]any{digest("token"), at, later},
		},
		{`INSERT INTO attempts (key, failures, locks, locked_until, last_failure) VALUES ($1, 2, 1, $2, $3)`, []any{digest("key"), later, at}},
		{
			`INSERT INTO policy_versions (number, decided_at, decided_by, why, parent, hash, lines, changes, policy_text, platform)
			VALUES (1, $1, '110000_管理员', '第一次', '', 'hash1', '["p, a"]', $2, '# 说明', $3)`,
			[]any{epoch.Format(time.RFC3339Nano), []byte(`[{"action":"add"}]`), []byte("platform")},
		},
		{
			`INSERT INTO registry_objects (kind, code, place, body) VALUES ('application', 'hydj', 0, $1)`,
			[]any{`{"app_key":"hydj","name":"婚姻登记系统","department":"D1","secret_hash":"v1$hash","grants":[{"items":["*"],"needs":["issue"]}]}`},
		},
	} {
		if _, err := s.Writer().ExecContext(t.Context(), row.statement, row.values...); err != nil {
			t.Fatalf("%s: %v", row.statement, err)
		}
	}
}

// A database of the first schema keeps all it holds, and takes what the new one adds.
func TestUpgradeOfTheFirstSchema(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		old, err := store.ConnectAt(t.Context(), url, 1)
		if err != nil {
			t.Fatal(err)
		}
		fillFirst(t, old)
		if n := count(t, old, `SELECT MAX(version_id) FROM goose_db_version`); n != 1 {
			t.Fatalf("the old database has schema %d, want 1", n)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}

		s := storetest.Open(t, url)
		later := epoch.Add(time.Hour)
		wantLicence := licence.Stored{
			Code: "L1", Item: "item", Department: "D1", DivisionCode: "110105", BizNum: "B-1", State: licence.Issued, Revision: 2,
			IDCodeDigest: digest("id"), HolderDigests: [][]byte{digest("holder")}, Created: epoch, IssueTime: later, Sealed: []byte{1, 0, 255},
		}
		if got, err := s.Licences().Find(t.Context(), "L1"); err != nil || !sameLicence(got, wantLicence) {
			t.Errorf("licence %+v, %v", got, err)
		}
		wantCode := licence.StoredCode{
			Digest: digest("code"), Kind: licence.AuthCode, LicenceCode: "L1", Created: epoch, Expires: later, Revision: 3,
			Grant: licence.Grant{App: "hydj", Account: "zhang", Department: "D1", ServiceItem: "S1", ServiceItemName: "婚姻登记", BizNum: "B-1", Sensitive: true},
		}
		if got, err := s.Licences().FindCode(t.Context(), digest("code")); err != nil || !reflect.DeepEqual(got, wantCode) {
			t.Errorf("code %+v, %v", got, err)
		}
		wantSession := session.Session{
			ID: "id", AppKey: "hydj", Account: "zhang", Department: "D1", ByOrgCode: true, Address: "192.0.2.7",
			Created: epoch, LastSeen: epoch, Expires: later,
		}
		if got, err := s.Sessions().Find(t.Context(), digest("token")); err != nil || got != wantSession {
			t.Errorf("session %+v, %v", got, err)
		}
		if got, err := s.Sessions().Attempt(t.Context(), digest("key")); err != nil || got != (session.Attempt{Failures: 2, Locks: 1, Until: later}) {
			t.Errorf("attempt %+v, %v", got, err)
		}
		wantVersion := policy.Version{
			Number: 1, At: epoch, By: "110000_管理员", Why: "第一次", Hash: "hash1", Lines: []string{"p, a"},
			Changes: []byte(`[{"action":"add"}]`), Platform: []byte("platform"),
		}
		got, err := s.Policies().Get(t.Context(), 1)
		if err != nil || !reflect.DeepEqual(got, wantVersion) {
			t.Errorf("version %+v, %v; want %+v", got, err, wantVersion)
		}
		text := "# 说明"
		want := &registry.Platform{
			Applications: []registry.Application{{
				AppKey: "hydj", Name: "婚姻登记系统", Department: "D1", SecretHash: "v1$hash",
				Grants: []registry.Grant{{Items: []string{"*"}, Needs: []string{"issue"}}},
			}},
			Policy: &text,
		}
		loads(t, s, want, 1)

		want.Administrators = []registry.Administrator{{Administrator: "sec", Role: registry.RoleSecurity}}
		save(t, s, want, version(2, ""))
		loads(t, s, want, 2)
		head, err := s.Policies().Head(t.Context())
		g, _ := json.Marshal(head)
		w, _ := json.Marshal(version(2, ""))
		if err != nil || string(g) != string(w) {
			t.Errorf("head %s, %v; want %s", g, err, w)
		}
	})
}

// A step that fails leaves the schema as it was, and the data untouched: the old licgate can go on.
func TestUpgradeIsWhole(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		old, err := store.ConnectAt(t.Context(), url, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := old.Close(); err != nil {
				t.Error(err)
			}
		}()
		fillFirst(t, old)
		// Some table of that name is in the way of the last statements of the step.
		run(t, old, `CREATE TABLE secret_uses (other BIGINT)`)
		if s, err := store.Open(t.Context(), url); err == nil {
			t.Fatal("opened", s.Close())
		}
		for _, table := range []string{"counters", "locks", "pending_changes", "forms"} {
			var n int
			if err := old.Reader().QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err == nil {
				t.Errorf("the failed step left %s", table)
			}
		}
		if n := count(t, old, `SELECT count(*) FROM goose_db_version WHERE version_id > 1`); n != 0 {
			t.Error("the failed step counts as done")
		}
		run(t, old, `DROP TABLE secret_uses`)
		if n, err := storetest.Open(t, url).PolicyVersion(t.Context()); err != nil || n != 1 {
			t.Errorf("PolicyVersion = %d, %v after the upgrade, want 1", n, err)
		}
	})
}
