package ledger

import (
	"errors"
	"fmt"
	"strconv"
)

// A tile is TileWidth hashes of one level: level 0 has the leaves, level n+1 the roots of the full tiles of level n (C2SP
// tlog-tiles). Hashes of one level stand one after another in one file, so that tile n of a level is the bytes from
// n × 8192 on, and files only grow.
const (
	TileWidth  = 256
	tileHeight = 8
	tileBytes  = TileWidth * HashSize
)

// maxLevels is one more than the highest level that a tree of 2⁶⁴ leaves has.
const maxLevels = 8

// Files keeps the hashes of a tree, one file for each level.
type Files interface {
	// Write makes b durable at offset of the named file, which is made when missing. Where it already stands, it may be
	// written again.
	Write(name string, b []byte, offset int64) error
	// Read fills b from offset of the named file. A shorter file is io.ErrUnexpectedEOF or io.EOF, none is fs.ErrNotExist.
	Read(name string, b []byte, offset int64) error
}

// LevelFile names the file of a level.
func LevelFile(level int) string { return "hashes-" + strconv.Itoa(level) }

// Tree is the Merkle tree over a log's records (RFC 6962, section 2.1, with SM3) that grows. It holds the hashes of its
// right edge and those that Save has not yet written. Not safe for concurrent use.
type Tree struct {
	files  Files
	size   uint64
	levels [maxLevels]level
}

// level is the right edge of one level of tiles.
type level struct {
	edge    []Hash // of the tile that is not yet full
	unsaved []Hash
}

// NewTree returns an empty tree. Without files it cannot be saved.
func NewTree(files Files) *Tree { return &Tree{files: files} }

// ErrTree says that files do not hold the tree that they should.
var ErrTree = errors.New("ledger: the tree's files are damaged")

// OpenTree returns the tree of size leaves that was saved to files. What they hold beyond it is written over.
func OpenTree(files Files, size uint64) (*Tree, error) {
	t := &Tree{files: files, size: size}
	for l := range t.levels {
		count := size >> (tileHeight * l)
		edge, err := readHashes(files, l, count&^(TileWidth-1), count)
		if err != nil {
			return nil, err
		}
		t.levels[l].edge = edge
	}
	return t, nil
}

// readHashes reads the hashes from begin to end of a level.
func readHashes(files Files, level int, begin, end uint64) ([]Hash, error) {
	b := make([]byte, (end-begin)*HashSize)
	if len(b) == 0 {
		return nil, nil
	}
	if err := files.Read(LevelFile(level), b, int64(begin)*HashSize); err != nil {
		return nil, fmt.Errorf("%w: level %d, %d to %d: %w", ErrTree, level, begin, end, err)
	}
	hashes := make([]Hash, end-begin)
	for i := range hashes {
		hashes[i] = Hash(b[i*HashSize:])
	}
	return hashes, nil
}

// Size returns the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Append adds leaves.
func (t *Tree) Append(leaves ...Hash) {
	for _, leaf := range leaves {
		t.add(0, leaf)
	}
	t.size += uint64(len(leaves))
}

func (t *Tree) add(l int, h Hash) {
	at := &t.levels[l]
	at.edge = append(at.edge, h)
	if t.files != nil {
		at.unsaved = append(at.unsaved, h)
	}
	if len(at.edge) == TileWidth {
		root := fold(at.edge)
		at.edge = at.edge[:0]
		t.add(l+1, root)
	}
}

// fold returns the root over a power of two of hashes. It works in place.
func fold(hashes []Hash) Hash {
	for n := len(hashes); n > 1; n /= 2 {
		for i := range n / 2 {
			hashes[i] = node(&hashes[2*i], &hashes[2*i+1])
		}
	}
	return hashes[0]
}

// Root returns the root over all leaves; of none it is SM3 of nothing.
func (t *Tree) Root() Hash {
	var root *Hash
	for l := range t.levels {
		edge := append([]Hash(nil), t.levels[l].edge...)
		for n := 1; len(edge) > 0; n *= 2 { // perfect subtrees, the smallest and rightmost first
			if len(edge)&n == 0 {
				continue
			}
			left := fold(edge[len(edge)-n:])
			if root != nil {
				left = node(&left, root)
			}
			root = &left
			edge = edge[:len(edge)-n]
		}
	}
	if root == nil {
		return EmptyRoot()
	}
	return *root
}

// Save writes what is new. After an error it may be called again.
func (t *Tree) Save() error {
	for l := range t.levels {
		at := &t.levels[l]
		if len(at.unsaved) == 0 {
			continue
		}
		b := make([]byte, 0, len(at.unsaved)*HashSize)
		for i := range at.unsaved {
			b = append(b, at.unsaved[i][:]...)
		}
		count := t.size >> (tileHeight * l)
		if err := t.files.Write(LevelFile(l), b, int64(count)*HashSize-int64(len(b))); err != nil {
			return fmt.Errorf("ledger: saving level %d of the tree: %w", l, err)
		}
		at.unsaved = at.unsaved[:0]
	}
	return nil
}
