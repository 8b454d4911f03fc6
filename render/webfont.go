package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// A page draws its text in the fonts of the PDF, whatever the reader's device has. Each font is cut into slices of 256 code
// points; the style sheet tells the browser which slice has which characters, and it loads those that a page needs. So an
// address tells no more of a page than the blocks of its characters.

// webFamily is the name by which the style sheet speaks of a chain of fonts.
const webFamily = "licgate"

// sliceVersion goes into the names of slices: change it when the same font is cut or packed otherwise.
const sliceVersion = "1"

// localHan are faces on readers' devices whose ideographs are as wide as those of Noto Sans SC, one em. Where one is found
// the common characters are not loaded: each has them all.
const localHan = `local("NotoSansCJKsc-Regular"),local("Noto Sans CJK SC"),local("PingFangSC-Regular"),local("Microsoft YaHei"),`

// The blocks of common ideographs, U+4E00–9EFF: full in every Chinese font since GBK (1995).
const firstCommon, lastCommon = 0x4e, 0x9e

// webFonts are the slices of a chain, made when first asked for and kept: at most as much as the fonts themselves.
type webFonts struct {
	sheet  styleSheet
	slices map[string]func() ([]byte, error)
}

// slice is a block of 256 code points of one font of a chain: what no earlier font has.
type slice struct {
	chain *Fonts
	place int
	block int // of code points: the first is 256 × block
}

func newWebFonts(f *Fonts) *webFonts {
	w := &webFonts{slices: make(map[string]func() ([]byte, error))}
	owners := make(map[int]*[256]uint8) // by block: 1 + the place in the chain of the font that has a character
	names := make([]string, len(f.chain))
	digest := sha256.New()
	fmt.Fprintf(digest, "slice %s\n", sliceVersion)
	for place, face := range f.chain {
		// What a font has to add depends on those before it.
		sum := face.digest()
		digest.Write(sum[:])
		names[place] = hex.EncodeToString(digest.Sum(nil)[:6])
		covers, err := face.covers()
		if err != nil {
			continue
		}
		for r := range covers.all() {
			block := owners[int(r>>8)]
			if block == nil {
				block = new([256]uint8)
				owners[int(r>>8)] = block
			}
			if block[r&0xff] == 0 {
				block[r&0xff] = uint8(place + 1)
			}
		}
	}
	var faces bytes.Buffer
	for _, block := range slices.Sorted(maps.Keys(owners)) {
		for place, face := range f.chain {
			ranges := unicodeRange(block, owners[block], uint8(place+1))
			if ranges == "" {
				continue
			}
			name := fmt.Sprintf("%s-%x.woff", names[place], block)
			local := ""
			if block >= firstCommon && block <= lastCommon {
				local = face.local
			}
			s := slice{chain: f, place: place, block: block}
			w.slices[name] = sync.OnceValues(s.file)
			fmt.Fprintf(&faces, "@font-face{font-family:%s;font-display:swap;src:%surl(%s);unicode-range:%s}\n",
				webFamily, local, name, ranges)
		}
	}
	w.sheet = newStyleSheet(faces.Bytes())
	return w
}

// unicodeRange writes for CSS which characters of a block a font has, "" when it has none. Characters that no font has are
// counted in where that is shorter; those of another font never: the browser would load a slice for nothing.
func unicodeRange(block int, owners *[256]uint8, owner uint8) string {
	var b []byte
	shared := false
	for i := 0; i < len(owners); {
		if owners[i] != owner {
			shared = shared || owners[i] != 0
			i++
			continue
		}
		last := i
		j := i
		for ; j < len(owners) && (owners[j] == owner || owners[j] == 0); j++ {
			if owners[j] == owner {
				last = j
			}
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "U+%X", block<<8|i)
		if last > i {
			b = fmt.Appendf(b, "-%X", block<<8|last)
		}
		i = j
	}
	switch {
	case len(b) == 0 || shared:
		return string(b)
	case block == 0:
		return "U+??"
	}
	return fmt.Sprintf("U+%X??", block)
}

// file makes the slice, a WOFF file.
func (s slice) file() ([]byte, error) {
	f, err := s.chain.chain[s.place].load()
	if err != nil {
		return nil, err
	}
	part := newSubset(f)
	for r := rune(s.block << 8); r < rune(s.block+1)<<8; r++ {
		if place, ok := s.chain.owner(r); ok && place == s.place {
			part.add(r, f.glyph(r))
		}
	}
	file, err := part.installable()
	if err != nil {
		return nil, err
	}
	return woff(file)
}

// woff packs a TrueType file as WOFF 1.0 (W3C Recommendation of 13 December 2012): each table by itself, by zlib.
func woff(file []byte) ([]byte, error) {
	const header, entry = 44, 20
	n := int(binary.BigEndian.Uint16(file[4:]))
	directory := make([]byte, 0, entry*n)
	var body []byte
	for i := range n {
		d := file[12+16*i:]
		offset, length := binary.BigEndian.Uint32(d[8:]), binary.BigEndian.Uint32(d[12:])
		table := file[offset : offset+length]
		packed, err := deflated(table, &tightDeflaters)
		if err != nil {
			return nil, err
		}
		if len(packed) >= len(table) {
			packed = table
		}
		directory = append(directory, d[:4]...)
		directory = binary.BigEndian.AppendUint32(directory, uint32(header+entry*n+len(body)))
		directory = binary.BigEndian.AppendUint32(directory, uint32(len(packed)))
		directory = binary.BigEndian.AppendUint32(directory, length)
		directory = append(directory, d[4:8]...) // checksum
		body = append(body, packed...)
		body = append(body, make([]byte, -len(body)&3)...)
	}
	out := append(make([]byte, 0, header+len(directory)+len(body)), "wOFF"...)
	out = append(out, file[:4]...)
	out = binary.BigEndian.AppendUint32(out, uint32(header+len(directory)+len(body)))
	out = appendUint16s(out, n, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(len(file)))
	out = appendUint16s(out, 1, 0)
	out = append(out, make([]byte, header-len(out))...) // no metadata, no private data
	return append(append(out, directory...), body...), nil
}
