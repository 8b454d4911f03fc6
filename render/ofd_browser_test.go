package render

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// viewerScale is how many pixels ofd.js draws a millimetre at: the one that it draws pictures right at, in its one decimal.
const viewerScale = 3.8

// viewerPage lets ofd.js draw /licence.ofd. It does not load embedded fonts: the browser is handed them under the names that it
// asks for, and refuses those that are no sound TrueType files.
const viewerPage = `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>ofd.js</title>` +
	`<style>body{margin:0}</style><script src="/ofd.js"></script>`

// viewerDraw draws the pages, and tells where each letter stands: pixels from the page's corner.
const viewerDraw = `(async () => {
  for (const [name, file] of %s) document.fonts.add(await new FontFace(name, "url(" + file + ")").load());
  const data = await (await fetch("/licence.ofd")).arrayBuffer();
  const docs = await new Promise((success, fail) => ofd.parseOfdDocument({ ofd: data, success, fail }));
  const pages = docs[0].pages.flatMap((p, i) => ofd.renderOfd(%s[i], { ...docs[0], pages: [p] }));
  for (const p of pages) { p.style.marginBottom = "0"; p.style.overflow = "hidden"; document.body.append(p); }
  await document.fonts.ready;
  await Promise.all([...document.querySelectorAll("image")].map(i => i.decode ? i.decode() : 0));
  return JSON.stringify(pages.map(p => ({ W: p.clientWidth, H: p.clientHeight,
    Letters: [...p.querySelectorAll("text")].map(t => ({ C: t.textContent, X: parseFloat(t.parentNode.style.left) + parseFloat(t.getAttribute("x")),
      Y: parseFloat(t.parentNode.style.top) + parseFloat(t.getAttribute("y")), Ink: t.getAttribute("fill"), Size: parseFloat(t.style.fontSize) })) })));
})()`

// viewed is a page as ofd.js drew it, in pixels.
type viewed struct {
	W, H    int
	Letters []viewedLetter
}

type viewedLetter struct {
	C, Ink     string
	X, Y, Size float64
}

// viewOFD draws a file by ofd.js in Chromium, and writes a picture of all pages, one below the other.
func viewOFD(t *testing.T, tab context.Context, file []byte, picture string) []viewed {
	t.Helper()
	p := openOFD(t, file)
	var fonts [][2]string
	for _, e := range p.xml["Doc_0/PublicRes.xml"].find("Fonts", "Font") {
		fonts = append(fonts, [2]string{e.attrs["FamilyName"], "/font/" + e.find("FontFile")[0].text})
	}
	list, err := json.Marshal(fonts)
	if err != nil {
		t.Fatal(err)
	}
	var widths []int // of the screens that show the pages at our scale: ofd.js leaves 10 pixels
	var widest, highest int64
	for _, page := range p.pages {
		size := parseNumbers(t, p.xml[page].find("Area", "PhysicalBox")[0].text)
		widths = append(widths, int(math.Round(size[2]*viewerScale))+10)
		widest, highest = max(widest, int64(widths[len(widths)-1])), highest+int64(size[3]*viewerScale)+1
	}
	screens, err := json.Marshal(widths)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, viewerPage)
		case r.URL.Path == "/ofd.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write(ofdJS(t))
		case r.URL.Path == "/licence.ofd":
			_, _ = w.Write(file)
		case strings.HasPrefix(r.URL.Path, "/font/"):
			_, _ = w.Write(p.files["Doc_0/Res/"+path.Base(r.URL.Path)])
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	var result string
	var shot []byte
	err = chromedp.Run(tab, chromedp.EmulateViewport(widest, highest, chromedp.EmulateScale(1)), chromedp.Navigate(server.URL),
		chromedp.Evaluate(fmt.Sprintf(viewerDraw, list, screens), &result,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
		chromedp.CaptureScreenshot(&shot))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(picture, shot, 0o600); err != nil {
		t.Fatal(err)
	}
	var pages []viewed
	if err := json.Unmarshal([]byte(result), &pages); err != nil {
		t.Fatal(err)
	}
	return pages
}

