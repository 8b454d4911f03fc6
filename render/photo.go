package render

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
)

// photo is a picture as it goes into pages and files: written by this package's own encoder, so that nothing else of the file that it came in
// (place, camera, hidden data) travels on.
type photo struct {
	file []byte
	jpeg bool // or PNG
	size image.Point
}

// Bounds of a picture. A larger file is not decoded; a larger picture is reduced: 480 × 640 is 300 dpi at the size drawn.
const (
	photoMaxPixels = 12_000_000 // of an ordinary JPEG, which takes up to seven bytes a pixel: three to be read, four to be drawn
	plainMaxPixels = 4_000_000  // of others: a PNG takes up to twelve, a progressive JPEG fifteen, one in CMYK 24
	photoWidth     = 480
	photoHeight    = 640
)

// photoQualities are those of JPEG, from the first on until the file is short enough. That they are these is part of the form (asWritten).
var photoQualities = []int{82, 60, 40, 25}

var (
	errPhoto  = errors.New("render: unusable photo")
	errPixels = errors.New("too many pixels")
)

// FitPicture returns a picture as a licence is to keep it: PNG stays PNG and JPEG JPEG, upright, without metadata, a holder's photo reduced to
// what is drawn; suffix is that of its kind. Encoding can make a JPEG longer than it was, so above most bytes it is encoded more coarsely; when
// nothing helps, it is longer. One that came out of here comes out the same again. fault says in Chinese why there is none; "": there is.
func FitPicture(file []byte, holder bool, most int) (kept []byte, suffix, fault string) {
	p, err := fitPicture(file, holder, most)
	switch {
	case errors.Is(err, errPixels):
		return nil, "", "的图片过大：PNG 及渐进式、RGB、CMYK 的 JPEG 不超过 400 万像素，其他 JPEG 不超过 1200 万像素"
	case err != nil:
		return nil, "", "不是可用的 PNG 或 JPEG 图片"
	case p.jpeg:
		return p.file, "jpg", ""
	}
	return p.file, "png", ""
}

func fitPicture(file []byte, holder bool, most int) (*photo, error) {
	picture, isJPEG, err := readPicture(file)
	if err != nil {
		return nil, err
	}
	size := picture.Bounds().Size()
	width, height := photoWidth, photoHeight
	if !holder {
		width = max(size.X, size.Y)
		height = width
	}
	// Encoding a JPEG again would change it each time.
	if p := asWritten(file, width, height); p != nil && p.jpeg && endsWithPixels(file) {
		return p, nil
	}
	if !holder && !isJPEG {
		return write(picture, isJPEG, most) // see-through, or of few colours, as it is
	}
	return bounded(file, picture, isJPEG, width, height, most)
}

// decodePhoto reads the picture of a holder. One that FitPicture returned is taken as it is, without decoding.
func decodePhoto(file []byte) (*photo, error) {
	if p := asWritten(file, photoWidth, photoHeight); p != nil {
		return p, nil
	}
	return decodePicture(file, photoWidth, photoHeight)
}

// readPicture reads a PNG or JPEG file, told apart by content.
func readPicture(file []byte) (picture image.Image, isJPEG bool, err error) {
	decode, config := png.Decode, png.DecodeConfig
	if isJPEG = bytes.HasPrefix(file, []byte("\xff\xd8\xff")); isJPEG {
		decode, config = jpeg.Decode, jpeg.DecodeConfig
	}
	c, err := config(bytes.NewReader(file))
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", errPhoto, err)
	}
	most := plainMaxPixels
	if isJPEG && ordinary(file, c) {
		most = photoMaxPixels
	}
	if c.Width < 1 || c.Height < 1 || c.Width > most/c.Height {
		return nil, false, fmt.Errorf("%w: %w: %d × %d", errPhoto, errPixels, c.Width, c.Height)
	}
	if picture, err = decode(bytes.NewReader(file)); err != nil {
		return nil, false, fmt.Errorf("%w: %w", errPhoto, err)
	}
	return picture, isJPEG, nil
}

// ordinary reports whether a JPEG is as cameras write it: in grey or YCbCr, which need no other copy in RGB or CMYK, and not progressive, for which
// the decoder keeps four bytes more for each sample. The header of a progressive frame says this size somewhere in the file; to look for it
// everywhere, and not where it should stand, leaves no way to hide it from this function but not from the decoder.
func ordinary(file []byte, c image.Config) bool {
	components := 3
	switch c.ColorModel {
	case color.GrayModel:
		components = 1
	case color.YCbCrModel:
	default:
		return false
	}
	header := []byte{0xff, 0xc2, 0, byte(8 + 3*components), 8} // marker, length, bits of a sample
	header = binary.BigEndian.AppendUint16(header, uint16(c.Height))
	header = binary.BigEndian.AppendUint16(header, uint16(c.Width))
	return !bytes.Contains(file, header)
}

// decodePicture reads a PNG or JPEG file, and reduces it to at most width and height.
func decodePicture(file []byte, width, height int) (*photo, error) {
	picture, isJPEG, err := readPicture(file)
	if err != nil {
		return nil, err
	}
	return bounded(file, picture, isJPEG, width, height, math.MaxInt)
}

// bounded writes the picture of a file, upright and reduced to at most width and height.
func bounded(file []byte, picture image.Image, isJPEG bool, width, height, most int) (*photo, error) {
	t := upright
	if isJPEG {
		t = turnOf(file)
	}
	width, height = t.bounds(width, height)
	size := picture.Bounds().Size()
	if _, whole := picture.(*image.YCbCr); !whole || size.X > width || size.Y > height {
		picture = reduce(picture, float64(width), float64(height))
	}
	return write(t.of(picture), isJPEG, most)
}

// write encodes a picture, a JPEG as coarsely as it takes to have at most so many bytes.
func write(picture image.Image, asJPEG bool, most int) (*photo, error) {
	var b bytes.Buffer
	var err error
	if asJPEG {
		for _, quality := range photoQualities {
			b.Reset()
			if err = jpeg.Encode(&b, picture, &jpeg.Options{Quality: quality}); err != nil || b.Len() <= most {
				break
			}
		}
	} else {
		err = png.Encode(&b, picture)
	}
	if err != nil {
		return nil, fmt.Errorf("encode photo: %w", err)
	}
	return &photo{file: b.Bytes(), jpeg: asJPEG, size: picture.Bounds().Size()}, nil
}

func (p *photo) mediaType() string {
	if p.jpeg {
		return "image/jpeg"
	}
	return "image/png"
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
