package render

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"sync"
)

// photo is a picture read from a licence: pixels only, so that nothing else in the file (place, camera, hidden data)
// travels on.
type photo struct {
	pixels image.Image // opaque, at the origin: *image.RGBA, or a JPEG's own *image.YCbCr
	jpeg   bool        // came as JPEG, and goes on as JPEG

	once    sync.Once // a template's picture is written out on every page, and at every place
	encoded []byte
	err     error
}

// Bounds of a picture. A larger file is not decoded; a larger picture is reduced: 480 × 640 is 300 dpi at the size drawn.
const (
	photoMaxPixels = 12_000_000 // of a JPEG, which takes three bytes a pixel while it is read
	plainMaxPixels = 4_000_000  // of a PNG, which takes up to twelve
	photoWidth     = 480
	photoHeight    = 640
	photoQuality   = 88
)

var (
	errPhoto  = errors.New("render: unusable photo")
	errPixels = errors.New("too many pixels")
)

// UnfitPhoto says in Chinese why a holder's photo could not be drawn; "": it can.
func UnfitPhoto(file []byte) string {
	switch _, _, err := readPicture(file); {
	case errors.Is(err, errPixels):
		return "的图片过大：PNG 不超过 400 万像素，JPEG 不超过 1200 万像素"
	case err != nil:
		return "不是可用的 PNG 或 JPEG 图片"
	}
	return ""
}

// decodePhoto reads the picture of a holder.
func decodePhoto(file []byte) (*photo, error) { return decodePicture(file, photoWidth, photoHeight) }

// readPicture reads a PNG or JPEG file, told apart by content.
func readPicture(file []byte) (picture image.Image, isJPEG bool, err error) {
	decode, config, most := png.Decode, png.DecodeConfig, plainMaxPixels
	if isJPEG = bytes.HasPrefix(file, []byte("\xff\xd8\xff")); isJPEG {
		decode, config, most = jpeg.Decode, jpeg.DecodeConfig, photoMaxPixels
	}
	c, err := config(bytes.NewReader(file))
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", errPhoto, err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > most/c.Height {
		return nil, false, fmt.Errorf("%w: %w: %d × %d", errPhoto, errPixels, c.Width, c.Height)
	}
	if picture, err = decode(bytes.NewReader(file)); err != nil {
		return nil, false, fmt.Errorf("%w: %w", errPhoto, err)
	}
	return picture, isJPEG, nil
}

// decodePicture reads a PNG or JPEG file, and reduces it to at most width and height.
func decodePicture(file []byte, width, height float64) (*photo, error) {
	picture, isJPEG, err := readPicture(file)
	if err != nil {
		return nil, err
	}
	size := picture.Bounds().Size()
	if own, ok := picture.(*image.YCbCr); ok && isJPEG && float64(size.X) <= width && float64(size.Y) <= height {
		return &photo{pixels: own, jpeg: true}, nil
	}
	return &photo{pixels: reduce(picture, width, height), jpeg: isJPEG}, nil
}

// reduce averages a picture down until it fits the bounds, on white.
func reduce(picture image.Image, width, height float64) *image.RGBA {
	b := picture.Bounds()
	src := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(src, src.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(src, src.Rect, picture, b.Min, draw.Over)
	factor := max(float64(b.Dx())/width, float64(b.Dy())/height)
	if factor <= 1 {
		return src
	}
	w, h := max(1, int(float64(b.Dx())/factor+0.5)), max(1, int(float64(b.Dy())/factor+0.5))
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		y0, y1 := span(y, h, b.Dy())
		for x := range w {
			x0, x1 := span(x, w, b.Dx())
			average(dst.Pix[dst.PixOffset(x, y):], src, image.Rect(x0, y0, x1, y1))
		}
	}
	return dst
}

// average writes the mean colour of an area to a pixel.
func average(pixel []byte, src *image.RGBA, area image.Rectangle) {
	var sum [3]int
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			p := src.Pix[src.PixOffset(x, y):]
			sum[0], sum[1], sum[2] = sum[0]+int(p[0]), sum[1]+int(p[1]), sum[2]+int(p[2])
		}
	}
	n := area.Dx() * area.Dy()
	pixel[0], pixel[1], pixel[2], pixel[3] = byte(sum[0]/n), byte(sum[1]/n), byte(sum[2]/n), 0xff
}

// span is the range of source pixels that pixel i of n covers.
func span(i, n, source int) (from, to int) {
	from = i * source / n
	return from, max(from+1, (i+1)*source/n)
}

// encode writes the picture anew, and says its media type.
func (p *photo) encode() (file []byte, mediaType string, err error) {
	p.once.Do(func() {
		var b bytes.Buffer
		if p.jpeg {
			p.err = jpeg.Encode(&b, p.pixels, &jpeg.Options{Quality: photoQuality})
		} else {
			p.err = png.Encode(&b, p.pixels)
		}
		p.encoded = b.Bytes()
	})
	if p.err != nil {
		return nil, "", fmt.Errorf("encode photo: %w", p.err)
	}
	if p.jpeg {
		return p.encoded, "image/jpeg", nil
	}
	return p.encoded, "image/png", nil
}

// rgb returns the pixels of what was a PNG, three bytes each, row by row.
func (p *photo) rgb() []byte {
	pixels := p.pixels.(*image.RGBA).Pix
	out := make([]byte, 0, len(pixels)/4*3)
	for i := 0; i < len(pixels); i += 4 {
		out = append(out, pixels[i:i+3]...)
	}
	return out
}
