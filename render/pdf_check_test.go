package render

import (
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// pdfbox are the jars of Debian's libpdfbox2-java and what it depends on.
const pdfbox = "/usr/share/java/preflight.jar:/usr/share/java/pdfbox2.jar:/usr/share/java/fontbox2.jar:" +
	"/usr/share/java/xmpbox.jar:/usr/share/java/commons-logging.jar"

var preflightClasses struct {
	sync.Once
	dir string
	err error
}

// preflight checks files against PDF/A-1b by PDFBox's own judgement.
func preflight(t *testing.T, files ...string) (report string, valid bool) {
	t.Helper()
	p := &preflightClasses
	p.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "preflight"); p.err != nil {
			return
		}
		var sources []string
		for _, pattern := range []string{"*.java", "javax/*/*.java", "javax/*/*/*.java"} {
			found, _ := filepath.Glob(filepath.Join("testdata/preflight", pattern))
			sources = append(sources, found...)
		}
		out, err := exec.Command("javac", append([]string{"-cp", pdfbox, "-d", p.dir}, sources...)...).CombinedOutput()
		if err != nil {
			p.err = errors.New("javac (Debian: default-jdk-headless, libpdfbox2-java): " + err.Error() + "\n" + string(out))
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	out, err := exec.CommandContext(t.Context(), "java", append([]string{"-cp", pdfbox + ":" + p.dir, "Preflight"}, files...)...).CombinedOutput()
	if verdicts := strings.Count(string(out), " valid\n") + strings.Count(string(out), " INVALID\n"); verdicts != len(files) {
		t.Fatalf("preflight judged %d of %d files: %v\n%s", verdicts, len(files), err, out)
	}
	return string(out), err == nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir := preflightClasses.dir; dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// pixels renders the first page and counts the pixels that fit.
func pixels(t *testing.T, file string, fits func(r, g, b uint32) bool) int {
	t.Helper()
	base := filepath.Join(t.TempDir(), "page")
	tool(t, "pdftoppm", "-png", "-r", "60", "-singlefile", file, base)
	m, n := readPNG(t, base+".png"), 0
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			if r, g, b, _ := m.At(x, y).RGBA(); fits(r>>8, g>>8, b>>8) {
				n++
			}
		}
	}
	return n
}

func readPNG(t *testing.T, file string) image.Image {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func isRed(r, g, b uint32) bool { return r > g+25 && r > b+25 && g < b+30 }
