package audit

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// childDir, when set, makes the test binary append to that journal until it is killed.
const childDir = "LICGATE_AUDIT_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		appendForEver(dir)
	}
	os.Exit(m.Run())
}

// appendForEver prints what it was confirmed, a line each: "sequence response_id".
func appendForEver(dir string) {
	j, repair, err := OpenJournal(dir, Options{Node: "child", SegmentSize: 20 << 10})
	if err != nil || repair.Damage != nil {
		fmt.Println("failed:", err, repair.Damage)
		os.Exit(1)
	}
	confirmed := make(chan string, 100)
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				r := record(fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i))
				if err := j.Append(context.Background(), r); err != nil {
					fmt.Println("failed:", err)
					os.Exit(1)
				}
				confirmed <- fmt.Sprintf("%d %s", r.Sequence, r.ResponseID)
			}
		}()
	}
	for line := range confirmed {
		fmt.Println(line)
	}
}

// TestKill kills a writing process at random moments. All it was confirmed is there, once, under its sequence.
func TestKill(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(5, 6))
	confirmed := make(map[string]uint64)
	for round := range 10 {
		child := exec.Command(self)
		child.Env = append(os.Environ(), childDir+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 1 + random.IntN(300); lines.Scan(); left-- {
			sequence, id, _ := strings.Cut(lines.Text(), " ")
			n, err := strconv.ParseUint(sequence, 10, 64)
			if err != nil {
				t.Errorf("round %d: the child says: %s", round, lines.Text())
			}
			confirmed[id] = n
			if left == 0 { // what it prints until it dies is read too
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		kept := mustBeWhole(t, dir) // before anybody repaired anything
		for id, n := range confirmed {
			if int(n) > len(kept) || kept[n-1] != id {
				t.Fatalf("round %d: %s was confirmed as %d and is not there", round, id, n)
			}
		}
	}
	j, repair := openTest(t, dir, Options{Node: "child"})
	if repair.Damage != nil {
		t.Errorf("damage: %+v", *repair.Damage)
	}
	last := appendTest(t, j, "last")
	if kept := mustBeWhole(t, dir); int(last.Sequence) != len(kept) {
		t.Errorf("sequence %d of %d", last.Sequence, len(kept))
	}
}
