package e2e

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"licgate/store/storetest"
)

// withKeys is the shipped Caddyfile with a keys block.
func withKeys(t *testing.T, words ...string) option {
	t.Helper()
	globals := shippedGlobals(t)
	text := strings.Replace(globals, "\tlicgate {\n", "\tlicgate {\n\t\tkeys {\n\t\t\t"+strings.Join(words, "\n\t\t\t")+"\n\t\t}\n", 1)
	if text == globals {
		t.Fatal("the shipped Caddyfile has no licgate block")
	}
	return func(g *gateway) { withConfig(text + site(g.port, "\tlicgate"))(g) }
}

// failsToStart runs a gateway that must not start, and returns its log.
func (g *gateway) failsToStart() string {
	g.t.Helper()
	g.launch()
	if err := g.cmd.Wait(); err == nil {
		g.t.Error("the gateway ended without an error")
	}
	g.cmd = nil
	return g.log.String()
}

// TestNodesWithOtherKeysAreRefused: a node that would seal what no other node can open does not start, and says what to do; nor does one
// whose keys folder is empty make a new root key.
func TestNodesWithOtherKeysAreRefused(t *testing.T) {
	t.Parallel()
	shared := withEnv("LICGATE_STORE=" + storetest.Postgres(t))
	first := start(t, shared)
	second := prepare(t, shared)
	if log := second.failsToStart(); !strings.Contains(log, "没有 local.key") || !strings.Contains(log, "复制整个 keys 目录") {
		t.Errorf("an empty keys folder: %s", log)
	}
	if _, err := os.Stat(filepath.Join(second.dir, "data", "keys", "local.key")); err == nil {
		t.Error("the refused node made a root key")
	}
	stranger := start(t)
	copyKeys(t, stranger, second)
	second.log = nil
	if log := second.failsToStart(); !strings.Contains(log, "不是数据库所属的根密钥") {
		t.Errorf("another platform's keys: %s", log)
	}
	if err := os.RemoveAll(filepath.Join(second.dir, "data", "keys")); err != nil {
		t.Fatal(err)
	}
	copyKeys(t, first, second)
	second.log = nil
	second.run()
	first.apply(platform)
	second.secrets = first.secrets
	waitVersion(t, second, 1)
	// A data key that one node made opens at the other.
	code := first.login("hydj", "zhangbin").made("N-1")
	c := second.login("hydj", "zhangbin")
	auth, _ := c.authCode(nil)
	if a := c.get("/license/get_license", "auth_code", auth); a.data()["license_code"] != code {
		t.Errorf("a licence of the first node at the second: %s", a.raw)
	}
	// Each node's log has keys of its own: checkpoints of two logs by one key would look like a fork.
	first.checkpoint()
	second.checkpoint()
	if one, other := first.must("audit", "checkpoint", "--keys"), second.must("audit", "checkpoint", "--keys"); one == other {
		t.Errorf("two logs under one key: %s", one)
	}
}

// TestKeyWrappers: the root key stands wrapped when a key-encryption key is configured, and nothing starts without that.
func TestKeyWrappers(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"file", "passphrase"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			g := prepare(t)
			path := filepath.Join(g.dir, "kek")
			if kind == "passphrase" {
				write(t, path, "correct horse battery staple\n")
				g.env = append(g.env, "LICGATE_KEK="+path)
				withKeys(t, "wrapper passphrase {env.LICGATE_KEK}")(g)
			} else {
				withKeys(t, "wrapper file "+path)(g)
			}
			g.run()
			g.apply(platform)
			c := g.login("hydj", "zhangbin")
			code := c.made("W-1")
			root, err := os.ReadFile(filepath.Join(g.dir, "data", "keys", "local.key"))
			if err != nil || !strings.Contains(string(root), `"version":2`) || strings.Contains(string(root), `"root"`) {
				t.Errorf("local.key: %s, %v", root, err)
			}
			g.stop()
			g.run()
			auth, _ := c.authCode(nil)
			if a := c.get("/license/get_license", "auth_code", auth); a.data()["license_code"] != code {
				t.Errorf("after a restart: %s", a.raw)
			}
			g.stop()
			g.log = nil
			shipped := g.config
			withConfig(shippedGlobals(t) + site(g.port, "\tlicgate"))(g)
			if log := g.failsToStart(); !strings.Contains(log, "未配置的主密钥") {
				t.Errorf("without the key-encryption key: %s", log)
			}
			g.config = shipped
		})
	}
}

