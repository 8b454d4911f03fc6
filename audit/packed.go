package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sort"

	"github.com/klauspost/compress/zstd"
)

// A packed segment is the bytes of a plain one, to the byte, in the Zstandard seekable format 0.1.0 (contrib/seekable_format
// of facebook/zstd): independent frames of packedBlock bytes each, then a skippable frame with the table of their sizes.
// `zstd -d` gives the plain segment back. Offsets in faults count plain bytes. Integers are little-endian.
//
//	table: magic 0x184D2A5E u32 | size of what follows u32 | for each frame: packed size u32, plain size u32
//	       | number of frames u32 | 0 u8 | magic 0x8F92EAB1 u32
const (
	packedSuffix = ".zst"
	packedBlock  = 256 << 10
	tableMagic   = 0x184D2A5E
	footerMagic  = 0x8F92EAB1
	tableHead    = 8
	tableEntry   = 8
	tableFooter  = 9
	// maxBlocks bounds the table that is read.
	maxBlocks = 1 << 20
)

var (
	packer   = must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)))
	unpacker = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(packedBlock+zstd.MinWindowSize)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("audit: " + err.Error()) // the options are constants
	}
	return v
}

// packed reads a packed segment as if it were plain. Not safe for concurrent use.
type packed struct {
	file   readable
	starts []int64 // of each frame in the file, and the end of the last
	plain  []int64 // of each frame in the plain segment, and its end
	number int     // of the frame in block, or -1
	block  []byte
	raw    []byte
	bad    bool // a frame could not be unpacked; it reads as zeros
}

var errPacked = errors.New("audit: not a packed segment")

// openPacked opens the packed segment of that name. One without a whole table reads as empty.
func openPacked(open func(name string) (readable, error), name string) (readable, error) {
	file, err := open(name)
	if err != nil {
		return nil, err
	}
	p := &packed{file: file, number: -1}
	switch err := p.readTable(); {
	case errors.Is(err, errPacked):
		p.starts, p.plain, p.bad = []int64{0}, []int64{0}, true
	case err != nil:
		return nil, errors.Join(err, file.Close())
	}
	return p, nil
}

func (p *packed) readTable() error {
	size, err := p.file.Size()
	if err != nil {
		return err
	}
	var footer [tableFooter]byte
	if size < tableHead+tableFooter {
		return errPacked
	}
	if _, err := p.file.ReadAt(footer[:], size-tableFooter); err != nil {
		return err
	}
	frames := int64(binary.LittleEndian.Uint32(footer[:]))
	length := tableHead + frames*tableEntry + tableFooter
	if footer[4] != 0 || binary.LittleEndian.Uint32(footer[5:]) != footerMagic || frames > maxBlocks || length > size {
		return errPacked
	}
	table := make([]byte, length)
	if _, err := p.file.ReadAt(table, size-length); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(table) != tableMagic || int64(binary.LittleEndian.Uint32(table[4:])) != length-tableHead {
		return errPacked
	}
	p.starts, p.plain = make([]int64, 1, frames+1), make([]int64, 1, frames+1)
	for b := table[tableHead : length-tableFooter]; len(b) > 0; b = b[tableEntry:] {
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		if n == 0 || n > packedBlock {
			return errPacked
		}
		last := len(p.plain) - 1
		p.starts = append(p.starts, p.starts[last]+int64(binary.LittleEndian.Uint32(b)))
		p.plain = append(p.plain, p.plain[last]+n)
	}
	if p.starts[frames] != size-length {
		return errPacked
	}
	return nil
}

func (p *packed) Size() (int64, error) { return p.plain[len(p.plain)-1], nil }

func (p *packed) Close() error { return p.file.Close() }

func (p *packed) ReadAt(b []byte, offset int64) (n int, err error) {
	for n < len(b) {
		at := offset + int64(n)
		i := sort.Search(len(p.plain)-1, func(i int) bool { return p.plain[i+1] > at })
		if i == len(p.plain)-1 {
			return n, io.EOF
		}
		if err := p.load(i); err != nil {
			return n, err
		}
		n += copy(b[n:], p.block[at-p.plain[i]:])
	}
	return n, nil
}

