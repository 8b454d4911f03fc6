package audit

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"licgate/audit/ledger"
)

// childDir, when set, makes the test binary append to that journal until it is killed; childKeep is with which durability.
const (
	childDir  = "LICGATE_AUDIT_TEST_CHILD"
	childKeep = "LICGATE_AUDIT_TEST_KEEP"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		appendForEver(dir)
	}
	os.Exit(m.Run())
}

// killOptions make a busy journal: small segments that are packed, checkpoints several times a second.
func killOptions(dir string) (Options, []ledger.Verifier, error) {
	pair, err := ledger.OpenKeys(filepath.Join(filepath.Dir(dir), "log.key"), testOrigin, nil)
	if err != nil {
		return Options{}, nil, err
	}
	signers, err := pair.LogSigners()
	if err != nil {
		return Options{}, nil, err
	}
	var keys []ledger.Verifier
	for _, s := range signers {
		v, err := ledger.ParseKey(s.Key)
		if err != nil {
			return Options{}, nil, err
		}
		keys = append(keys, v)
	}
	return Options{Node: "child", SegmentSize: 20 << 10, Ledger: &LedgerOptions{Signers: signers, Busy: 5 * time.Millisecond, Within: 10 * time.Millisecond}}, keys, nil
}

// appendForEver prints what it was confirmed, a line each: "sequence response_id".
func appendForEver(dir string) {
	o, _, err := killOptions(dir)
	fail := func(what ...any) {
		fmt.Println(append([]any{"failed:"}, what...)...)
		os.Exit(1)
	}
	if err != nil {
		fail(err)
	}
	d, err := ParseDurability(os.Getenv(childKeep))
	if err != nil {
		fail(err)
	}
	j, repair, err := OpenJournal(dir, o)
	if err != nil || repair.Damage != nil {
		fail(err, repair.Damage)
	}
	fmt.Println("lacks", repair.MayLack)
	confirmed := make(chan string, 100)
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				r := record(fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i))
				r.Time = time.Now()
				if _, err := j.Keep(context.Background(), r, d); err != nil {
					fail(err)
				}
				confirmed <- fmt.Sprintf("%d %s", r.Sequence, r.ResponseID)
			}
		}()
	}
	for line := range confirmed {
		fmt.Println(line)
	}
}

// killed runs a child until it said so many lines, and returns what it said until it was dead.
func killed(t *testing.T, dir string, d Durability, lines int) (repair string, said []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), childDir+"="+dir, childKeep+"="+d.String())
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	for ; scanner.Scan(); lines-- {
		if strings.HasPrefix(scanner.Text(), "failed:") {
			t.Errorf("the child says: %s", scanner.Text())
		}
		if rest, ok := strings.CutPrefix(scanner.Text(), "lacks "); ok {
			repair = rest
			continue
		}
		said = append(said, scanner.Text())
		if lines == 0 { // what it prints until it dies is read too
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return repair, said
}

// TestKill kills a writing process 50 times at random moments. All it was confirmed is there, once, under its sequence;
// the journal verifies before anybody repaired anything; no checkpoint contradicts a later one.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	random := rand.New(rand.NewPCG(5, 6))
	confirmed := make(map[string]uint64)
	o, keys, err := killOptions(dir)
	if err != nil {
		t.Fatal(err)
	}
	var checkpoints []ledger.Checkpoint
	for round := range 50 {
		lacks, said := killed(t, dir, Strict, 1+random.IntN(200))
		if lacks != "0" {
			t.Errorf("round %d: strict, and %s records may be missing", round, lacks)
		}
		for _, line := range said {
			sequence, id, _ := strings.Cut(line, " ")
			n, err := strconv.ParseUint(sequence, 10, 64)
			if err != nil {
				t.Fatalf("round %d: the child says: %s", round, line)
			}
			confirmed[id] = n
		}
		report := verifyTest(t, dir)
		if report.Fault != nil {
			t.Fatalf("round %d: %+v", round, report.Fault)
		}
		signed, err := readCheckpoint(disk{}, dir, keys)
		if err != nil {
			t.Fatal(err)
		}
		if signed != nil {
			checkpoints = append(checkpoints, signed.Checkpoint)
		}
		if round%10 != 9 {
			continue
		}
		kept := mustBeWhole(t, dir)
		for id, n := range confirmed {
			if int(n) > len(kept) || kept[n-1] != id {
				t.Fatalf("round %d: %s was confirmed as %d and is not there", round, id, n)
			}
		}
	}
	j, repair := openTest(t, dir, o)
	if repair.Damage != nil || repair.MayLack != 0 {
		t.Errorf("%+v, %+v", repair, repair.Damage)
	}
	last := appendTest(t, j, "last")
	closeTest(t, j)
	if kept := mustBeWhole(t, dir); int(last.Sequence) != len(kept) {
		t.Errorf("sequence %d of %d", last.Sequence, len(kept))
	}
	mustBeCovered(t, dir, keys)
	tiles := ledger.OpenTiles(treeFiles{system: disk{}, dir: filepath.Join(dir, treeDir)}, last.Sequence)
	for _, c := range checkpoints {
		if root, err := tiles.Root(c.Size); err != nil || root != c.Root {
			t.Fatalf("the checkpoint of %d is of another log: %v", c.Size, err)
		}
	}
	if len(checkpoints) < 10 {
		t.Errorf("only %d checkpoints", len(checkpoints))
	}
}

// TestKillLenient: a crash loses no more than was bounded, and opening says how much that may be.
func TestKillLenient(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		d     Durability
		lacks string
	}{
		{Bounded(20, time.Minute), "20"}, {BestEffort, "-1"},
	} {
		t.Run(test.d.String(), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "audit")
			answered := 0
			const rounds = 5
			for round := range rounds {
				lacks, said := killed(t, dir, test.d, 500)
				answered += len(said)
				if round > 0 && lacks != test.lacks || round == 0 && lacks != "0" {
					t.Errorf("%s records may be missing", lacks)
				}
				kept := len(mustBeWhole(t, dir))
				if bound := test.d.records * (round + 1); test.d.mode == bounded && answered-kept > bound {
					t.Errorf("%d records were lost, at most %d may be", answered-kept, bound)
				}
			}
		})
	}
}
