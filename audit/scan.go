package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"licgate/audit/ledger"
)

// Causes of faults, as the audit administrator reads them.
const (
	causeNoSegments = "目录中没有任何日志段"
	causeHeader     = "段头损坏或被改动"
	causeVersion    = "段头的格式版本不识别"
	causeFrame      = "记录损坏或被改动：校验和不符"
	causeUnreadable = "记录损坏或被改动：无法读出完整的记录"
	causeCut        = "段在中间被截断"
	causePacked     = "压缩块损坏或被改动"
	causeNode       = "记录的节点名与段头不符"
	causeChain      = "链值不符：此处的记录或其之前的记录被改动、插入、删除或调换"
	causeName       = "段文件名与段头的起始序号不符"
	causePrevious   = "段头的前链值与上一段末尾不符：段被替换，或段头被改动"
	causeNoHead     = "head 文件缺失"
	causeHeadBroken = "head 文件损坏或版本不识别"
	causeCheckpoint = "检查点损坏，或不是由本日志的密钥签发"
	causeTree       = "哈希树文件损坏，或与检查点不符"
	causeRetired    = "retired 文件损坏，或没有与之相符的删除记录"
	causeTooEarly   = "删除的记录未满 180 天"
	causeLeaf       = "记录与哈希树中当时的哈希不符：记录在写入之后被改动"
	causeIndex      = "索引与日志不符，请重建索引"
	causeHeadChain  = "链值与 head 文件不符：日志或 head 文件被替换"
)

func causeMissing(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("缺少序号 %d 的记录：被删除、截断，或段文件缺失", from)
	}
	return fmt.Sprintf("缺少序号 %d 至 %d 的记录：被删除、截断，或段文件缺失", from, to)
}

func causeOrder(expected, found uint64) string {
	return fmt.Sprintf("序号不连续：此处应为 %d，实为 %d，记录被删除、调换或插入", expected, found)
}

