package render

import (
	"encoding/binary"
	"math"
	"sync"
)

// sRGB returns an ICC version 2 display profile for the sRGB colours of IEC 61966-2-1. PDF/A wants one embedded, so
// that colours mean the same everywhere (ISO 19005-1 6.2.2). Built here, it needs no licence of its own.
var sRGB = sync.OnceValue(func() []byte {
	// Primaries and white adapted to D50 by Bradford, as the profile connection space asks.
	xyz := func(x, y, z float64) []byte {
		b := append([]byte("XYZ "), 0, 0, 0, 0)
		for _, v := range []float64{x, y, z} {
			b = binary.BigEndian.AppendUint32(b, uint32(int32(math.Round(v*65536))))
		}
		return b
	}
	curve := sRGBCurve()
	tags := []struct {
		name string
		data []byte
	}{
		{"desc", iccDescription("sRGB")},
		{"cprt", append([]byte("text\x00\x00\x00\x00"), "No copyright, use freely\x00"...)},
		{"wtpt", xyz(0.9642, 1, 0.8249)},
		{"rXYZ", xyz(0.43607, 0.22249, 0.01392)},
		{"gXYZ", xyz(0.38515, 0.71687, 0.09708)},
		{"bXYZ", xyz(0.14307, 0.06061, 0.7141)},
		{"rTRC", curve},
		{"gTRC", curve},
		{"bTRC", curve},
	}
	table := binary.BigEndian.AppendUint32(nil, uint32(len(tags)))
	var data []byte
	offset := 128 + 4 + 12*len(tags)
	last := 0
	for i, t := range tags {
		if i > 0 && &t.data[0] != &tags[i-1].data[0] || i == 0 { // the three curves are stored once
			last = offset + len(data)
			data = append(data, t.data...)
			for len(data)%4 != 0 {
				data = append(data, 0)
			}
		}
		table = append(table, t.name...)
		table = binary.BigEndian.AppendUint32(table, uint32(last))
		table = binary.BigEndian.AppendUint32(table, uint32(len(t.data)))
	}
	header := make([]byte, 128)
	binary.BigEndian.PutUint32(header, uint32(128+len(table)+len(data)))
	binary.BigEndian.PutUint32(header[8:], 0x02100000) // version 2.1
	copy(header[12:], "mntrRGB XYZ ")
	for i, v := range []uint16{2000, 1, 1} { // date of making: fixed, for the same bytes
		binary.BigEndian.PutUint16(header[24+2*i:], v)
	}
	copy(header[36:], "acsp")
	copy(header[68:], xyz(0.9642, 1, 0.8249)[8:]) // illuminant D50
	return append(append(header, table...), data...)
})

// iccDescription writes a textDescriptionType without its optional other languages.
func iccDescription(s string) []byte {
	b := []byte("desc\x00\x00\x00\x00")
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)+1))
	b = append(append(b, s...), 0)
	return append(b, make([]byte, 4+4+2+1+67)...)
}

// sRGBCurve samples the transfer function of IEC 61966-2-1.
func sRGBCurve() []byte {
	const samples = 1024
	b := []byte("curv\x00\x00\x00\x00")
	b = binary.BigEndian.AppendUint32(b, samples)
	for i := range samples {
		v := float64(i) / (samples - 1)
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(math.Round(v*65535)))
	}
	return b
}
