package licgate

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms is the drawing of the house: each package and which rooms of ours its code may import. Leaves do not know one another;
// whoever needs both is a wiring, and the wiring is caddymodule.
var rooms = map[string][]string{
	".":                       {"caddymodule"},
	"cmd/licgate":             {"caddymodule"},
	"cmd/licgate-verify":      {"audit", "audit/evidence", "audit/ledger", "beijing"},
	"caddymodule":             {"archive", "audit", "audit/anchor", "audit/evidence", "audit/ledger", "audit/sink", "audit/witness", "beijing", "client", "gm", "licence", "masking", "policy", "protocol", "redact", "registry", "render", "seal", "session", "session/redisstore", "store"},
	"beijing":                 {},
	"yamlfault":               {},
	"protocol":                {"beijing"},
	"registry":                {"beijing", "yamlfault"},
	"registry/registrytest":   {"registry"},
	"policy":                  {},
	"masking":                 {},
	"redact":                  {},
	"gm":                      {"beijing"},
	"seal":                    {"beijing", "gm"},
	"session":                 {"gm"},
	"session/redisstore":      {"gm", "session"},
	"session/sessiontest":     {"session"},
	"licence":                 {"beijing", "gm"},
	"licence/licencetest":     {"licence"},
	"audit":                   {"audit/evidence", "audit/ledger", "beijing"},
	"audit/anchor":            {"audit/evidence", "audit/ledger"},
	"audit/evidence":          {"audit/ledger"},
	"audit/ledger":            {"gm"},
	"audit/ledger/ledgertest": {"audit/ledger"},
	"audit/sink":              {},
	"audit/witness":           {"audit/ledger"},
	"render":                  {"beijing", "licence", "yamlfault"},
	"store":                   {"gm", "licence", "policy", "registry", "session", "store/migrations"},
	"store/storetest":         {"gm", "store"},
	"store/migrations":        {},
	"e2e":                     {"caddymodule", "client", "protocol", "store/storetest"},
	"bench":                   {"caddymodule"},
	"bench/audit":             {"audit", "audit/ledger"},
	"bench/policy":            {"policy"},
	"examples/demo":           {},
	"client":                  {},
	"archive":                 {"beijing"},
	"gm/gmtest":               {"gm"},
	"bench/gm":                {"gm"},
	"bench/masking":           {"masking"},
	"bench/render":            {"render", "seal"},
}

// owners are libraries that one room alone may import: so that they can be replaced in one place.
var owners = map[string][]string{
	"github.com/caddyserver/caddy/v2": {"caddymodule", "cmd/licgate", "e2e", "bench"},
	"github.com/emmansun/gmsm":        {"gm"},
	"github.com/casbin/casbin/v2":     {"bench/policy", "policy"},
	"github.com/ulule/limiter/v3":     {"caddymodule"},
	"github.com/andybalholm/cascadia": {"masking"},
	"github.com/andybalholm/brotli":   {"caddymodule"},
	"github.com/redis/go-redis/v9":    {"caddymodule", "session/redisstore"},
	"modernc.org/sqlite":              {"store"},
	"github.com/jackc/pgx/v5":         {"store", "store/storetest"},
	"github.com/pressly/goose/v3":     {"store", "store/migrations"},

	"rsc.io/qr": {"render"},

	"github.com/klauspost/compress":      {"audit", "caddymodule", "render"},
	"github.com/transparency-dev/merkle": {"audit/ledger"},
	"golang.org/x/mod":                   {"audit/ledger"},
}

// sources walks the Go files of the main module.
func sources(t *testing.T, visit func(dir, path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == "tools" || path == "bin" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(filepath.Dir(path)), path, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func imports(t *testing.T, path string, text []byte) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	return out
}

func TestImportsFollowTheDrawing(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	sources(t, func(dir, path string, text []byte) {
		seen[dir] = true
		allowed, drawn := rooms[dir]
		if !drawn {
			t.Errorf("%s: the room %q is not in the drawing; add it to rooms, and to docs/architecture.md, with what it may know", path, dir)
			return
		}
		for _, name := range imports(t, path, text) {
			room, ours := strings.CutPrefix(name, "licgate/")
			test := strings.HasSuffix(path, "_test.go")
			if ours && room != dir && !test && !slices.Contains(allowed, room) {
				t.Errorf("%s imports %s: leaves do not know one another; declare an interface and let caddymodule wire it", path, name)
			}
			if name == "C" {
				t.Errorf("%s uses cgo: xcaddy builds static binaries", path)
			}
			for library, rooms := range owners {
				if (name == library || strings.HasPrefix(name, library+"/")) && !test && !slices.Contains(rooms, dir) {
					t.Errorf("%s imports %s: only %s may, so that it can be replaced in one place", path, name, strings.Join(rooms, ", "))
				}
			}
		}
	})
	for room := range rooms {
		if !seen[room] {
			t.Errorf("the drawing shows a room %q that is not there", room)
		}
	}
}

func TestRoomsAreNoDrawers(t *testing.T) {
	t.Parallel()
	for room := range rooms {
		for part := range strings.SplitSeq(room, "/") {
			if slices.Contains([]string{"core", "common", "util", "utils", "helper", "helpers", "types", "model", "models", "misc"}, part) {
				t.Errorf("%s is a drawer: name a package for what it does", room)
			}
		}
	}
}

// maxLines is where a file wants to become two.
const maxLines = 600

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	sources(t, func(_, path string, text []byte) {
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines: no file past %d without a good reason", path, n, maxLines)
		}
	})
}

// TestTimesArePeoplesInOneZone: one instant is never shown as two. Whatever the machine's zone is, people read and write Beijing time, by
// package beijing alone.
func TestTimesArePeoplesInOneZone(t *testing.T) {
	t.Parallel()
	sources(t, func(dir, path string, text []byte) {
		if dir == "beijing" || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") {
			return
		}
		for _, word := range []string{".Local()", "time.Local", "time.FixedZone(", "time.LoadLocation(", "time.Now().Format("} {
			if bytes.Contains(text, []byte(word)) {
				t.Errorf("%s says %s: what people read is Beijing time, by package beijing", path, word)
			}
		}
	})
}

func TestEveryDependencyIsDecided(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := os.ReadFile(filepath.Join("docs", "decisions", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) == 2 && strings.HasPrefix(fields[1], "v") && !bytes.Contains(decisions, []byte("`"+fields[0]+"`")) {
			t.Errorf("%s is a dependency without a line in docs/decisions/dependencies.md: say what it is for and what else was weighed", fields[0])
		}
	}
	if !bytes.Contains(text, []byte("github.com/emmansun/gmsm v0.44.0\n")) {
		t.Error("github.com/emmansun/gmsm must be pinned at v0.44.0: @latest resolves to an old release")
	}
}
