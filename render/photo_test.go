package render

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"testing"
)

func TestDecodePhotoRefuses(t *testing.T) {
	t.Parallel()
	whole := pngFile(t, portrait(20, 20))
	bomb := bytes.Clone(whole)
	binary.BigEndian.PutUint32(bomb[16:], 60000)
	binary.BigEndian.PutUint32(bomb[20:], 60000)
	for name, file := range map[string][]byte{
		"empty": {}, "text": []byte("hello"), "gif": []byte("GIF89a\x01\x00\x01\x00"), "svg": []byte("<svg onload=alert(1)>"),
		"cut PNG": whole[:len(whole)/2], "cut JPEG": jpegFile(t, portrait(20, 20))[:60], "too many pixels": bomb,
	} {
		if _, err := decodePhoto(file); !errors.Is(err, errPhoto) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodePhoto(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		file []byte
		jpeg bool
		size image.Point
	}{
		{"small stays", pngFile(t, portrait(358, 441)), false, image.Pt(358, 441)},
		{"large is reduced", jpegFile(t, portrait(960, 1280)), true, image.Pt(480, 640)},
		{"wide", pngFile(t, portrait(2000, 1)), false, image.Pt(480, 1)},
		{"high", pngFile(t, portrait(1, 2000)), false, image.Pt(1, 640)},
	} {
		p, err := decodePhoto(c.file)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if p.jpeg != c.jpeg || p.size != c.size || pixelsOf(t, p.file).Bounds().Size() != c.size {
			t.Errorf("%s: jpeg %v, %v", c.name, p.jpeg, p.size)
		}
	}
}

// pixelsOf decodes a file.
func pixelsOf(t testing.TB, file []byte) image.Image {
	t.Helper()
	m, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPhotoLiesOnWhite reduces a see-through picture with one colour known.
func TestPhotoLiesOnWhite(t *testing.T) {
	t.Parallel()
	m := image.NewNRGBA(image.Rect(7, 9, 7+960, 9+1280))
	for y := 9; y < 9+640; y++ {
		for x := 7; x < 7+960; x++ {
			m.SetNRGBA(x, y, color.NRGBA{0, 0, 200, 255})
		}
	}
	p, err := decodePhoto(pngFile(t, m))
	if err != nil {
		t.Fatal(err)
	}
	m = image.NewNRGBA(image.Rect(0, 0, p.size.X, p.size.Y))
	draw.Draw(m, m.Rect, pixelsOf(t, p.file), image.Point{}, draw.Src)
	if got := m.NRGBAAt(5, 5); got != (color.NRGBA{0, 0, 200, 255}) {
		t.Errorf("upper half: %v", got)
	}
	if got := m.NRGBAAt(5, 600); got != (color.NRGBA{255, 255, 255, 255}) {
		t.Errorf("lower half: %v", got)
	}
}
