package render

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// faceRule is an @font-face rule of the style sheet: whether it looks on the device first, the slice, the characters.
var faceRule = regexp.MustCompile(`(?m)^@font-face\{font-family:licgate;font-display:swap;src:((?:local\([^)]*\),)*)url\(([^)]+)\);unicode-range:([^}]+)\}$`)

// ranged lists what a unicode-range says.
func ranged(t *testing.T, list string) []rune {
	t.Helper()
	var all []rune
	for _, part := range strings.Split(list, ",") {
		part = strings.TrimPrefix(part, "U+")
		first, last, found := strings.Cut(part, "-")
		if !found {
			first, last = strings.ReplaceAll(part, "?", "0"), strings.ReplaceAll(part, "?", "F")
		}
		all = append(all, runesOf(t, first+"-"+last)...)
	}
	return all
}

// TestSlicesAreDisjoint reads the style sheet as a browser does: every character of the chain is in the slice of the font
// that draws it in a PDF, and in no other.
func TestSlicesAreDisjoint(t *testing.T) {
	t.Parallel()
	own, err := OpenFonts(folder(t, map[string][]byte{"own.ttf": ownFont(t, nil)}))
	if err != nil {
		t.Fatal(err)
	}
	for name, fonts := range map[string]*Fonts{"embedded": embedded, "own": own} {
		asset, ok, err := fonts.Asset(path.Base(fonts.StylesheetPath()))
		if !ok || err != nil {
			t.Fatal("no style sheet")
		}
		sheet := asset.Content
		rules := faceRule.FindAllSubmatch(sheet, -1)
		if n := bytes.Count(sheet, []byte("@font-face")); n != len(rules) || n > 700 {
			t.Errorf("%s: %d rules, %d understood", name, n, len(rules))
		}
		if len(sheet) > 128<<10 {
			t.Errorf("%s: the style sheet has %d bytes", name, len(sheet))
		}
		in := map[rune]string{}
		files := map[string]bool{}
		for _, rule := range rules {
			file := string(rule[2])
			if files[file] {
				t.Errorf("%s: %s stands twice", name, file)
			}
			files[file] = true
			for _, r := range ranged(t, string(rule[3])) {
				if other, twice := in[r]; twice {
					t.Fatalf("%s: U+%04X is in %s and %s", name, r, other, file)
				}
				in[r] = file
				if common := r >= 0x4e00 && r <= 0x9eff; len(rule[1]) > 0 && !common {
					t.Errorf("%s: U+%04X is looked for on the device", name, r)
				}
			}
		}
		faces := map[string]int{} // the first part of a slice's name stands for its font
		for r := rune(0); r < 0x30000; r++ {
			place, ok := fonts.owner(r)
			if !ok {
				continue
			}
			file, found := in[r]
			if !found {
				t.Errorf("%s: U+%04X is in no slice", name, r)
				continue
			}
			face, block, _ := strings.Cut(strings.TrimSuffix(file, ".woff"), "-")
			if p, known := faces[face]; known && p != place || block != strconv.FormatInt(int64(r>>8), 16) {
				t.Errorf("%s: U+%04X of font %d is in %s", name, r, place, file)
			}
			faces[face] = place
		}
		t.Logf("%s: %d slices, style sheet of %d bytes", name, len(rules), len(sheet))
	}
	// The same font behind another is another slice: it has less.
	for file := range own.web().slices {
		if _, same := embedded.web().slices[file]; same {
			t.Errorf("%s of two chains", file)
		}
	}
}

func TestUnicodeRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		block  int
		owners string // of the first code points; the last of them stands for the rest
		want   string
	}{
		{0, "1", "U+??"},
		{0x4e, "0110", "U+4E??"},
		{0x200, "11011000", "U+200??"},
		{0x200, "0112", "U+20001-20002"},
		{0x200, "0112010", "U+20001-20002,U+20005"},
		{0x200, "2", ""},
		{0x200, "0", ""},
		{0x20, "21", "U+2001-20FF"},
	} {
		var owners [256]uint8
		for i := range owners {
			owners[i] = c.owners[min(i, len(c.owners)-1)] - '0'
		}
		if got := unicodeRange(c.block, &owners, 1); got != c.want {
			t.Errorf("block %x, owners %s: %q, want %q", c.block, c.owners, got, c.want)
		}
	}
}

