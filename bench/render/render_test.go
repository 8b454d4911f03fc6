//go:build linux

package render_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"licgate/gm"
	"licgate/render"
	"licgate/seal"
)

var at = time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC)

// view is a licence of a shipped template with every field filled, and the QR code of a page.
func view(tb testing.TB, name string) *render.View {
	tb.Helper()
	text, ok := render.ShippedTemplate(name)
	if !ok {
		tb.Fatalf("no template %s", name)
	}
	face, err := render.Parse(text, nil)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := render.Preview(face, "示例证照", face.Fields(), at)
	if err != nil {
		tb.Fatal(err)
	}
	if v.Photo != nil {
		v.Photo = photo(tb)
	}
	return v
}

// photo is one as a licence keeps it, of the largest size: a picture with the grain of a camera's, 4:3.
func photo(tb testing.TB) []byte {
	tb.Helper()
	m, noise := image.NewRGBA(image.Rect(0, 0, 1280, 960)), mathrand.New(mathrand.NewPCG(1, 2))
	for y := range 960 {
		for x := range 1280 {
			u, v := float64(x)/1280, float64(y)/960
			grain := noise.NormFloat64() * 6
			light := 128 + 60*math.Sin(9*u+3*math.Sin(7*v)) + 30*math.Sin(60*u*v)
			channel := func(share float64) uint8 { return uint8(min(max(light*share+grain, 0), 255)) }
			m.SetRGBA(x, y, color.RGBA{channel(1), channel(0.8), channel(0.7), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		tb.Fatal(err)
	}
	kept, _, fault := render.FitPicture(b.Bytes(), true, math.MaxInt)
	if fault != "" {
		tb.Fatal(fault)
	}
	return kept
}

// spent is the processor time of this process so far, its children's apart.
func spent(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure reports processor time beside the time on the wall, and bytes per file.
func measure(b *testing.B, draw func() (int, error)) {
	b.Helper()
	size := 0
	if _, err := draw(); err != nil { // fonts are unpacked once a process
		b.Fatal(err)
	}
	b.ReportAllocs()
	before := spent(b)
	for b.Loop() {
		n, err := draw()
		if err != nil {
			b.Fatal(err)
		}
		size = n
	}
	b.ReportMetric(float64((spent(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(size), "bytes/file")
}

func BenchmarkRender(b *testing.B) {
	dir := b.TempDir()
	keyring, err := gm.OpenKeys(b.Context(), gm.KeysConfig{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer keyring.Close()
	sealing := filepath.Join(dir, "seals")
	keys, err := seal.OpenFileKeys(b.Context(), sealing, rand.Reader, keyring)
	if err != nil {
		b.Fatal(err)
	}
	authority, err := seal.Open(b.Context(), sealing, keys, seal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	// Pictures of the sizes that the gateway takes.
	stamp := func(pixels int) *seal.Seal {
		picture, err := render.SealPicture("示例市示例局", "9901050012345", pixels)
		if err != nil {
			b.Fatal(err)
		}
		s, err := authority.Seal(b.Context(), seal.Spec{Code: "9901050012345", Name: "示例市示例局", Picture: picture})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	small, large := stamp(64), stamp(240)
	signing := func(f *render.File, stamp *seal.Seal) seal.Signing {
		if f.Seal == nil {
			b.Fatal("the face has no place for a seal")
		}
		return seal.Signing{Seal: stamp, At: at, Page: f.Seal.Page, Box: seal.Box{X: f.Seal.X, Y: f.Seal.Y, Width: f.Seal.Size, Height: f.Seal.Size}}
	}
	for _, name := range []string{"business", "marriage"} {
		v := view(b, name)
		apart := *v
		apart.SealApart = true
		for _, one := range []struct {
			what string
			draw func() (int, error)
		}{
			{"page", func() (int, error) {
				var body bytes.Buffer
				err := render.Page(&body, v, render.Desktop)
				return body.Len(), err
			}},
			{"pdf", func() (int, error) {
				f, err := render.PDF(v)
				if err != nil {
					return 0, err
				}
				return len(f.Data), nil
			}},
			{"pdf sealed", func() (int, error) {
				f, err := render.PDF(v)
				if err != nil {
					return 0, err
				}
				file, err := authority.SignPDF(b.Context(), f.Data, signing(f, small))
				return len(file), err
			}},
			{"ofd sealed", func() (int, error) {
				f, err := render.OFD(&apart)
				if err != nil {
					return 0, err
				}
				file, err := authority.SignOFD(b.Context(), f.Data, signing(f, large))
				return len(file), err
			}},
		} {
			b.Run(name+"/"+one.what, func(b *testing.B) { measure(b, one.draw) })
		}
		b.Run(name+"/chromium print", func(b *testing.B) { chromium(b, v) })
	}
}

// chromium prints the page of a view again and again, in one tab that has it open: without start-up and loading. How much processor time that
// takes its processes do not tell, so it counts as the time on the wall.
func chromium(b *testing.B, v *render.View) {
	var body bytes.Buffer
	if err := render.Page(&body, v, render.Desktop); err != nil {
		b.Fatal(err)
	}
	fonts, err := render.OpenFonts("")
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok, _ := fonts.Asset(path.Base(r.URL.Path)); ok {
			w.Header().Set("Content-Type", a.Type)
			_, _ = w.Write(a.Content)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(body.Bytes())
	}))
	defer server.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.ExecPath("chromium"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), chromedp.WSURLReadTimeout(2*time.Minute))
	allocator, stop := chromedp.NewExecAllocator(b.Context(), options...)
	defer stop()
	tab, cancel := chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Run(tab, chromedp.Navigate(server.URL)); err != nil {
		b.Fatal(err)
	}
	size := 0
	b.ResetTimer()
	for b.Loop() {
		if err := chromedp.Run(tab, chromedp.ActionFunc(func(ctx context.Context) error {
			file, _, err := page.PrintToPDF().WithPrintBackground(true).Do(ctx)
			size = len(file)
			return err
		})); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(size), "bytes/file")
}
