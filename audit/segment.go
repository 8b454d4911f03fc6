package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"licgate/audit/ledger"
)

// The journal's bytes, version 1. Integers are big-endian; checksums are CRC-32C (RFC 3720, B.4). They are frozen:
// another layout gets another version, and readers keep all old ones.
//
// A segment is named by the sequence of its first record and holds a header, then frames, then perhaps zeros: room that
// the writer keeps ahead until it seals the segment.
//
//	header: magic "LGJOURNL" | version u16 | node length u16 | first sequence u64 | chain value before it [32]
//	        | node | checksum of all this u32
//	frame:  payload length u32 | checksum of all other bytes of the frame u32 | index u32 | chain value [32] | payload
//
// The payload is the record as JSON, the chain value is that after it. The index counts frames of one write from 0: a
// write is confirmed as a whole, so an unreadable frame with readable ones of a later write behind it was once
// confirmed, and one without may be what a crash left of a write.
const (
	segmentMagic   = "LGJOURNL"
	segmentVersion = 1
	segmentSuffix  = ".seg"
	headerFixed    = len(segmentMagic) + 2 + 2 + 8 + 32
	frameFixed     = 4 + 4 + 4 + 32
	// maxFrame is the most that one record may take on disk.
	maxFrame = 1 << 20
	// maxNode is the longest name of a node.
	maxNode = 255
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type header struct {
	node     string
	first    uint64
	previous ledger.Chain
}

// append writes h in its stored form.
func (h header) append(b []byte) []byte {
	start := len(b)
	b = append(b, segmentMagic...)
	b = binary.BigEndian.AppendUint16(b, segmentVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.node)))
	b = binary.BigEndian.AppendUint64(b, h.first)
	b = append(b, h.previous[:]...)
	b = append(b, h.node...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

var (
	errHeader  = errors.New("audit: not a segment header")
	errVersion = errors.New("audit: segment of an unknown version")
)

// decodeHeader reads a header and says how many bytes it took.
func decodeHeader(b []byte) (header, int, error) {
	if len(b) < headerFixed || string(b[:len(segmentMagic)]) != segmentMagic {
		return header{}, 0, errHeader
	}
	fields := b[len(segmentMagic):]
	if version := binary.BigEndian.Uint16(fields); version != segmentVersion {
		return header{}, 0, fmt.Errorf("%w: %d", errVersion, version)
	}
	size := headerFixed + int(binary.BigEndian.Uint16(fields[2:]))
	if len(b) < size+4 || size-headerFixed > maxNode || binary.BigEndian.Uint32(b[size:]) != crc32.Checksum(b[:size], castagnoli) {
		return header{}, 0, errHeader
	}
	return header{
		node:     string(b[headerFixed:size]),
		first:    binary.BigEndian.Uint64(fields[4:]),
		previous: ledger.Chain(fields[12:44]),
	}, size + 4, nil
}

type frame struct {
	index   uint32
	chain   ledger.Chain
	payload []byte
	leaf    ledger.Hash // once checked
}

// after returns the place behind f, which stands at at.
func (f *frame) after(at place) place { return place{sequence: at.sequence + 1, chain: f.chain} }

func (f frame) size() int { return frameFixed + len(f.payload) }

// append writes f in its stored form.
func (f frame) append(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.payload)))
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, f.index)
	b = append(b, f.chain[:]...)
	b = append(b, f.payload...)
	binary.BigEndian.PutUint32(b[start+4:], frameChecksum(b[start:]))
	return b
}

func frameChecksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:4], castagnoli), castagnoli, b[8:])
}

var (
	errShort    = errors.New("audit: frame is cut off")
	errLength   = errors.New("audit: frame has an impossible length")
	errChecksum = errors.New("audit: frame has a wrong checksum")
)

// frameSize returns the bytes of the frame at the head of b, of which b holds the fixed part.
func frameSize(b []byte) (int, error) {
	if len(b) < frameFixed {
		return 0, errShort
	}
	length := binary.BigEndian.Uint32(b)
	if length == 0 || length > maxFrame-frameFixed {
		return 0, errLength
	}
	return frameFixed + int(length), nil
}

// decodeFrame reads the frame at the head of b. The payload is part of b.
func decodeFrame(b []byte) (frame, error) {
	size, err := frameSize(b)
	if err != nil {
		return frame{}, err
	}
	if len(b) < size {
		return frame{}, errShort
	}
	b = b[:size]
	if binary.BigEndian.Uint32(b[4:]) != frameChecksum(b) {
		return frame{}, errChecksum
	}
	return frame{index: binary.BigEndian.Uint32(b[8:]), chain: ledger.Chain(b[12:frameFixed]), payload: b[frameFixed:]}, nil
}

// What stands before a record's sequence and time. Inside of JSON strings quotes are escaped, so the first occurrence
// is the member.
const (
	sequenceMember = `,"sequence":`
	timeMember     = `,"time":"`
)

// sequence returns what the payload says, or 0.
func (f frame) sequence() uint64 {
	_, rest, ok := bytes.Cut(f.payload, []byte(sequenceMember))
	end := bytes.IndexByte(rest, ',')
	if !ok || end < 0 {
		return 0
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// time returns when the payload says it was, or the zero time.
func (f frame) time() time.Time {
	_, rest, _ := bytes.Cut(f.payload, []byte(timeMember))
	text, _, _ := bytes.Cut(rest, []byte{'"'})
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return time.Time{}
	}
	return t
}

// holds reports whether the payload holds a member as it is encoded.
func (f frame) holds(member []byte) bool { return bytes.Contains(f.payload, member) }

// firstOfWrite returns the sequence of the first record that was written together with f, or 0.
func (f frame) firstOfWrite() uint64 {
	if n := f.sequence(); n > uint64(f.index) {
		return n - uint64(f.index)
	}
	return 0
}

// segmentName is the file name of the segment that starts at first.
func segmentName(first uint64) string { return fmt.Sprintf("%012d%s", first, segmentSuffix) }

// segmentFirst reads what segmentName wrote; 0 is no segment.
func segmentFirst(name string) uint64 {
	number, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok {
		return 0
	}
	first, err := strconv.ParseUint(number, 10, 64)
	if err != nil || segmentName(first) != name {
		return 0
	}
	return first
}