func ofdJS(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("testdata/ofdjs/ofd.umd.min.js.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	script, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// TestOFDInBrowser has a reader that is not ours draw the files, and compares letters with what we meant and pictures with what
// mutool makes of the PDF. Set RENDER_PICTURES to a folder to keep the pictures.
func TestOFDInBrowser(t *testing.T) {
	pictures := os.Getenv("RENDER_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	tab := browser(t)
	for name, c := range pairs(t, "driving", "household", "marriage") {
		picture := filepath.Join(pictures, "ofd-"+name)
		pages := viewOFD(t, tab, c.ofd, picture+".png")
		p := openOFD(t, c.ofd)
		if len(pages) != len(p.pages) {
			t.Fatalf("%s: %d pages", name, len(pages))
		}
		for i, got := range pages {
			want := slices.DeleteFunc(p.letters(t, p.pages[i]), func(l letter) bool { return l.r > 0xffff })
			letters := slices.DeleteFunc(got.Letters, func(l viewedLetter) bool { return l.C == "\ufffd" }) // half of one beyond the BMP
			if len(letters) != len(want) {
				t.Fatalf("%s page %d: %d letters, want %d", name, i+1, len(letters), len(want))
			}
			for n, l := range letters {
				w := want[n]
				ink := fmt.Sprintf("rgb(%d, %d, %d)", w.ink>>16&0xff, w.ink>>8&0xff, w.ink&0xff)
				off := max(math.Abs(l.X/viewerScale-w.x), math.Abs(l.Y/viewerScale-w.y), math.Abs(l.Size/viewerScale-w.size))
				if l.C != string(w.r) || l.Ink != ink || off > 0.01 {
					t.Errorf("%s page %d: %+v, want %+v", name, i+1, l, w)
				}
			}
		}
		pdfFile := filepath.Join(t.TempDir(), "page.pdf")
		if err := os.WriteFile(pdfFile, c.pdf, 0o600); err != nil {
			t.Fatal(err)
		}
		top, all := 0, readPNG(t, picture+".png")
		for i, page := range pages {
			base := fmt.Sprintf("%s-pdf%d", picture, i+1)
			tool(t, "mutool", "draw", "-q", "-w", fmt.Sprint(page.W), "-h", fmt.Sprint(page.H), "-f", "-o", base+".png", pdfFile, fmt.Sprint(i+1))
			var skipped []image.Rectangle
			for _, o := range p.xml[p.pages[i]].find("Content", "Layer", "TextObject") {
				if e := o.numbers(t, "Boundary"); o.attrs["Stroke"] != "" || len(o.find("CGTransform")) > 0 {
					pixel := func(mm float64) int { return int(mm * viewerScale) }
					skipped = append(skipped, image.Rect(pixel(e[0]), pixel(e[1]), pixel(e[0]+e[2])+1, pixel(e[1]+e[3])+1))
				}
			}
			most, mean := compare(all, image.Pt(0, top), readPNG(t, base+".png"), page.W, page.H, skipped)
			// Found: at most 9.8, where ofd.js draws a photo too small, mean 0.74. A licence without its shapes: 28 and 1.7.
			if most > 12 || mean > 1 {
				t.Errorf("%s page %d: squares differ by up to %.1f, in the mean by %.2f (%s)", name, i+1, most, mean, picture)
			}
			top += page.H
		}
	}
}

// compare tells how far two pictures differ, 0 to 255: the squares of 40 pixels that differ most, and all in the mean. Squares, since
// two programs never set the edge of a letter in quite the same pixels. What ofd.js cannot draw is skipped.
func compare(a image.Image, at image.Point, b image.Image, w, h int, skipped []image.Rectangle) (most, mean float64) {
	const square = 40
	n := 0
	for y := 0; y+square <= h; y += square {
		for x := 0; x+square <= w; x += square {
			here := image.Rect(x, y, x+square, y+square)
			if slices.ContainsFunc(skipped, here.Overlaps) {
				continue
			}
			var sum [3]float64
			for dy := range square {
				for dx := range square {
					r1, g1, b1, _ := a.At(at.X+x+dx, at.Y+y+dy).RGBA()
					r2, g2, b2, _ := b.At(x+dx, y+dy).RGBA()
					for i, d := range []float64{float64(r1) - float64(r2), float64(g1) - float64(g2), float64(b1) - float64(b2)} {
						sum[i] += d / 257 / square / square
					}
				}
			}
			for _, d := range sum {
				most, mean = max(most, math.Abs(d)), mean+math.Abs(d)
				n++
			}
		}
	}
	return most, mean / float64(n)
}
