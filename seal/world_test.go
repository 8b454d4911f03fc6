package seal

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"flag"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"licgate/gm"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is when everything happens in tests.
var noon = time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)

// stream is the same random bytes in every run.
type stream struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func newStream() *stream { return &stream{source: rand.NewChaCha8([32]byte{1})} }

func (s *stream) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.Read(b)
}

// open returns an authority in a folder of its own, which does the same in every run.
func open(t testing.TB, change ...func(*Options)) *Authority {
	t.Helper()
	o := Options{Random: newStream(), Now: func() time.Time { return noon }}
	for _, c := range change {
		c(&o)
	}
	a, err := openIn(t.Context(), t.TempDir(), keyring(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// openIn opens a folder whose keys are under a master key.
func openIn(ctx context.Context, dir string, w Wrapper, o Options) (*Authority, error) {
	random := o.Random
	if random == nil {
		random = crand.Reader
	}
	keys, err := OpenFileKeys(ctx, dir, random, w)
	if err != nil {
		return nil, err
	}
	return Open(ctx, dir, keys, o)
}

// again opens an authority's folder once more, as after a restart.
func again(t testing.TB, a *Authority, now time.Time) (*Authority, error) {
	t.Helper()
	return openIn(t.Context(), a.dir, a.keys.(*FileKeys).wrapper, Options{Now: func() time.Time { return now }})
}

// keyring returns a platform's keys, which do the same in every run.
func keyring(t testing.TB, change ...func(*gm.KeysConfig)) *gm.Keyring {
	t.Helper()
	c := gm.KeysConfig{Dir: t.TempDir(), Random: newStream()}
	for _, one := range change {
		one(&c)
	}
	k, err := gm.OpenKeys(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// stranger returns an authority with keys of its own.
func stranger(t testing.TB) *Authority {
	t.Helper()
	return open(t, func(o *Options) { o.Random = nil })
}

// stampPicture draws a red ring.
func stampPicture(t testing.TB, size int) []byte {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{color.White, color.RGBA{0xC0, 0, 0, 0xFF}})
	for y := range size {
		for x := range size {
			r := math.Hypot(float64(x-size/2), float64(y-size/2)) / float64(size)
			if r > 0.44 && r < 0.49 {
				m.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// spec is a seal of an invented department.
func spec(t testing.TB) Spec {
	s := plainSpec
	s.Picture = stampPicture(t, 64)
	return s
}

var plainSpec = Spec{Code: "SEAL-110105-01", Name: "北京市朝阳区示例局", Department: "110105MZ"}

func newSeal(t testing.TB, a *Authority) *Seal {
	t.Helper()
	s, err := a.Seal(t.Context(), spec(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// golden compares with a file under testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes that differ from the golden %d", name, len(got), len(want))
	}
}

// saved writes a file that programs can read.
func saved(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tool runs a program that the tests need. They fail without it.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
