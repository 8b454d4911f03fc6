package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// auditGlobals is the shipped global block with further options of the audit.
func auditGlobals(t *testing.T, options string) string {
	t.Helper()
	const mark = "\t\tcredential {"
	globals := shippedGlobals(t)
	if !strings.Contains(globals, mark) {
		t.Fatal("the shipped Caddyfile has no credential block")
	}
	return strings.Replace(globals, mark, "\t\taudit {\n\t\t\tcheckpoint 50ms 200ms\n"+options+"\n\t\t}\n"+mark, 1)
}

// checkpoint waits until the newest checkpoint covers all records of now, and returns it.
func (g *gateway) checkpoint() (note string, size float64) {
	g.t.Helper()
	var last object
	if err := json.Unmarshal([]byte(g.must("audit", "search", "--json", "--limit", "1")), &last); err != nil {
		g.t.Fatal(err)
	}
	var c object
	await(g.t, fmt.Sprintf("a checkpoint that covers record %v", last["sequence"]), func() bool {
		out, _, code := g.command("audit", "checkpoint", "--json")
		return code == 0 && json.Unmarshal([]byte(out), &c) == nil && c["size"].(float64) >= last["sequence"].(float64)
	})
	return c["note"].(string), c["size"].(float64)
}

// verifier builds licgate-verify, which third parties have.
func verifier(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "licgate-verify")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/licgate-verify").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func runs(t *testing.T, name string, args ...string) (out string, ok bool) {
	t.Helper()
	b, err := exec.Command(name, args...).CombinedOutput()
	return string(b), err == nil
}

