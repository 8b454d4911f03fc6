package render

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// checkAddress is as long as those that pages and files show.
var checkAddress = "https://zz.mzj.beijing.gov.cn/verify?c=AQAAAAABV_7woiAhIiMkJSYnKCkqKywtLi8wMTIzNDU2NzyQLFjJpPQD1wG-CakpedN6cUDX2P_RHZDK4lg"

// coded is checkAddress as a QR code.
func coded(t testing.TB) [][]bool {
	t.Helper()
	modules, err := QRCode(checkAddress)
	if err != nil {
		t.Fatal(err)
	}
	return modules
}

// scanned is what zbarimg reads in pictures, a line for each code.
func scanned(t *testing.T, files ...string) []string {
	t.Helper()
	args := append([]string{"--nodbus", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"}, files...)
	out, err := exec.CommandContext(t.Context(), "zbarimg", args...).Output()
	var ended *exec.ExitError
	if err != nil && !(errors.As(err, &ended) && ended.ExitCode() == 4) { // 4: some picture shows no code
		t.Fatalf("zbarimg (Debian: zbar-tools): %v", err)
	}
	return strings.Fields(string(out))
}

func TestQRCodeIsRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1", checkAddress, strings.Repeat("x", 600)} {
		modules, err := QRCode(text)
		if err != nil {
			t.Fatal(err)
		}
		const unit, quietZone = 4, 4
		side := (len(modules) + 2*quietZone) * unit
		picture := image.NewGray(image.Rect(0, 0, side, side))
		for y := range side {
			for x := range side {
				row, column := y/unit-quietZone, x/unit-quietZone
				dark := row >= 0 && column >= 0 && row < len(modules) && column < len(modules) && modules[row][column]
				if !dark {
					picture.SetGray(x, y, color.Gray{255})
				}
			}
		}
		file := filepath.Join(t.TempDir(), "code.png")
		if err := os.WriteFile(file, pngFile(t, picture), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := scanned(t, file); !slices.Equal(got, []string{text}) {
			t.Errorf("%q is read as %q", text, got)
		}
	}
	if n := len(coded(t)); n > 49 {
		t.Errorf("%d modules a side for an address of %d characters", n, len(checkAddress))
	}
	if _, err := QRCode(strings.Repeat("x", 2332)); err == nil {
		t.Error("a text that does not fit was taken")
	}
}

// The code in a file is read from paper: from the page at 200 dots per inch.
func TestQRCodeOfAFileIsRead(t *testing.T) {
	t.Parallel()
	views := map[string]*View{"plain": sample(), "long": with(func(v *View) { v.Purpose = strings.Repeat("长", 4000) })}
	for _, name := range ShippedTemplates() {
		if text, _ := ShippedTemplate(name); bytes.Contains(text, []byte("qr: true")) {
			views[name] = held(t, name)
		}
	}
	if len(views) < 7 {
		t.Errorf("%d faces show a code", len(views))
	}
	for name, v := range views {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v.QR = coded(t)
			dir := t.TempDir()
			tool(t, "pdftoppm", "-png", "-r", "200", saved(t, v), filepath.Join(dir, "page"))
			files, err := filepath.Glob(filepath.Join(dir, "page*.png"))
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Compact(scanned(t, files...)) // a sheet may hold two copies
			if !slices.Equal(got, []string{checkAddress}) {
				t.Errorf("on %d pages: %q", len(files), got)
			}
		})
	}
}