// load unpacks frame i.
func (p *packed) load(i int) error {
	if p.number == i {
		return nil
	}
	p.number = -1
	if n := int(p.starts[i+1] - p.starts[i]); cap(p.raw) < n {
		p.raw = make([]byte, n)
	}
	p.raw = p.raw[:p.starts[i+1]-p.starts[i]]
	if _, err := p.file.ReadAt(p.raw, p.starts[i]); err != nil {
		return err
	}
	size := int(p.plain[i+1] - p.plain[i])
	block, err := unpacker.DecodeAll(p.raw, p.block[:0])
	if err != nil || len(block) != size {
		p.bad = true
		block = make([]byte, size)
	}
	p.block, p.number = block, i
	return nil
}

// pack puts a packed segment in place of a plain one that is no longer written. rest is called between blocks and may
// stop it. A crash leaves the plain one alone, or both, or the packed one; pack done again completes it. The plain one is
// removed only after the packed one was read back from the disk and found equal.
func pack(system fileSystem, dir, name string, rest func() error) error {
	source, err := system.openRead(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	err = packFile(system, dir, name, source, rest)
	if err = errors.Join(err, source.Close()); err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	if err := system.remove(filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("removing %s, which is packed: %w", name, err)
	}
	return system.syncDir(dir)
}

func packFile(system fileSystem, dir, name string, source readable, rest func() error) error {
	path := filepath.Join(dir, name+packedSuffix)
	if err := samePacked(system, path, source, rest); err == nil {
		return nil // a crash came before the plain one was removed
	}
	f, err := system.create(path + unplaced)
	if err != nil {
		return err
	}
	err = writePacked(f, source, rest)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := samePacked(system, path+unplaced, source, rest); err != nil {
		return err
	}
	if err := system.rename(path+unplaced, path); err != nil {
		return err
	}
	return system.syncDir(dir)
}

func writePacked(f writable, source readable, rest func() error) error {
	size, err := source.Size()
	if err != nil {
		return err
	}
	table := binary.LittleEndian.AppendUint32(nil, tableMagic)
	table = binary.LittleEndian.AppendUint32(table, 0)
	block, out, at := make([]byte, packedBlock), []byte(nil), int64(0)
	frames := uint32(0)
	for offset := int64(0); offset < size; offset += packedBlock {
		plain := block[:min(packedBlock, size-offset)]
		if _, err := source.ReadAt(plain, offset); err != nil {
			return err
		}
		out = packer.EncodeAll(plain, out[:0])
		if _, err := f.WriteAt(out, at); err != nil {
			return err
		}
		at += int64(len(out))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(out)))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(plain)))
		frames++
		if err := rest(); err != nil {
			return err
		}
	}
	table = append(binary.LittleEndian.AppendUint32(table, frames), 0)
	table = binary.LittleEndian.AppendUint32(table, footerMagic)
	binary.LittleEndian.PutUint32(table[4:], uint32(len(table)-tableHead))
	_, err = f.WriteAt(table, at)
	return err
}

var errDiffers = errors.New("audit: the packed segment is not what was packed")

// samePacked demands that the packed segment at path gives what source holds.
func samePacked(system fileSystem, path string, source readable, rest func() error) error {
	p, err := openPacked(system.openRead, path)
	if err != nil {
		return err
	}
	return errors.Join(sameBytes(p, source, rest), p.Close())
}

func sameBytes(one, two readable, rest func() error) error {
	size, err := two.Size()
	if err != nil {
		return err
	}
	if n, err := one.Size(); err != nil || n != size {
		return errors.Join(errDiffers, err)
	}
	a, b := make([]byte, packedBlock), make([]byte, packedBlock)
	for offset := int64(0); offset < size; offset += packedBlock {
		n := min(packedBlock, size-offset)
		_, errA := one.ReadAt(a[:n], offset)
		_, errB := two.ReadAt(b[:n], offset)
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		if !bytes.Equal(a[:n], b[:n]) {
			return errDiffers
		}
		if err := rest(); err != nil {
			return err
		}
	}
	return nil
}
