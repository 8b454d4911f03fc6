package render

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
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
		if p.jpeg != c.jpeg || p.pixels.Bounds().Size() != c.size || len(p.rgb()) != 3*c.size.X*c.size.Y {
			t.Errorf("%s: jpeg %v, %v", c.name, p.jpeg, p.pixels.Bounds())
		}
	}
}

// TestPhotoKeepsPixelsOnly hides text in a file's metadata; it must not travel on.
func TestPhotoKeepsPixelsOnly(t *testing.T) {
	t.Parallel()
	file := jpegFile(t, portrait(40, 50))
	secret := []byte("116.39,39.91")
	marked := append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, byte(len(secret) + 2)}, secret...)
	marked = append(marked, file[2:]...)
	p, err := decodePhoto(marked)
	if err != nil {
		t.Fatal(err)
	}
	out, mediaType, err := p.encode()
	if err != nil || mediaType != "image/jpeg" {
		t.Fatal(mediaType, err)
	}
	if bytes.Contains(out, secret) || !bytes.Contains(marked, secret) {
		t.Error("metadata travels on")
	}
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
	if got := p.pixels.(*image.RGBA).RGBAAt(5, 5); got != (color.RGBA{0, 0, 200, 255}) {
		t.Errorf("upper half: %v", got)
	}
	if got := p.pixels.(*image.RGBA).RGBAAt(5, 600); got != (color.RGBA{255, 255, 255, 255}) {
		t.Errorf("lower half: %v", got)
	}
}