// TestOpenKeyFilesAreRefused: a key that others may read is no key. Each file of the keys folder, the key-encryption key and the passphrase.
func TestOpenKeyFilesAreRefused(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	phrase, kek := filepath.Join(g.dir, "phrase"), filepath.Join(g.dir, "kek")
	write(t, phrase, "correct horse battery staple\n")
	withKeys(t, "wrapper passphrase "+phrase, "former file "+kek)(g)
	g.run()
	g.stop()
	files := []string{phrase, kek}
	keys := filepath.Join(g.dir, "data", "keys")
	for _, folder := range []string{keys, filepath.Join(g.dir, "data", "signing")} {
		if err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && filepath.Ext(path) == ".key" {
				files = append(files, path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(files) != 10 { // phrase, key-encryption key, root key, two of the log, five of the sealing authority
		t.Fatalf("%v", files)
	}
	for _, file := range files {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o602} {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			g.log = nil
			if log := g.failsToStart(); !strings.Contains(log, "权限过宽") || !strings.Contains(log, filepath.Base(file)) {
				t.Errorf("%s with %o: %s", filepath.Base(file), mode, log)
			}
		}
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g.run()
}

// TestSecretsStayOutOfSight: no secret in what adapt writes, what the configuration endpoint shows, what export writes, the arguments,
// and a core dump; one that an environment variable holds in place of a path is refused and not repeated.
func TestSecretsStayOutOfSight(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-of-the-database"
	g := prepare(t, withEnv("LICGATE_STORE=postgres://licgate:"+secret+"@127.0.0.1:1/none", "LICGATE_SESSIONS=redis://:"+secret+"@127.0.0.1:1/0",
		"LICGATE_LIMITS=redis://:"+secret+"@127.0.0.1:1/0"))
	if out := g.must("adapt", "--config", g.config); strings.Contains(out, secret) || !strings.Contains(out, "{env.LICGATE_STORE}") {
		t.Error("adapt writes the password of the database")
	}
	if log := g.failsToStart(); strings.Contains(log, secret) {
		t.Error("the log of a failed start holds the password of the database")
	}

	g = prepare(t)
	phrase := filepath.Join(g.dir, "phrase")
	write(t, phrase, secret+"\n")
	g.env = append(g.env, "LICGATE_KEK="+secret)
	withKeys(t, "wrapper passphrase {env.LICGATE_KEK}")(g)
	if log := g.failsToStart(); !strings.Contains(log, "不能直接给出密钥或口令") || strings.Contains(log, secret) {
		t.Errorf("a passphrase in the environment: %s", log)
	}
	g.env = append(g.env, "LICGATE_KEK="+phrase)
	g.log = nil
	g.run()
	g.apply(platform + powers)
	sec := g.as("sec")
	config := g.admin("GET", "/config/")
	if !strings.Contains(config, "{env.LICGATE_KEK}") {
		t.Errorf("the configuration endpoint shows another configuration: %s", config)
	}
	pid := g.cmd.Process.Pid
	argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	environ = []byte(strings.ReplaceAll(string(environ), "LICGATE_KEK="+secret, "")) // what the test itself put there first
	root, err := os.ReadFile(filepath.Join(g.dir, "data", "keys", "local.key"))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"adapt": g.must("adapt", "--config", g.config), "the configuration endpoint": config, "export": sec.must("export"), "the arguments": string(argv),
		"the environment": string(environ), "local.key": string(root), "the log": g.log.String(),
	} {
		secrets := []string{secret}
		for _, one := range g.secrets {
			secrets = append(secrets, one)
		}
		for _, one := range secrets {
			if strings.Contains(text, one) {
				t.Errorf("%s holds a secret", what)
			}
		}
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if name, rest, ok := strings.Cut(line, "Max core file size"); ok && name == "" && strings.Join(strings.Fields(rest), " ") != "0 0 bytes" {
			t.Errorf("core dumps: %s", line)
		}
	}
	// Files of a process that may be dumped belong to who runs it; ours to root, whoever we are, and only root reads its memory.
	if f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
		defer f.Close()
		if text, _ := io.ReadAll(f); !strings.Contains(string(text), "CoreDumping:\t0") {
			t.Error("the process dumps its core")
		}
	}
}
