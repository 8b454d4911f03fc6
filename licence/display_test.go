package licence_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"

	"licgate/licence"
	"licgate/render"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, ""},
		{"文字", "文字"},
		{json.Number("1.50"), "1.50"},
		{true, "是"},
		{false, "否"},
		{[]any{"甲", json.Number("2"), nil}, "甲、2、"},
		{map[string]any{"a": "b"}, `{"a":"b"}`},
		{map[string]any{"file_suffix": "png", "file_data": "AAAA"}, ""},
	} {
		if got := licence.Text(c.value); got != c.want {
			t.Errorf("Text(%v) = %q, want %q", c.value, got, c.want)
		}
	}
}

func TestPicture(t *testing.T) {
	t.Parallel()
	if got := licence.Picture(map[string]any{"file_data": "aGVsbG8="}); !bytes.Equal(got, []byte("hello")) {
		t.Errorf("Picture = %q", got)
	}
	for _, none := range []any{nil, "aGVsbG8=", map[string]any{}, map[string]any{"file_data": "不是 base64"}} {
		if got := licence.Picture(none); got != nil {
			t.Errorf("Picture(%v) = %q, want nothing", none, got)
		}
	}
}

// TestUnprintableCharacterIsNamed: a licence that no face can show is not made, and its maker is told why.
func TestUnprintableCharacterIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Unprintable = func(text string) (rune, bool) {
		if strings.ContainsRune(text, '𬱖') {
			return '𬱖', true
		}
		return 0, false
	}
	_, err := w.Create(t.Context(), civil, marriage(), making("CZR", "李𬱖"))
	fault := fieldError(t, "a name that no font has", err, "CZR")
	if !strings.Contains(fault.Message, "U+2CC56") {
		t.Errorf("the message does not name the character: %s", fault.Message)
	}
	if _, err := w.Create(t.Context(), civil, marriage(), making("CZR", "李大华")); err != nil {
		t.Errorf("a name that can be shown: %v", err)
	}
}

// TestFontsDecideWhatIsPrintable asks the gateway's own fonts: names of GB 18030-2022 level 3 pass, what is beyond them is named.
func TestFontsDecideWhatIsPrintable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fonts, err := render.OpenFonts("")
	if err != nil {
		t.Fatal(err)
	}
	w.Unprintable = fonts.Unprintable
	for i, name := range []string{"李㛃", "李𬱖", "李䶮", "李𠀁", "李𮯠"} {
		if _, err := w.Create(t.Context(), civil, marriage(), making("CZR", name, "JHZZH", fmt.Sprint("J-", i))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, code := range map[string]string{"李👩": "U+1F469", "李\U0003134a": "U+3134A", "李\ue000": "U+E000", "李\u2fff": "U+2FFF"} {
		_, err := w.Create(t.Context(), civil, marriage(), making("CZR", name))
		if fault := fieldError(t, name, err, "CZR"); !strings.Contains(fault.Message, code) || strings.Contains(fault.Message, name) {
			t.Errorf("%q: the message should name %s and not the value: %s", name, code, fault.Message)
		}
	}
}

// A picture that no face can show is refused when the licence is made; one that is left out is none.
func TestUnfitPictureIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fit = render.FitPicture
	item := marriage()
	item.Fields = append(item.Fields, licence.Field{Key: "ZP", Label: "照片", Type: "image", Role: "photo"})
	plain := func(width, height int) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	n := 0
	create := func(photo map[string]any) error {
		n++
		m := making("CZR", "李大华", "JHZZH", fmt.Sprint("J-", n))
		if photo != nil {
			m.Fields["ZP"] = photo
		}
		_, err := w.Create(t.Context(), civil, item, m)
		return err
	}
	picture := func(file []byte) map[string]any {
		return map[string]any{"file_suffix": "png", "file_data": base64.StdEncoding.EncodeToString(file)}
	}
	for name, one := range map[string]struct {
		file []byte
		want string
	}{
		"markup":    {[]byte("<svg onload=alert(1)>"), "不是可用的 PNG 或 JPEG"},
		"cut off":   {plain(300, 400)[:60], "不是可用的 PNG 或 JPEG"},
		"too large": {plain(4000, 1001), "图片过大"},
	} {
		if fault := fieldError(t, name, create(picture(one.file)), "ZP"); !strings.Contains(fault.Message, one.want) {
			t.Errorf("%s: %s", name, fault.Message)
		}
	}
	for name, photo := range map[string]map[string]any{"usual": picture(plain(358, 441)), "large": picture(plain(2000, 2000)), "none": nil} {
		if err := create(photo); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
