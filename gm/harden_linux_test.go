package gm_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"licgate/gm"
)

// hardenVariable makes the test binary a process that hardens itself and says what came of it.
const hardenVariable = "LICGATE_TEST_HARDEN"

func hardened() bool {
	if os.Getenv(hardenVariable) == "" {
		return false
	}
	err := gm.Harden()
	var core unix.Rlimit
	limit := unix.Getrlimit(unix.RLIMIT_CORE, &core)
	dumpable, prctl := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Println(err, limit, prctl, core.Cur, core.Max, dumpable)
	return true
}

func TestHarden(t *testing.T) {
	t.Parallel()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), hardenVariable+"=1")
	out, err := c.CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "<nil> <nil> <nil> 0 0 0" {
		t.Errorf("hardened process says %q, error %v", got, err)
	}
}