// unwoff unpacks a WOFF file to its tables.
func unwoff(t *testing.T, file []byte) map[string][]byte {
	t.Helper()
	be := binary.BigEndian
	if string(file[:4]) != "wOFF" || int(be.Uint32(file[8:])) != len(file) {
		t.Fatalf("not a whole WOFF file: % x", file[:12])
	}
	tables := map[string][]byte{}
	total := 12
	for i := range int(be.Uint16(file[12:])) {
		d := file[44+20*i:]
		offset, packed, length := be.Uint32(d[4:]), be.Uint32(d[8:]), be.Uint32(d[12:])
		data := file[offset : offset+packed]
		if packed < length {
			r, err := zlib.NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if data, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		tag := string(d[:4])
		sum := checksum(data)
		if tag == "head" {
			sum -= be.Uint32(data[8:])
		}
		if uint32(len(data)) != length || sum != be.Uint32(d[16:]) || offset%4 != 0 {
			t.Errorf("table %s is not what the directory says", tag)
		}
		tables[tag] = data
		total += 16 + (len(data)+3)&^3
	}
	if total != int(be.Uint32(file[16:])) {
		t.Errorf("unpacked it has %d bytes, not %d", total, be.Uint32(file[16:]))
	}
	return tables
}

// TestSlice compares slices with the fonts that they are cut from: the same outlines, the same widths, nothing else.
func TestSlice(t *testing.T) {
	t.Parallel()
	size, count := 0, 0
	for name, made := range embedded.web().slices {
		block, err := strconv.ParseInt(strings.TrimSuffix(name[strings.Index(name, "-")+1:], ".woff"), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		if block%5 != 0 { // a cross-section
			continue
		}
		file, err := made()
		if err != nil {
			t.Fatal(err)
		}
		size, count = size+len(file), count+1
		tables := unwoff(t, file)
		for _, tag := range []string{"OS/2", "cmap", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "name", "post"} {
			if len(tables[tag]) == 0 {
				t.Errorf("%s: no %s table", name, tag)
			}
		}
		groups, err := cmapGroups(tables["cmap"])
		if err != nil {
			t.Fatal(err)
		}
		part := &font{
			charMap: charMap{groups, int(binary.BigEndian.Uint16(tables["maxp"][4:]))}, loca: tables["loca"], glyf: tables["glyf"],
			hmtx: tables["hmtx"], metrics: int(binary.BigEndian.Uint16(tables["hhea"][34:])), longLoca: true,
		}
		n := 0
		for r, id := range part.all() {
			n++
			whole, old, ok := embedded.find(r)
			if !ok || int64(r>>8) != block {
				t.Fatalf("%s has U+%04X", name, r)
			}
			got, err := part.contours(id)
			if err != nil {
				t.Fatal(err)
			}
			want, err := whole.contours(old)
			if err != nil {
				t.Fatal(err)
			}
			if part.advance(id) != whole.advance(old) || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: U+%04X is drawn otherwise than in the PDF", name, r)
			}
		}
		if n == 0 || n != part.glyphs-1 {
			t.Errorf("%s: %d characters, %d glyphs", name, n, part.glyphs)
		}
	}
	if count == 0 || size/count > 64<<10 {
		t.Errorf("%d slices of %d bytes", count, size)
	}
	t.Logf("%d slices of %d bytes", count, size/count)
}

// rareNames are texts that ordinary devices have no font for: level 2 and 3, of each extension block, and what is not Chinese.
var rareNames = []string{"㛃", "𬱖", "䶮", "𠀀", "𠀁𠮷𪛖", "𪜀𫜴", "𫝀𫠝", "𫠠𬺡", "𬺰𮯠", "鿯龴﨩", "李㛃𠀁", "Zhang San 1962-03-04", "（一）《二》—“三”", "ＡＢ①㎡￥"}

// TestBrowserFonts sets rare names in Chromium under the gateway's policy: the slices are accepted, loaded from the page's
// own origin, and text is as wide as our fonts and the PDF make it.
func TestBrowserFonts(t *testing.T) {
	own, err := OpenFonts(folder(t, map[string][]byte{"own.ttf": ownFont(t, nil)}))
	if err != nil {
		t.Fatal(err)
	}
	texts := append(slices.Clone(rareNames), "一二三")
	for name, fonts := range map[string]*Fonts{"embedded": embedded, "own": own} {
		t.Run(name, func(t *testing.T) {
			address, strays := site(t, map[string]func(http.ResponseWriter) error{"names": func(w http.ResponseWriter) error {
				var b bytes.Buffer
				fmt.Fprintf(&b, "<!doctype html><html lang=zh-CN><link rel=icon href=data:,><link rel=stylesheet href=%s><body>", fonts.StylesheetPath())
				for _, text := range texts {
					fmt.Fprintf(&b, "<p><bdi>%s</bdi></p>", html.EscapeString(text))
				}
				_, err := w.Write(b.Bytes())
				return err
			}}, fonts)
			tab := browser(t)
			told := listen(t, tab)
			var result string
			const measure = `document.fonts.ready.then(() => JSON.stringify({
				Faces: [...document.fonts].filter(f => f.family === "licgate" && f.status === "loaded").length,
				Failed: [...document.fonts].filter(f => f.status === "error").length,
				Checked: [...document.querySelectorAll("bdi")].map(e => document.fonts.check("16px licgate", e.textContent)),
				Widths: [...document.querySelectorAll("bdi")].map(e => { e.style.fontSize = "100px"; e.style.whiteSpace = "nowrap"; return e.getBoundingClientRect().width; }),
				Loaded: performance.getEntriesByType("resource").filter(e => e.name.endsWith(".woff")).map(e => new URL(e.name).pathname) }))`
			err := chromedp.Run(tab, chromedp.Navigate(address+"/names"),
				chromedp.Evaluate(measure, &result, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
					return p.WithAwaitPromise(true)
				}))
			if err != nil {
				t.Fatal(err)
			}
			var seen struct {
				Faces, Failed int
				Checked       []bool
				Widths        []float64
				Loaded        []string
			}
			if err := json.Unmarshal([]byte(result), &seen); err != nil {
				t.Fatal(err)
			}
			if told := told.take(); len(told) > 0 {
				t.Errorf("the browser complains: %q", told)
			}
			if missed := strays(); len(missed) > 0 {
				t.Errorf("the page asks for %q", missed)
			}
			if seen.Failed > 0 || seen.Faces < len(seen.Loaded) || len(seen.Widths) != len(texts) {
				t.Fatalf("%+v", seen)
			}
			for i, text := range texts {
				want := newTypesetter(fonts).width(text) * 100
				if !seen.Checked[i] || math.Abs(seen.Widths[i]-want) > 0.1 {
					t.Errorf("%q is %.2f px wide, want %.2f; loaded: %v", text, seen.Widths[i], want, seen.Checked[i])
				}
				for _, r := range text {
					if place, ok := fonts.owner(r); !ok || r >= 0x4e00 && r < 0x9f00 && fonts.chain[place].local != "" {
						continue // may be found on this machine
					}
					block := fmt.Sprintf("-%x.woff", r>>8)
					if !slices.ContainsFunc(seen.Loaded, func(name string) bool { return strings.HasSuffix(name, block) }) {
						t.Errorf("%q: no slice %s among %q", text, block, seen.Loaded)
					}
				}
			}
		})
	}
}

func BenchmarkSlice(b *testing.B) {
	s := slice{chain: embedded, place: 0, block: 0x5e}
	if _, err := s.file(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.file(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStylesheet(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newWebFonts(embedded)
	}
}
