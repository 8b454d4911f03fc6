package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"licgate/audit"
)

// in is the gateway for a subtest, which fails by itself.
func (g *gateway) in(t *testing.T) *gateway {
	own := *g
	own.t = t
	return &own
}

// in is the caller for a subtest.
func (c *caller) in(t *testing.T) *caller { return &caller{g: c.g.in(t), token: c.token} }

// from calls from another address of this machine: failed logins and ip_allow go by address.
func (g *gateway) from(t *testing.T, ip string) *gateway {
	t.Helper()
	own := g.in(t)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	transport := g.client.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", g.port))
	}
	t.Cleanup(transport.CloseIdleConnections)
	client := *g.client
	client.Transport = transport
	own.client = &client
	return own
}

// shippedWith is the shipped Caddyfile with replacements, each of which must hit.
func shippedWith(t *testing.T, pairs ...string) string {
	t.Helper()
	text, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(config, pairs[i]) {
			t.Fatalf("the shipped Caddyfile has no %q", pairs[i])
		}
		config = strings.Replace(config, pairs[i], pairs[i+1], 1)
	}
	return config
}

// call sends a write of an item.
func (c *caller) call(item, verb string, more object) answer {
	c.g.t.Helper()
	return c.post("/license/"+item+"/"+verb, wrapped(more))
}

// must is an answer that has to be a success.
func (a answer) must(t *testing.T) answer {
	t.Helper()
	if a.status != http.StatusOK || !a.ok() || len(a.body["errors"].([]any)) != 0 {
		t.Fatalf("status %d: %s", a.status, a.raw)
	}
	return a
}

// text is a member of data.
func (a answer) text(name string) string {
	s, _ := a.data()[name].(string)
	return s
}

// codes are auth_codes.
func (a answer) codes() []string {
	var out []string
	list, _ := a.body["auth_codes"].([]any)
	for _, one := range list {
		out = append(out, one.(string))
	}
	return out
}

// statusOf reads a licence's state by one of its codes.
func (c *caller) statusOf(authCode string) string {
	c.g.t.Helper()
	return c.get("/license/get_license", "auth_code", authCode).must(c.g.t).text("license_status")
}

// identity is a number of nobody with a correct check digit (GB 11643); n tells the holders of one test apart.
func identity(n int) string {
	body := "11010119000101" + strconv.Itoa(1000 + n)[1:]
	sum := 0
	for _, c := range body {
		sum = (sum + int(c-'0')) * 2 % 11
	}
	return body + string("0123456789X"[(12-sum)%11])
}

// face is the face of a marriage licence of a holder.
func face(number, holder string) object {
	fields := marriageFields(number)
	fields["CYRSFZJHM"] = holder
	return fields
}

// members are the names of an object's members in the order in which they were sent.
func members(t *testing.T, raw []byte) []string {
	t.Helper()
	names, _ := inOrder(t, raw)
	return names
}

func inOrder(t *testing.T, raw []byte) (names []string, values map[string]json.RawMessage) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		t.Fatalf("not an object: %s", raw)
	}
	values = map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		values[name.(string)] = value
	}
	return names, values
}

var ownEveryTime = regexp.MustCompile(`"(timestamp|response_id)":"[^"]*"`)

// same is an answer without what differs in every answer.
func (a answer) same() string { return ownEveryTime.ReplaceAllString(string(a.raw), `"$1":"-"`) }

var responseID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// witness holds every refusal of a test against the rules for refusals, and the log against the rule that it tells
// no secret and no person.
type witness struct {
	g        *gateway
	refusals map[string]refusal // by response_id
	secrets  []string
}

type refusal struct {
	code   string
	status int
}

func watch(g *gateway) *witness {
	return &witness{g: g, refusals: map[string]refusal{}}
}

// hide names values that no refusal and no log may tell.
func (w *witness) hide(values ...string) {
	for _, v := range values {
		if v != "" && !slices.Contains(w.secrets, v) {
			w.secrets = append(w.secrets, v)
		}
	}
}

// refused checks one refusal: the envelope whole, the code, a Chinese text with all of words, nothing secret.
func (w *witness) refused(t *testing.T, a answer, status int, code string, words ...string) {
	t.Helper()
	if a.status != status || a.code() != code || a.body["ack_code"] != "FAILURE" {
		t.Fatalf("want %d %s, got %d: %s", status, code, a.status, a.raw)
	}
	want := []string{"ack_code", "errors", "sign", "sign_method", "timestamp", "correlation_id", "response_id"}
	if got := members(t, a.raw); len(got) < len(want)+1 || !slices.Equal(got[:len(want)], want) || a.body["data"] != nil || slices.Contains(got, "access_token") {
		t.Errorf("members %v: %s", got, a.raw)
	}
	if !strings.ContainsFunc(a.message(), func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		t.Errorf("message %q", a.message())
	}
	for _, word := range words {
		if !strings.Contains(a.message(), word) {
			t.Errorf("the message lacks %q: %s", word, a.message())
		}
	}
	id, _ := a.body["response_id"].(string)
	if !responseID.MatchString(id) || a.header.Get("Licgate-Response-Id") != id {
		t.Errorf("response_id %q, header %q", id, a.header.Get("Licgate-Response-Id"))
	}
	if _, again := w.refusals[id]; again {
		t.Errorf("response_id %s came twice", id)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
	}
	w.refusals[id] = refusal{code, status}
	w.silent(t, "the refusal", string(a.raw))
}

// silent fails when text tells a secret. Which one is not printed.
func (w *witness) silent(t *testing.T, where, text string) {
	t.Helper()
	for i, secret := range w.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s tells secret %d (%d characters)", where, i, len(secret))
		}
	}
}

// close checks that every refusal is on record, that the record is whole, and that neither it nor the log tells a
// secret. It returns the records.
func (w *witness) close(t *testing.T) []audit.Record {
	t.Helper()
	g := w.g.in(t)
	for _, secret := range g.secrets {
		w.hide(secret)
	}
	w.hide(holderID, spouseID)
	text := g.must("audit", "export")
	w.silent(t, "the audit record", text)
	var records []audit.Record
	byID := map[string]audit.Record{}
	for line := range strings.Lines(text) {
		r := decodeRecord(t, line)
		records = append(records, r)
		byID[r.ResponseID] = r
	}
	one := ""
	for id, want := range w.refusals {
		one = id
		if r, ok := byID[id]; !ok || r.Outcome != "FAILURE" || r.ErrorCode != want.code || r.Status != want.status {
			t.Errorf("the record of the refusal %s %s is %+v", id, want.code, r)
		}
	}
	if found := g.must("audit", "export", "--response-id", one); strings.Count(found, "\n") != 1 || !strings.Contains(found, one) {
		t.Errorf("audit export --response-id %s: %q", one, found)
	}
	g.must("audit", "verify")
	w.silent(t, "the log", g.log.String())
	if strings.Contains(g.log.String(), "DATA RACE") || strings.Contains(g.log.String(), "panic") {
		t.Error("the gateway raced or panicked")
	}
	return records
}

// decodeRecord reads one line of an export.
func decodeRecord(t *testing.T, line string) (r audit.Record) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("audit export: %v in %q", err, line)
	}
	return r
}
