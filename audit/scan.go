package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

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
	causeNode       = "记录的节点名与段头不符"
	causeChain      = "链值不符：此处的记录或其之前的记录被改动、插入、删除或调换"
	causeName       = "段文件名与段头的起始序号不符"
	causePrevious   = "段头的前链值与上一段末尾不符：段被替换，或段头被改动"
	causeNoHead     = "head 文件缺失"
	causeHeadBroken = "head 文件损坏或版本不识别"
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

// segments returns the segment files of a journal in order.
func segments(system fileSystem, dir string) ([]string, error) {
	names, err := system.list(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the journal: %w", err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return segmentFirst(name) == 0 })
	slices.SortFunc(names, func(a, b string) int {
		if segmentFirst(a) < segmentFirst(b) {
			return -1
		}
		return 1
	})
	return names, nil
}

// scanner reads one segment as it was when it was opened: what a running writer appends later is not seen.
type scanner struct {
	name   string
	file   readable
	size   int64
	in     *bufio.Reader
	offset int64 // of the next frame

	header header
	broken string // cause, when the header is not readable; frames still are, by resume
}

// damage is a place that cannot be read.
type damage struct {
	offset int64
	cause  string
	torn   bool  // may be the rest of an unconfirmed write
	resume int64 // where readable frames begin again, or -1
}

func openSegment(system fileSystem, dir, name string) (*scanner, error) {
	file, err := system.openRead(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	s := &scanner{name: name, file: file}
	if s.size, err = file.Size(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", name, err), file.Close())
	}
	head := make([]byte, min(s.size, int64(headerFixed+maxNode+4)))
	if _, err := file.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", name, err), file.Close())
	}
	h, size, err := decodeHeader(head)
	switch {
	case errors.Is(err, errVersion):
		s.broken = causeVersion
	case err != nil:
		s.broken = causeHeader
	case h.first != segmentFirst(name):
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

// next returns the next frame, or what is wrong at s.offset, or io.EOF at a clean end. The frame's payload is valid
// until the following call. expected is the sequence that the frame should have.
func (s *scanner) next(expected uint64) (frame, *damage, error) {
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
	d, err := s.examine(expected)
	return frame{}, d, err
}

// examine says what is wrong at s.offset, where the frame of expected should be. Three things tell a write that a crash
// left unfinished from damage to confirmed records: nothing readable of a later write stands behind it; and it ends
// before its own length, or shows the zeros that file systems give for what was never written. A record holds no zero
// byte.
func (s *scanner) examine(expected uint64) (*damage, error) {
	rest := make([]byte, s.size-s.offset)
	n, err := s.file.ReadAt(rest, s.offset)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading %s at %d: %w", s.name, s.offset, err)
	}
	rest = rest[:n] // a recovering writer may have cut it meanwhile
	d := &damage{offset: s.offset, cause: causeUnreadable, resume: -1}
	_, err = decodeFrame(rest)
	if errors.Is(err, errChecksum) {
		d.cause = causeFrame
	}
	unread, later := rest, false
	for at, f := findFrame(rest, 1); at >= 0; at, f = findFrame(rest, at+f.size()) {
		if d.resume < 0 {
			unread, d.resume = rest[:at], s.offset+int64(at)
		}
		later = later || f.firstOfWrite() > expected
	}
	cut := d.resume < 0 && errors.Is(err, errShort)
	unwritten := bytes.Contains(unread, make([]byte, 16)) || bytes.HasSuffix(unread, []byte{0})
	d.torn = !later && (cut || unwritten)
	return d, nil
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

// check says what is wrong with a readable frame at its place, or "".
func (s *scanner) check(f frame, expected uint64, previous ledger.Chain) string {
	switch found := f.sequence(); {
	case found != expected:
		return causeOrder(expected, found)
	case previous.Next(f.payload) != f.chain:
		return causeChain
	case !bytes.Contains(f.payload, nodeAndSequence(s.header.node, expected)):
		return causeNode
	}
	return ""
}

// nodeAndSequence is how a record names its node and place.
func nodeAndSequence(node string, sequence uint64) []byte {
	quoted, err := encodeJSON(node)
	if err != nil {
		panic("audit: encoding a name: " + err.Error()) // a string always encodes
	}
	return strconv.AppendUint(append(append([]byte(`"node":`), quoted...), sequenceMember...), sequence, 10)
}