// TestThirdPartyVerifies: what a gateway signs and exports is verified by a program that knows only its keys; what is changed in the
// export, or in the gateway's folder, is found.
func TestThirdPartyVerifies(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	worm, lines := filepath.Join(g.dir, "worm"), filepath.Join(g.dir, "siem.jsonl")
	withConfig(auditGlobals(t, "\t\t\tanchor worm file "+worm+"\n\t\t\tanchor_every 100ms\n\t\t\tsink siem jsonl "+lines) + site(g.port, "\tlicgate"))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	code := c.made("A-1")
	req, err := http.NewRequest(http.MethodPost, g.url("/license/"+marriage+"/abolish"), bytes.NewReader([]byte(quotedObject(t, wrapped(object{"license_code": code})))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Licgate-Receipt", "1")
	abolished := g.do(req).must(t)
	receipt := abolished.header.Get("Licgate-Receipt")
	if receipt == "" {
		t.Fatal("no receipt")
	}
	if a := c.get("/license_item/list"); a.header.Get("Licgate-Receipt") != "" {
		t.Error("a receipt nobody asked for")
	}
	note, size := g.checkpoint()
	verify := verifier(t)
	in := func(name, text string) string {
		path := filepath.Join(g.dir, name)
		write(t, path, text)
		return path
	}
	keys, kept := in("keys", g.must("audit", "checkpoint", "--keys")), in("kept", note)

	export := filepath.Join(g.dir, "export.jsonl")
	g.must("audit", "export", "--proofs", "--department", "11110000000021135M", "--from", strconv.Itoa(int(size)), "-o", export)
	if out, ok := runs(t, verify, "--key", keys, "--checkpoint", kept, "--receipt", receipt, export); !ok {
		t.Errorf("a true export does not hold: %s", out)
	}
	proof := in("proof.jsonl", g.must("audit", "prove", abolished.body["response_id"].(string)))
	if out, ok := runs(t, verify, "--key", keys, "--receipt", receipt, proof); !ok {
		t.Errorf("a true proof does not hold: %s", out)
	}
	text, err := os.ReadFile(export)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "91350100M000100Y43") || strings.Contains(string(text), holderID) || !strings.Contains(string(text), `"kind":"lifecycle"`) {
		t.Error("the export holds what it must not, or lacks what it must")
	}
	for what, changed := range map[string]string{
		"changed": strings.Replace(string(text), `"outcome":"SUCCESS"`, `"outcome":"FAILURE"`, 1),
		"cut":     strings.Join(strings.SplitAfter(string(text), "\n")[:2], ""),
	} {
		if out, ok := runs(t, verify, "--key", keys, in(what, changed)); ok {
			t.Errorf("%s, and it holds: %s", what, out)
		}
	}
	if out := g.must("audit", "verify", "--key", keys, "--checkpoint", kept, "--anchors", "--indexes"); !strings.Contains(out, "存证 worm：ok") {
		t.Errorf("verify: %s", out)
	}
	if content, err := os.ReadFile(lines); err != nil || !strings.Contains(string(content), abolished.body["response_id"].(string)) {
		t.Errorf("the sink lacks the record: %v", err)
	}
	if ready := g.admin(http.MethodGet, "/licgate/status"); !strings.Contains(ready, `"ledger":"ok","anchors":"ok","sinks":"ok"`) {
		t.Errorf("health: %s", ready)
	}
	if metrics := g.admin(http.MethodGet, "/metrics"); !strings.Contains(metrics, `licgate_audit_guest_healthy{kind="anchor",name="worm"} 1`) {
		t.Error("metrics lack the anchor")
	}

	g.stop()
	segments, err := filepath.Glob(filepath.Join(g.dir, "data", "audit", "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("%v %v", segments, err)
	}
	content, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	write(t, segments[0], strings.Replace(string(content), `"outcome":"SUCCESS"`, `"outcome":"FAILURE"`, 1))
	if _, stderr, code := g.command("audit", "verify", "--key", keys, "--checkpoint", kept); code != 1 || !strings.Contains(stderr, filepath.Base(segments[0])) {
		t.Errorf("a changed record: exit %d, %s", code, stderr)
	}
}

func quotedObject(t *testing.T, o any) string {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestWhoLookedAtHolder: an audit administrator finds who asked for a person's licences, by the number, which is on no command line and
// in no record; also who saw a licence by a code alone.
func TestWhoLookedAtHolder(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(auditGlobals(t, "") + site(g.port, "\tlicgate"))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	code := c.made("H-1")
	auth, found := c.authCode(nil)
	seen := c.get("/license/get_license", "auth_code", auth).must(t)
	other := c.post("/license/auth", object{
		"service_item_code": service, "service_item_name": "婚姻登记", "operator": operator(), "identity_number": identity(7),
	})
	file := filepath.Join(g.dir, "number")
	write(t, file, holderID+"\n")
	out := g.must("audit", "search", "--json", "--identity-file", file)
	for what, a := range map[string]answer{"who asked by the number": found, "who saw it by a code": seen} {
		if !strings.Contains(out, a.body["response_id"].(string)) {
			t.Errorf("not found: %s", what)
		}
	}
	if strings.Contains(out, other.body["response_id"].(string)) || strings.Contains(out, holderID) {
		t.Error("found: somebody else's, or the number in clear")
	}
	if out := g.must("audit", "search", "--json", "--licence", code, "--kind", "lifecycle"); strings.Count(out, "\n") < 2 || strings.Contains(out, seen.body["response_id"].(string)) {
		t.Errorf("by licence: %s", out)
	}
	// Who saw it is found also when it is in force no more; and page by page.
	c.call(marriage, "abolish", object{"license_code": code}).must(t)
	out = g.must("audit", "search", "--json", "--identity-file", file)
	if !strings.Contains(out, seen.body["response_id"].(string)) {
		t.Error("who saw it before it was abolished is not found")
	}
	var first object
	if err := json.Unmarshal([]byte(strings.SplitAfter(out, "\n")[0]), &first); err != nil {
		t.Fatal(err)
	}
	behind := g.must("audit", "search", "--json", "--identity-file", file, "--after", fmt.Sprint(first["sequence"]))
	if behind == "" || behind != strings.SplitAfterN(out, "\n", 2)[1] {
		t.Errorf("behind the first of\n%s\nstands\n%s", out, behind)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := g.command("audit", "search", "--identity-file", file); code != 1 || !strings.Contains(stderr, "chmod 600") {
		t.Errorf("a file that others may read: exit %d, %s", code, stderr)
	}
	g.stop()
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := g.command("audit", "search", "--data", filepath.Join(g.dir, "data"), "--identity-file", file); code != 1 || !strings.Contains(stderr, "网关") {
		t.Errorf("without the keys: exit %d, %s", code, stderr)
	}
}

// TestTail: new records appear as they come.
func TestTail(t *testing.T) {
	t.Parallel()
	g := start(t)
	cmd := exec.Command(os.Args[0], "audit", "tail", "--json")
	cmd.Env, cmd.Dir = g.env, g.dir
	out := new(logBuffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var asked []string // what was asked before the command follows is not shown
	await(t, "a request to be shown", func() bool {
		asked = append(asked, (&caller{g: g}).get("/license_item/list").body["response_id"].(string))
		return slices.ContainsFunc(asked, func(id string) bool { return strings.Contains(out.String(), id) })
	})
}

// TestReloadKeepsSinks: a reload is on record as one, with no stop; a sink goes on under the new configuration where the old one was, and
// a catalogue that changed is flagged.
func TestReloadKeepsSinks(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	lines := filepath.Join(g.dir, "siem.jsonl")
	config := auditGlobals(t, "\t\t\tanchor worm file "+filepath.Join(g.dir, "worm")+"\n\t\t\tsink siem jsonl "+lines) + site(g.port, "\tlicgate")
	withConfig(config)(g)
	g.run()
	g.apply(platform)
	for i := range 3 {
		file := filepath.Join(g.dir, "Caddyfile.new")
		write(t, file, strings.Replace(config, "licgate {\n", "licgate {\n\t\tsession_idle "+strconv.Itoa(20+i)+"m\n", 1))
		g.must("reload", "--config", file, "--address", "unix/"+filepath.Join(g.dir, "data", "admin.sock"))
		(&caller{g: g}).get("/license_item/list")
	}
	all := g.must("audit", "export")
	if n := strings.Count(all, `"event":"config"`); n != 3 || strings.Contains(all, `"event":"stop"`) || strings.Count(all, `"event":"start"`) != 1 {
		t.Errorf("%d reloads on record: %s", n, all)
	}
	if !strings.Contains(g.must("audit", "search", "--json", "--kind", "catalogue"), `"interface":"change"`) {
		t.Error("the catalogue's change is not flagged")
	}
	await(t, "the sink to have "+all, func() bool {
		content, _ := os.ReadFile(lines)
		return strings.HasPrefix(string(content), all)
	})
}

// TestKeysBeforeFirstCheckpoint: who sets up a witness or a verifier asks for the keys at once, and the first checkpoint comes later.
func TestKeysBeforeFirstCheckpoint(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withAudit := func(options string) {
		globals := strings.Replace(auditGlobals(t, options), "checkpoint 50ms 200ms", "checkpoint 1s 1m", 1)
		withConfig(globals + site(g.port, "\tlicgate"))(g)
		g.run()
	}
	withAudit("")
	keys := strings.Fields(g.must("audit", "checkpoint", "--keys"))
	if len(keys) != 2 {
		t.Errorf("keys: %q", keys)
	}
	g.stop()
	withAudit("\t\t\twitness other.example/witness {\n\t\t\t\tlog gw.example/audit " + strings.Join(keys, " ") + "\n\t\t\t}")
	if keys := g.must("audit", "checkpoint", "--witness-keys"); strings.Count(keys, "\n") != 2 || !strings.HasPrefix(keys, "other.example/witness+") {
		t.Errorf("the witness's keys: %s", keys)
	}
}

// TestWitnessRefusesFork: another department's gateway cosigns; when the journal is put back to an older copy and goes on, it refuses,
// keeps the evidence, and the gateway says so.
func TestWitnessRefusesFork(t *testing.T) {
	t.Parallel()
	g, w := prepare(t), prepare(t)
	name := "\t\t\tlog_name gw.example/audit"
	withConfig(auditGlobals(t, name) + site(g.port, "\tlicgate"))(g)
	g.run()
	logKeys := strings.Fields(g.must("audit", "checkpoint", "--keys"))
	port := freePort(t)
	withConfig(auditGlobals(t, "\t\t\twitness other.example/witness {\n\t\t\t\tlog gw.example/audit "+strings.Join(logKeys, " ")+"\n\t\t\t}") +
		site(w.port, "\tlicgate") + "http://127.0.0.1:" + port + " {\n\tlicgate_witness\n}\n")(w)
	w.run()
	witnessKeys := strings.Fields(w.must("audit", "checkpoint", "--witness-keys"))
	g.stop()
	withConfig(auditGlobals(t, name+"\n\t\t\tanchor_every 100ms\n\t\t\tanchor other witness http://127.0.0.1:"+port+"/witness "+strings.Join(witnessKeys, " ")) +
		site(g.port, "\tlicgate"))(g)
	g.run()
	anchors := func(want string) {
		t.Helper()
		await(t, "the anchors to be "+want, func() bool {
			return strings.Contains(g.admin(http.MethodGet, "/licgate/status"), `"anchors":"`+want+`"`)
		})
	}
	some := func() {
		for range 5 {
			(&caller{g: g}).get("/license_item/list")
		}
		g.checkpoint()
	}
	some()
	anchors("ok")
	g.stop()
	data, old := filepath.Join(g.dir, "data", "audit"), filepath.Join(g.dir, "old")
	if err := os.CopyFS(old, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	g.run()
	some()
	keys := filepath.Join(g.dir, "keys")
	write(t, keys, strings.Join(append(logKeys, witnessKeys...), "\n"))
	await(t, "the cosignature", func() bool {
		return strings.Contains(g.must("audit", "verify", "--key", keys, "--anchors"), "见证方：other.example/witness")
	})
	g.stop()
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(data, os.DirFS(old)); err != nil {
		t.Fatal(err)
	}
	g.run()
	some()
	anchors("forked")
	evidence, err := filepath.Glob(filepath.Join(w.dir, "data", "witness", "evidence", "*.json"))
	if err != nil || len(evidence) == 0 {
		t.Errorf("no evidence: %v", err)
	}
	if _, stderr, code := g.command("audit", "verify", "--anchors"); code != 1 || !strings.Contains(stderr, "forked") {
		t.Errorf("verify: exit %d, %s", code, stderr)
	}
	if metrics := g.admin(http.MethodGet, "/metrics"); !strings.Contains(metrics, `licgate_audit_anchor_forked{name="other"} 1`) {
		t.Error("metrics do not alarm")
	}
}

// TestDiskRefuses: when nothing can be written, no answer leaves and health says so; when it can again, the gateway goes on by itself. A
// route of best effort answers meanwhile.
func TestDiskRefuses(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	lax := freePort(t)
	withConfig(auditGlobals(t, "") + site(g.port, "\tlicgate") + site(lax, "\tlicgate {\n\t\tdurability best_effort\n\t}"))(g)
	g.run()
	g.apply(platform)
	pid := g.cmd.Process.Pid
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &before); err != nil {
		t.Fatal(err)
	}
	limit := func(n uint64) {
		t.Helper()
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: before.Max}, nil); err != nil {
			t.Fatal(err)
		}
	}
	c := &caller{g: g}
	// The first answer of a route that does not wait does: a crash must be known to be able to lose records.
	c.at(lax, http.MethodGet, "/license_item/list")
	keeps := g.login("hydj", "zhangbin")
	limit(1)
	if a := c.get("/license_item/list"); a.status != http.StatusServiceUnavailable || a.code() != "90003" {
		t.Errorf("an answer left without its record: %d %s", a.status, a.raw)
	}
	if a := c.at(lax, http.MethodGet, "/license_item/list"); a.status != http.StatusUnauthorized {
		t.Errorf("best effort: %d %s", a.status, a.raw)
	}
	if a := keeps.at(lax, http.MethodPost, "/license/"+marriage+"/create"); a.status != http.StatusServiceUnavailable {
		t.Errorf("a licence is made by best effort: %d %s", a.status, a.raw)
	}
	if a := c.get("/readyz"); a.status != http.StatusServiceUnavailable || a.body["audit"] != "down" {
		t.Errorf("readyz: %d %s", a.status, a.raw)
	}
	if metrics := g.admin(http.MethodGet, "/metrics"); !strings.Contains(metrics, "licgate_audit_healthy 0") || strings.Contains(metrics, "licgate_audit_refused_total 0\n") {
		t.Error("metrics do not alarm")
	}
	limit(before.Cur)
	await(t, "decisions after the disk has room", func() bool { return c.get("/license_item/list").status == http.StatusUnauthorized })
	if a := c.get("/readyz"); a.status != http.StatusOK {
		t.Errorf("readyz: %s", a.raw)
	}
	g.must("audit", "verify")
}
