package render

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"slices"
	"sync"
)

// asWritten returns a file that has exactly the form that write gives one of at most width and height; nil: it has another. That is told
// without decoding: there is no room in the form for anything but pixels. Whether all of the pixels can be read is another question, which
// FitPicture has answered before a licence is made.
func asWritten(file []byte, width, height int) *photo {
	size, isJPEG := writtenJPEG(file)
	if !isJPEG {
		if size, _ = writtenPNG(file); size == (image.Point{}) {
			return nil
		}
	}
	if size.X < 1 || size.Y < 1 || size.X > width || size.Y > height {
		return nil
	}
	return &photo{file: file, jpeg: isJPEG, size: size}
}

// jpegHeads are what write begins JPEGs with, up to the pixels, of one length for all qualities: tables for colours in 4:2:0, without application
// data and comments. In files of one quality only the dimensions differ, which are 0 here.
var jpegHeads = sync.OnceValue(func() [][]byte {
	heads := make([][]byte, len(photoQualities))
	one := image.NewYCbCr(image.Rect(0, 0, 1, 1), image.YCbCrSubsampleRatio420)
	for i, quality := range photoQualities {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, one, &jpeg.Options{Quality: quality}); err != nil {
			panic("render: " + err.Error()) // a buffer takes all, and the encoder any size above 0
		}
		head := b.Bytes()
		head = head[:bytes.Index(head, scan)+len(scan)]
		at := jpegSizeAt(head)
		clear(head[at : at+4])
		heads[i] = head
	}
	return heads
})

var (
	frame = []byte("\xff\xc0\x00\x11\x08")                                     // of baseline, three components, before the dimensions
	scan  = []byte("\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00") // of all components, before the pixels
)

// jpegSizeAt is where height and width stand in what is one of jpegHeads.
func jpegSizeAt(head []byte) int { return bytes.Index(head, frame) + len(frame) }

// writtenJPEG reads the size of a JPEG of the form of write: a head, pixels without any marker, the end, nothing after it.
func writtenJPEG(file []byte) (size image.Point, ok bool) {
	heads := jpegHeads()
	at, n := jpegSizeAt(heads[0]), len(heads[0])
	if len(file) < n+2 || !slices.ContainsFunc(heads, func(head []byte) bool {
		return bytes.Equal(file[:at], head[:at]) && bytes.Equal(file[at+4:n], head[at+4:])
	}) {
		return image.Point{}, false
	}
	for pixels := file[n:]; ; {
		i := bytes.IndexByte(pixels, 0xff)
		if i < 0 || i+1 == len(pixels) {
			return image.Point{}, false
		}
		if marker := pixels[i+1]; marker != 0 { // 0: the byte 0xff itself
			height, width := binary.BigEndian.Uint16(file[at:]), binary.BigEndian.Uint16(file[at+2:])
			return image.Pt(int(width), int(height)), marker == 0xd9 && i+2 == len(pixels)
		}
		pixels = pixels[i+2:]
	}
}

// endsWithPixels reports whether a JPEG of the form of write needs all of its bytes: more could stand between the last pixel and the end.
func endsWithPixels(file []byte) bool {
	const end = 2
	last := len(file) - end - 1
	if file[last] == 0 && file[last-1] == 0xff {
		last--
	}
	short := append(append([]byte(nil), file[:last]...), file[len(file)-end:]...)
	_, err := jpeg.Decode(bytes.NewReader(short))
	return err != nil
}

const pngHead = "\x89PNG\r\n\x1a\n"

// writtenPNG reads the size and the pixels, compressed by zlib, of a PNG of the form of write: opaque colours of 8 bits, row by row; no chunk but
// IHDR, IDAT and IEND, whose checksums are right; nothing after them.
func writtenPNG(file []byte) (size image.Point, pixels []byte) {
	rest, ok := bytes.CutPrefix(file, []byte(pngHead))
	if !ok {
		return image.Point{}, nil
	}
	kind, content, rest := pngChunk(rest)
	// Colours of 8 bits, deflated, filtered, not interlaced.
	if kind != "IHDR" || len(content) != 13 || string(content[8:]) != "\x08\x02\x00\x00\x00" {
		return image.Point{}, nil
	}
	width, height := binary.BigEndian.Uint32(content), binary.BigEndian.Uint32(content[4:])
	if width > 1<<16 || height > 1<<16 {
		return image.Point{}, nil
	}
	for kind, content, rest = pngChunk(rest); kind == "IDAT"; kind, content, rest = pngChunk(rest) {
		if pixels == nil {
			pixels = make([]byte, 0, len(file))
		}
		pixels = append(pixels, content...)
	}
	if kind != "IEND" || len(content) != 0 || len(rest) != 0 || len(pixels) == 0 {
		return image.Point{}, nil
	}
	return image.Pt(int(width), int(height)), pixels
}

// pngChunk takes the first chunk off; of what is none, the kind is "".
func pngChunk(data []byte) (kind string, content, rest []byte) {
	const around = 12 // length, kind, checksum
	if len(data) < around {
		return "", nil, nil
	}
	n := binary.BigEndian.Uint32(data)
	if uint64(n) > uint64(len(data)-around) {
		return "", nil, nil
	}
	checked, sum := data[4:8+n], data[8+n:]
	if crc32.ChecksumIEEE(checked) != binary.BigEndian.Uint32(sum) {
		return "", nil, nil
	}
	return string(checked[:4]), checked[4:], sum[4:]
}
