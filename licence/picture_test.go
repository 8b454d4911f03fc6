package licence_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"reflect"
	"strings"
	"testing"

	"licgate/licence"
	"licgate/render"
)

// camera is a JPEG as a camera leaves it: with where it was taken.
func camera(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	note := "Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x00" + where
	return []byte("\xff\xd8\xff\xe1\x00" + string(rune(len(note)+2)) + note + b.String()[2:])
}

const where = "N39.9042 E116.4074"

func imageOf(suffix string, file []byte) map[string]any {
	return map[string]any{"file_suffix": suffix, "file_data": base64.StdEncoding.EncodeToString(file)}
}

// TestPicturesAreKeptClean: what is sealed and given out of a picture has no metadata and the suffix of what it is, whoever is on it; given back for
// an update or a change, it stays byte for byte.
func TestPicturesAreKeptClean(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fit = render.FitPicture
	item := marriage()
	item.Fields = append(item.Fields, licence.Field{Key: "QM", Label: "签名", Type: "image"})
	m := making("CZR", "李大华")
	given := imageOf("png", camera(t, image.NewGray(image.Rect(0, 0, 960, 1280))))
	m.Fields["ZP"], m.Fields["QM"] = given, imageOf("jpeg", camera(t, image.NewGray(image.Rect(0, 0, 960, 1280))))
	made, err := w.Create(t.Context(), civil, item, m)
	if err != nil {
		t.Fatal(err)
	}
	kept := func(code string) map[string]any {
		l, err := w.ByCode(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		return l.Fields
	}
	first := kept(made.Licence.Code)
	if !reflect.DeepEqual(first, made.Licence.Fields) {
		t.Error("answered is something else than kept")
	}
	for key, want := range map[string]image.Point{"ZP": image.Pt(480, 640), "QM": image.Pt(960, 1280)} {
		file := licence.Picture(first[key])
		c, kind, err := image.DecodeConfig(bytes.NewReader(file))
		if err != nil || kind != "jpeg" || image.Pt(c.Width, c.Height) != want || bytes.Contains(file, []byte(where)) || bytes.Contains(file, []byte("Exif")) {
			t.Errorf("%s: %s of %d × %d, %v", key, kind, c.Width, c.Height, err)
		}
		if suffix := first[key].(map[string]any)["file_suffix"]; suffix != "jpg" {
			t.Errorf("%s: suffix %v", key, suffix)
		}
	}
	if given["file_suffix"] != "png" || !bytes.Contains(licence.Picture(given), []byte(where)) {
		t.Error("the caller's own data are changed")
	}

	again := licence.Making{Fields: first}
	l, err := w.Update(t.Context(), civil, item, licence.Target{Code: made.Licence.Code}, again)
	if err != nil || !reflect.DeepEqual(l.Fields, first) {
		t.Errorf("update: %v", err)
	}
	if _, err := w.Sign(t.Context(), civil, item, licence.Target{Code: made.Licence.Code}); err != nil {
		t.Fatal(err)
	}
	code := made.Licence.Code
	for range 3 {
		changed, err := w.Change(t.Context(), civil, item, licence.Target{Code: code}, again)
		if err != nil {
			t.Fatal(err)
		}
		code = changed.Licence.Code
		if got := kept(code); !reflect.DeepEqual(got, first) {
			t.Error("a change changes the pictures")
		}
	}
}

// noisy is a JPEG that gets longer when it is encoded by a higher quality.
func noisy(t *testing.T, quality int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 200, 200))
	for i := range m.Pix {
		m.Pix[i] = byte(i * i * 7 >> 3)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPictureTooLongAnew: what is kept has the field's length as what is given has.
func TestPictureTooLongAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fit = render.FitPicture
	sent := noisy(t, 5)
	length := base64.StdEncoding.EncodedLen(len(sent))
	item := marriage()
	item.Fields = append(item.Fields, licence.Field{Key: "QM", Label: "签名", Type: "image", Length: length})
	making := making("CZR", "李大华")
	making.Fields["QM"] = imageOf("jpg", sent)
	_, err := w.Create(t.Context(), civil, item, making)
	if fault := fieldError(t, "a picture that grows", err, "QM"); !strings.Contains(fault.Message, fmt.Sprintf("重新编码后超过最大长度 %d", length)) {
		t.Error(fault.Message)
	}
}

// TestPictureInItsLength: a picture that is as long as its field may be stays so when it is encoded anew, and can be given back.
func TestPictureInItsLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fit = render.FitPicture
	sent := noisy(t, 30)
	item := marriage()
	length := base64.StdEncoding.EncodedLen(len(sent))
	item.Fields = append(item.Fields, licence.Field{Key: "QM", Label: "签名", Type: "image", Length: length})
	making := making("CZR", "李大华")
	making.Fields["QM"] = imageOf("jpg", sent)
	made, err := w.Create(t.Context(), civil, item, making)
	if err != nil {
		t.Fatal(err)
	}
	kept := made.Licence.Fields
	if data := kept["QM"].(map[string]any)["file_data"].(string); len(data) > length || len(data) < length/2 {
		t.Errorf("%d characters of %d", len(data), length)
	}
	l, err := w.Update(t.Context(), civil, item, licence.Target{Code: made.Licence.Code}, licence.Making{Fields: kept})
	if err != nil || !reflect.DeepEqual(l.Fields, kept) {
		t.Errorf("given back: %v", err)
	}
}

// TestPicturesByContent: the suffix is only a word; other pictures than PNG and JPEG are refused in every picture field.
func TestPicturesByContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fit = render.FitPicture
	item := marriage()
	item.Fields = append(item.Fields, licence.Field{Key: "QM", Label: "签名", Type: "image"})
	var plain bytes.Buffer
	if err := png.Encode(&plain, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	for name, picture := range map[string]map[string]any{
		"GIF named PNG": imageOf("png", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;")), "GIF": imageOf("gif", []byte("GIF89a")), "markup": imageOf("jpg", []byte("<svg/>")),
	} {
		m := making("CZR", "李大华")
		m.Fields["QM"] = picture
		_, err := w.Create(t.Context(), civil, item, m)
		fieldError(t, name, err, "QM")
	}
	m := making("CZR", "李大华")
	m.Fields["QM"] = imageOf("jpg", plain.Bytes())
	made, err := w.Create(t.Context(), civil, item, m)
	if err != nil || made.Licence.Fields["QM"].(map[string]any)["file_suffix"] != "png" {
		t.Errorf("PNG named JPEG: %v", err)
	}
}