// segments returns the segments of a journal in order, by the names of their plain files. Those that are packed have
// another suffix on disk.
func segments(system fileSystem, dir string) ([]string, error) {
	names, err := system.list(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the journal: %w", err)
	}
	var firsts []uint64
	for _, name := range names {
		if first := segmentFirst(strings.TrimSuffix(name, packedSuffix)); first > 0 {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	names = names[:0]
	for _, first := range slices.Compact(firsts) { // a segment just packed has two files
		names = append(names, segmentName(first))
	}
	return names, nil
}

// scanner reads one segment as it was when it was opened: what a running writer appends later is not seen.
type scanner struct {
	name   string
	file   readable
	size   int64
	in     *bufio.Reader
	offset int64  // of the next frame
	ahead  []byte // a record behind room for its leaf's prefix

	packed bool // compressed: whole, without zeros behind
	header header
	broken string // cause, when the header is not readable; frames still are, by resume
}

// damage is a place that cannot be read.
type damage struct {
	offset int64
	size   int64 // up to the last byte that is not zero
	cause  string
	torn   bool  // may be the rest of an unconfirmed write
	resume int64 // where readable frames begin again, or -1
}

func openSegment(system fileSystem, dir, name string) (*scanner, error) {
	return openSegmentBy(system.openRead, dir, name)
}

// openSegmentBy opens a segment, plain or packed.
func openSegmentBy(open func(name string) (readable, error), dir, name string) (*scanner, error) {
	file, err := open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		name += packedSuffix
		file, err = openPacked(open, filepath.Join(dir, name))
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	s, err := scan(file, name)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

// scan reads the segment in file, whose name says where it starts.
func scan(file readable, name string) (*scanner, error) {
	s := &scanner{name: name, file: file, packed: strings.HasSuffix(name, packedSuffix)}
	var err error
	if s.size, err = file.Size(); err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	head := make([]byte, min(s.size, int64(headerFixed+maxNode+4)))
	if _, err := file.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	h, size, err := decodeHeader(head)
	switch {
	case errors.Is(err, errVersion):
		s.broken = causeVersion
	case err != nil:
		s.broken = causeHeader
	case h.first != s.first():
		s.broken = causeName
	}
	s.header = h
	s.in = bufio.NewReaderSize(nil, int(min(s.size, maxFrame)))
	s.seek(int64(size))
	return s, nil
}

func (s *scanner) close() error { return s.file.Close() }

func (s *scanner) seek(offset int64) {
	s.offset = offset
	s.in.Reset(io.NewSectionReader(s.file, offset, s.size-offset))
}

// next returns the next frame, or what is wrong at s.offset, or io.EOF at a clean end: that of the file, or where only
// zeros follow. The frame's payload is valid until the following call. expected is the sequence that the frame should
// have.
func (s *scanner) next(expected uint64) (_ frame, damaged *damage, _ error) {
	b, err := s.in.Peek(frameFixed)
	if err == io.EOF && len(b) == 0 {
		return frame{}, nil, io.EOF
	}
	if size, sizeErr := frameSize(b); sizeErr == nil {
		b, err = s.in.Peek(size)
	}
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull { // the buffer has room for all that is there
		return frame{}, nil, fmt.Errorf("reading %s at %d: %w", s.name, s.offset, err)
	}
	if f, err := decodeFrame(b); err == nil {
		s.offset += int64(f.size())
		_, err = s.in.Discard(f.size())
		return f, nil, err
	}
	// A writer may have been at work between two reads of this place. Damage stays.
	for range 2 {
		rest, err := s.rest()
		if err != nil {
			return frame{}, nil, err
		}
		if _, err := decodeFrame(rest); err == nil {
			s.seek(s.offset)
			return s.next(expected)
		}
		d := s.examine(rest, expected)
		switch {
		case d == nil:
			return frame{}, nil, io.EOF
		case d.torn:
			return frame{}, d, nil
		}
		damaged = d
	}
	return frame{}, damaged, nil
}

// rest reads the segment anew from s.offset on.
func (s *scanner) rest() ([]byte, error) {
	rest := make([]byte, s.size-s.offset)
	n, err := s.file.ReadAt(rest, s.offset)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading %s at %d: %w", s.name, s.offset, err)
	}
	return rest[:n], nil // a recovering writer may have cut it meanwhile
}

// examine says what is wrong with the rest from s.offset on, where the frame of expected should be; nothing is, when it
// is zeros.
//
// Three things tell a write that a crash left unfinished from damage to confirmed records. Nothing readable of a later
// write stands behind it. It ends before its own length, or shows the zeros that stand where nothing was written: those
// that the writer keeps ahead, or that file systems give. And the zeros are its own, within its length, not those behind
// it; where its length is one of the zeros, they are all up to the next readable frame. A record holds no zero byte.
func (s *scanner) examine(rest []byte, expected uint64) *damage {
	used := bytes.TrimRight(rest, "\x00")
	if len(used) == 0 && !s.packed {
		return nil
	}
	d := &damage{offset: s.offset, size: int64(len(used)), cause: causeUnreadable, resume: -1}
	_, err := decodeFrame(rest)
	switch {
	case s.packed && s.file.(*packed).bad:
		d.cause = causePacked
	case errors.Is(err, errChecksum):
		d.cause = causeFrame
	}
	own, later := rest, false
	for at, f := findFrame(rest, 1); at >= 0; at, f = findFrame(rest, at+f.size()) {
		if d.resume < 0 {
			own, d.resume = rest[:at], s.offset+int64(at)
		}
		later = later || f.firstOfWrite() > expected
	}
	if size, err := frameSize(rest); err == nil && size < len(own) {
		own = own[:size]
	}
	cut := d.resume < 0 && errors.Is(err, errShort)
	unwritten := bytes.Contains(own, make([]byte, 16)) || bytes.HasSuffix(own, []byte{0})
	d.torn = !later && (cut || unwritten) && !s.packed
	return d
}

// findFrame returns the first readable frame of b that starts at from or behind, or -1.
func findFrame(b []byte, from int) (int, frame) {
	for at := from; at+frameFixed < len(b); at++ {
		if f, err := decodeFrame(b[at:]); err == nil && f.sequence() > 0 {
			return at, f
		}
	}
	return -1, frame{}
}

// resume goes on behind d, and reports whether there is anything.
func (s *scanner) resume(d *damage) bool {
	if d.resume < 0 {
		return false
	}
	s.seek(d.resume)
	return true
}

// check says what is wrong with a readable frame behind at, or "". It sets the frame's leaf.
func (s *scanner) check(f *frame, at place) string {
	s.ahead = append(append(s.ahead[:0], 0), f.payload...)
	f.leaf = ledger.LeafBehind(s.ahead)
	switch found := f.sequence(); {
	case found != at.sequence+1:
		return causeOrder(at.sequence+1, found)
	case at.chain.After(f.leaf) != f.chain:
		return causeChain
	case !bytes.Contains(f.payload, nodeAndSequence(s.header.node, found)):
		return causeNode
	}
	return ""
}

// nodeAndSequence is how a record names its node and place.
func nodeAndSequence(node string, sequence uint64) []byte {
	b := append(appendString([]byte(`"node":`), node), sequenceMember...)
	return strconv.AppendUint(b, sequence, 10)
}
