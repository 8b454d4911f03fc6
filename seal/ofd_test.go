package seal

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// ofdFiles are those of a small OFD with one page.
func ofdFiles() [][2]string {
	const head = `<?xml version="1.0" encoding="UTF-8"?>`
	const space = `xmlns:ofd="http://www.ofdspec.org/2016"`
	return [][2]string{
		{"OFD.xml", head + `<ofd:OFD ` + space + ` Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>1</ofd:DocID></ofd:DocInfo>` +
			`<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>`},
		{"Doc_0/Document.xml", head + `<ofd:Document ` + space + `><ofd:CommonData><ofd:MaxUnitID>9</ofd:MaxUnitID><ofd:PageArea>` +
			`<ofd:PhysicalBox>0 0 210 297</ofd:PhysicalBox></ofd:PageArea></ofd:CommonData><ofd:Pages>` +
			`<ofd:Page ID="7" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages></ofd:Document>`},
		{"Doc_0/Pages/Page_0/Content.xml", head + `<ofd:Page ` + space + `><ofd:Content/></ofd:Page>`},
		{"Doc_0/Res/数据.bin", strings.Repeat("licence ", 100)},
	}
}

// packedOFD packs files as the standard library does, sizes behind them.
func packedOFD(t testing.TB, files [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		file, err := w.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(file, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func signedOFD(t testing.TB, a *Authority) []byte {
	t.Helper()
	signed, err := a.SignOFD(t.Context(), packedOFD(t, ofdFiles()), Signing{Seal: newSeal(t, a), Box: sealBox})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// unpacked lists the files of a container by the standard library.
func unpacked(t testing.TB, ofd []byte) (files [][2]string) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(ofd), int64(len(ofd)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		file, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(file)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, [2]string{f.Name, string(content)})
	}
	return files
}

func TestSignOFD(t *testing.T) {
	t.Parallel()
	a := open(t)
	signed := signedOFD(t, a)
	if again := signedOFD(t, open(t)); !bytes.Equal(again, signed) {
		t.Error("the same input, keys, time and randomness give other bytes")
	}
	want := Report{Format: "ofd", Whole: true, Signatures: []Signature{goodSeal()}}
	if got := verified(t, signed, a.Roots()); fmt.Sprint(got) != fmt.Sprint(want) || !got.Good() {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if r := verified(t, signed, stranger(t).Roots()); !r.Whole || r.Good() {
		t.Errorf("by other roots: %+v", r)
	}
	files := map[string]string{}
	for _, f := range unpacked(t, signed) {
		files[f[0]] = f[1]
	}
	for name, part := range map[string]string{
		"OFD.xml":                          "<ofd:Signatures>Doc_0/Signs/Signatures.xml</ofd:Signatures></ofd:DocBody>",
		"Doc_0/Signs/Signatures.xml":       `BaseLoc="/Doc_0/Signs/Sign_0/Signature.xml"`,
		"Doc_0/Signs/Sign_0/Seal.esl":      string(newSeal(t, a).DER()),
		"Doc_0/Signs/Sign_0/Signature.xml": `<ofd:StampAnnot ID="1" PageRef="7" Boundary="140.00 200.00 42.00 42.00"/>`,
	} {
		if !strings.Contains(files[name], part) {
			t.Errorf("%s is %.300q, want %q in it", name, files[name], part)
		}
	}
	signature, err := parseSealSignature([]byte(files["Doc_0/Signs/Sign_0/SignedValue.dat"]))
	if err != nil {
		t.Fatal(err)
	}
	sum := tool(t, "openssl", "dgst", "-sm3", "-r", saved(t, "x", []byte(files["Doc_0/Signs/Sign_0/Signature.xml"])))
	if !strings.HasPrefix(sum, fmt.Sprintf("%x", signature.ToSign.Hash.Bytes)) {
		t.Errorf("OpenSSL's digest of Signature.xml is %s", sum)
	}
	opensslVerifies(t, newSeal(t, a).sm2.Certificate, signature.ToSign.Raw, signature.Signature.Bytes)
}

// TestChangedOFD: whatever is done to a sealed file is told.
func TestChangedOFD(t *testing.T) {
	t.Parallel()
	a := open(t)
	roots := a.Roots()
	signed := signedOFD(t, a)
	files := unpacked(t, signed)
	// with packs the files anew, one of them changed; an empty content takes it out, an unknown name adds it.
	with := func(name string, change func(string) string) []byte {
		out := slices.Clone(files)
		i := slices.IndexFunc(out, func(f [2]string) bool { return f[0] == name })
		if i < 0 {
			return packedOFD(t, append(out, [2]string{name, change("")}))
		}
		if out[i][1] = change(out[i][1]); out[i][1] == "" {
			out = slices.Delete(out, i, i+1)
		}
		return packedOFD(t, out)
	}
	gone := func(string) string { return "" }
	replace := func(old, replacement string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, replacement) }
	}
	const sign0 = "Doc_0/Signs/Sign_0/"
	if r := verified(t, packedOFD(t, files), roots); !r.Good() {
		t.Errorf("packed again: %+v", r)
	}
	for name, c := range map[string]struct {
		file []byte
		want []Alteration
		sign []Fault
	}{
		"page changed": {
			file: with("Doc_0/Pages/Page_0/Content.xml", replace("<ofd:Content/>", "<ofd:Content></ofd:Content>")),
			want: []Alteration{{Changed, "Doc_0/Pages/Page_0/Content.xml"}},
		},
		"page gone":             {file: with("Doc_0/Pages/Page_0/Content.xml", gone), want: []Alteration{{Missing, "Doc_0/Pages/Page_0/Content.xml"}}},
		"file added":            {file: with("Doc_0/new.xml", func(string) string { return "x" }), want: []Alteration{{Added, "Doc_0/new.xml"}}},
		"added beside the seal": {file: with(sign0+"more.xml", func(string) string { return "x" }), want: []Alteration{{Added, sign0 + "more.xml"}}},
		"root changed":          {file: with("OFD.xml", replace("<ofd:DocID>1<", "<ofd:DocID>2<")), want: []Alteration{{Changed, "OFD.xml"}}},
		"signatures off":        {file: with("OFD.xml", replace("<ofd:Signatures>Doc_0/Signs/Signatures.xml</ofd:Signatures>", "")), want: []Alteration{{Unsigned, ""}}},
		"list emptied": {
			file: with("Doc_0/Signs/Signatures.xml", replace(`<ofd:Signature ID="1" Type="Seal" BaseLoc="/Doc_0/Signs/Sign_0/Signature.xml"/>`, "")),
			want: []Alteration{{Unsigned, ""}},
		},
		"seal moved": {file: with(sign0+"Signature.xml", replace("140.00", "100.00")), sign: []Fault{FaultContent}},
		"seal's file changed": {
			file: with(sign0+"Seal.esl", replace("licgate", "Licgate")),
			want: []Alteration{{Changed, sign0 + "Seal.esl"}, {Changed, sign0 + "Seal.esl"}},
		},
		"value broken": {file: with(sign0+"SignedValue.dat", func(s string) string { return s[1:] }), want: []Alteration{{Changed, sign0 + "Seal.esl"}}, sign: []Fault{FaultFormat}},
		"comment":      {file: withComment(signed), want: []Alteration{{Hidden, ""}}},
		"appended":     {file: append(slices.Clone(signed), 0), want: []Alteration{{Hidden, ""}}},
	} {
		r := verified(t, c.file, roots)
		if r.Whole || r.Good() || !slices.Equal(r.Alterations, c.want) || len(r.Signatures) > 0 && !slices.Equal(r.Signatures[0].Faults, c.sign) {
			t.Errorf("%s: %+v", name, r)
		}
		for _, x := range r.Alterations {
			if strings.HasPrefix(x.Text(), "：") || x.Text() == "" {
				t.Errorf("%s: no text for %v", name, x)
			}
		}
	}
	for i := range signed {
		if r, err := Verify(spoiled(signed, i), roots); err == nil && r.Good() && !harmless(signed, i) {
			t.Errorf("a change at %d of %d passes", i, len(signed))
		}
	}
}

// harmless reports whether a byte of a container says nothing of its files: times, versions, and external attributes.
func harmless(ofd []byte, at int) bool {
	for _, h := range []struct {
		mark string
		from []int
	}{{"PK\x03\x04", []int{4, 5, 10, 11, 12, 13}}, {"PK\x01\x02", []int{4, 5, 6, 7, 12, 13, 14, 15, 34, 35, 36, 37, 38, 39, 40, 41}}} {
		for _, offset := range h.from {
			if at >= offset && bytes.HasPrefix(ofd[at-offset:], []byte(h.mark)) {
				return true
			}
		}
	}
	return false
}

func withComment(ofd []byte) []byte {
	out := append(slices.Clone(ofd), "hello"...)
	out[len(ofd)-2] = 5
	return out
}

func TestSignOFDRefusals(t *testing.T) {
	t.Parallel()
	a := open(t)
	s := newSeal(t, a)
	plain := packedOFD(t, ofdFiles())
	changed := func(i int, content string) []byte {
		files := ofdFiles()
		files[i][1] = content
		return packedOFD(t, files)
	}
	for name, c := range map[string]struct {
		file    []byte
		signing Signing
	}{
		"no box":       {plain, Signing{Seal: s}},
		"no such page": {plain, Signing{Seal: s, Box: sealBox, Page: 1}},
		"signed":       {signedOFD(t, a), Signing{Seal: s, Box: sealBox}},
		"two documents": {
			changed(0, strings.ReplaceAll(ofdFiles()[0][1], "</ofd:DocBody>", "</ofd:DocBody><ofd:DocBody/>")),
			Signing{Seal: s, Box: sealBox},
		},
		"no document":             {changed(0, strings.ReplaceAll(ofdFiles()[0][1], "Doc_0/", "../")), Signing{Seal: s, Box: sealBox}},
		"no XML":                  {changed(0, "<"), Signing{Seal: s, Box: sealBox}},
		"no OFD.xml":              {packedOFD(t, ofdFiles()[1:]), Signing{Seal: s, Box: sealBox}},
		"a folder for signatures": {packedOFD(t, append(ofdFiles(), [2]string{"Doc_0/Signs/x", "x"})), Signing{Seal: s, Box: sealBox}},
		"hidden bytes":            {withComment(plain), Signing{Seal: s, Box: sealBox}},
	} {
		if _, err := a.SignOFD(t.Context(), c.file, c.signing); err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
}

// TestHostileZip: containers that readers could take for different files, or that fill the memory.
func TestHostileZip(t *testing.T) {
	t.Parallel()
	a := open(t)
	bomb := packedOFD(t, [][2]string{{"OFD.xml", strings.Repeat("\x00", 8<<20)}})
	for name, file := range map[string][]byte{
		"empty":     packedOFD(t, nil),
		"cut off":   signedOFD(t, a)[:500],
		"two names": packedOFD(t, [][2]string{{"OFD.xml", "a"}, {"OFD.xml", "b"}}),
		"outside":   packedOFD(t, [][2]string{{"../OFD.xml", "a"}}),
		"backslash": bytes.ReplaceAll(packedOFD(t, [][2]string{{"OFD.xml", "a"}}), []byte("OFD.xml"), []byte("/FD.xml")),
		"renamed":   bytes.Replace(packedOFD(t, [][2]string{{"OFD.xml", "a"}}), []byte("OFD.xml"), []byte("OFE.xml"), 1),
		"large XML": packedOFD(t, [][2]string{{"OFD.xml", "<OFD>" + strings.Repeat(" ", maxXML) + "</OFD>"}}),
		"bomb":      bomb,
		"bomb that lies": func() []byte { // says that it is small
			out := slices.Clone(bomb)
			at := bytes.LastIndex(out, []byte("PK\x01\x02"))
			copy(out[at+24:], []byte{1, 0, 0, 0})
			return out
		}(),
		"bomb that boasts": func() []byte { // says that it is 100 MiB
			out := slices.Clone(bomb)
			at := bytes.LastIndex(out, []byte("PK\x01\x02"))
			copy(out[at+24:], []byte{0, 0, 64, 6})
			return out
		}(),
	} {
		if r, err := Verify(file, a.Roots()); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func FuzzVerifyOFD(f *testing.F) {
	a := open(f)
	signed, roots := signedOFD(f, a), a.Roots()
	good := unpacked(f, signed)
	f.Add(signed)
	f.Add(packedOFD(f, ofdFiles()))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := Verify(file, roots)
		if err == nil && r.Good() {
			// The bytes of the container may differ, not what is in it.
			got := unpacked(t, file)
			sort := func(a, b [2]string) int { return strings.Compare(a[0], b[0]) }
			slices.SortFunc(got, sort)
			want := slices.SortedFunc(slices.Values(good), sort)
			for i, w := range want {
				if i < len(got) && got[i] != w && !strings.HasSuffix(w[0], "Signatures.xml") {
					t.Errorf("%s differs, and the file is good", w[0])
				}
			}
		}
		if out, err := a.SignOFD(t.Context(), file, Signing{Seal: newSeal(t, a), Box: sealBox}); err == nil {
			if r, err := Verify(out, roots); err != nil || !r.Good() {
				t.Errorf("what was sealed is not good: %+v, %v", r, err)
			}
		}
	})
}

// BenchmarkSignOFD is seal and time-stamp of a small OFD.
func BenchmarkSignOFD(b *testing.B) {
	a := open(b, func(o *Options) { o.Random = nil })
	signing := Signing{Seal: newSeal(b, a), Box: sealBox}
	ofd := packedOFD(b, ofdFiles())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.SignOFD(b.Context(), ofd, signing); err != nil {
			b.Fatal(err)
		}
	}
}
