package render

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// sized is testdata/photo/progressive.jpg with a header that claims another size, and a whole sample of each colour for each pixel. Decoders fill
// up what is missing.
func sized(tb testing.TB, marker byte, width, height int) []byte {
	tb.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", "photo", "progressive.jpg"))
	if err != nil {
		tb.Fatal(err)
	}
	at := bytes.Index(file, []byte("\xff\xc2\x00\x11\x08"))
	file[at+1] = marker
	binary.BigEndian.PutUint16(file[at+5:], uint16(height))
	binary.BigEndian.PutUint16(file[at+7:], uint16(width))
	file[at+11], file[at+14], file[at+17] = 0x11, 0x11, 0x11
	return file
}

// cmyk is the header of a JPEG of four colours.
func cmyk(width, height int) []byte {
	size := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{8}, uint16(height)), uint16(width))
	return []byte("\xff\xd8" + jpegSegment(0xee, "Adobe\x00\x64\x00\x00\x00\x00\x00") +
		jpegSegment(0xc0, string(size)+"\x04\x01\x11\x00\x02\x11\x00\x03\x11\x00\x04\x11\x00") + jpegSegment(0xda, "\x04"))
}

// TestPictureBomb: a small file does not make the decoder take more memory than a photo of the largest size does.
func TestPictureBomb(t *testing.T) {
	const progressive, baseline = 0xc2, 0xc0
	hidden := sized(t, progressive, 4000, 3000) // behind what the decoder skips
	hidden = append([]byte("\xff\xd8\xff\xe1\x00\x02filling\x00\xff\x00\xff\xff"), hidden[3:]...)
	for name, c := range map[string]struct {
		file    []byte
		tooMuch bool
		most    uint64 // bytes
	}{
		"progressive":             {sized(t, progressive, 4000, 3000), true, 1 << 20},
		"progressive, hidden":     {hidden, true, 1 << 20},
		"progressive, just above": {sized(t, progressive, 4000, 1001), true, 1 << 20},
		"progressive, the most":   {sized(t, progressive, 4000, 1000), false, 7 * photoMaxPixels},
		"CMYK":                    {cmyk(4000, 1001), true, 1 << 20},
		"CMYK, the most":          {cmyk(4000, 1000), false, 7 * photoMaxPixels},
		"baseline":                {sized(t, baseline, 4000, 3001), true, 1 << 20},
		"baseline, the most":      {sized(t, baseline, 4000, 3000), false, 7 * photoMaxPixels},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, fault := FitPicture(c.file, true, math.MaxInt)
		runtime.ReadMemStats(&after)
		if got := strings.Contains(fault, "万像素"); got != c.tooMuch {
			t.Errorf("%s: %q", name, fault)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > c.most {
			t.Errorf("%s: took %d bytes, want at most %d", name, took, c.most)
		}
	}
}
