package ledger

import (
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"

	"licgate/gm"
)

// sm3Hasher is the hasher of transparency-dev/merkle with SM3.
type sm3Hasher struct{}

func (sm3Hasher) EmptyRoot() []byte {
	h := EmptyRoot()
	return h[:]
}

func (sm3Hasher) HashLeaf(leaf []byte) []byte {
	h := Leaf(leaf)
	return h[:]
}

func (sm3Hasher) HashChildren(l, r []byte) []byte {
	left, right := Hash(l), Hash(r)
	h := node(&left, &right)
	return h[:]
}

func (sm3Hasher) Size() int { return HashSize }

// EmptyRoot is the root of a tree without leaves.
func EmptyRoot() Hash { return gm.SM3(nil) }

// ErrProof says that a proof does not prove what it should.
var ErrProof = errors.New("ledger: the proof does not hold")

// VerifyInclusion demands that leaf is the one of index, counted from 0, in the tree of size leaves with that root
// (RFC 6962, section 2.1.1).
func VerifyInclusion(leaf Hash, index, size uint64, path []Hash, root Hash) error {
	if err := proof.VerifyInclusion(sm3Hasher{}, index, size, leaf[:], raw(path), root[:]); err != nil {
		return fmt.Errorf("%w: leaf %d of %d: %w", ErrProof, index, size, err)
	}
	return nil
}

// VerifyConsistency demands that the tree of size2 leaves with root2 goes on from that of size1 with root1 (RFC 6962,
// section 2.1.2). From an empty tree everything goes on, by an empty proof.
func VerifyConsistency(size1, size2 uint64, path []Hash, root1, root2 Hash) error {
	if size1 == 0 {
		if len(path) > 0 || root1 != EmptyRoot() {
			return fmt.Errorf("%w: from the empty tree", ErrProof)
		}
		return nil
	}
	if err := proof.VerifyConsistency(sm3Hasher{}, size1, size2, raw(path), root1[:], root2[:]); err != nil {
		return fmt.Errorf("%w: from %d to %d: %w", ErrProof, size1, size2, err)
	}
	return nil
}

func raw(path []Hash) [][]byte {
	list := make([][]byte, len(path))
	for i := range path {
		list[i] = path[i][:]
	}
	return list
}

// Tiles reads a saved tree of at least size leaves and makes proofs. Not safe for concurrent use.
type Tiles struct {
	files Files
	size  uint64
	known map[tileID]*tile
}

type tileID struct {
	level int
	index uint64
}

// tile holds the nodes over a tile's hashes: row n those of 2ⁿ hashes each, as far as they are whole.
type tile struct{ rows [tileHeight][]Hash }

// maxKnown bounds the tiles that are kept, about a mebibyte.
const maxKnown = 64

// OpenTiles reads the tree in files, of which size leaves were saved.
func OpenTiles(files Files, size uint64) *Tiles {
	return &Tiles{files: files, size: size, known: make(map[tileID]*tile)}
}

// ErrBeyond says that a tree is not that large.
var ErrBeyond = errors.New("ledger: beyond the tree")

// Leaf returns the leaf of index.
func (t *Tiles) Leaf(index uint64) (Hash, error) { return t.node(compact.NewNodeID(0, index)) }

// Leaves returns the leaves from begin up to, and without, end.
func (t *Tiles) Leaves(begin, end uint64) ([]Hash, error) {
	if begin > end || end > t.size {
		return nil, fmt.Errorf("%w: leaves %d to %d of %d", ErrBeyond, begin, end, t.size)
	}
	return readHashes(t.files, 0, begin, end)
}

// Root returns the root of the first size leaves.
func (t *Tiles) Root(size uint64) (Hash, error) {
	if size > t.size {
		return Hash{}, fmt.Errorf("%w: root of %d of %d", ErrBeyond, size, t.size)
	}
	if size == 0 {
		return EmptyRoot(), nil
	}
	ids := compact.RangeNodes(0, size, nil)
	root, err := t.node(ids[len(ids)-1])
	for i := len(ids) - 2; i >= 0 && err == nil; i-- {
		var left Hash
		left, err = t.node(ids[i])
		root = node(&left, &root)
	}
	return root, err
}

// Inclusion proves that the leaf of index is in the tree of the first size leaves.
func (t *Tiles) Inclusion(index, size uint64) ([]Hash, error) {
	if size > t.size || index >= size {
		return nil, fmt.Errorf("%w: leaf %d in %d of %d", ErrBeyond, index, size, t.size)
	}
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("ledger: proving inclusion: %w", err)
	}
	return t.path(nodes)
}

// Consistency proves that the tree of the first size2 leaves goes on from that of the first size1.
func (t *Tiles) Consistency(size1, size2 uint64) ([]Hash, error) {
	if size1 > size2 || size2 > t.size {
		return nil, fmt.Errorf("%w: from %d to %d of %d", ErrBeyond, size1, size2, t.size)
	}
	nodes, err := proof.Consistency(size1, size2)
	if err != nil {
		return nil, fmt.Errorf("ledger: proving consistency: %w", err)
	}
	return t.path(nodes)
}

func (t *Tiles) path(nodes proof.Nodes) ([]Hash, error) {
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		h, err := t.node(id)
		if err != nil {
			return nil, err
		}
		hashes[i] = h[:]
	}
	hashes, err := nodes.Rehash(hashes, sm3Hasher{}.HashChildren)
	if err != nil {
		return nil, fmt.Errorf("ledger: making a proof: %w", err)
	}
	path := make([]Hash, len(hashes))
	for i, h := range hashes {
		path[i] = Hash(h)
	}
	return path, nil
}

// node returns an inner node or leaf, which must be whole.
func (t *Tiles) node(id compact.NodeID) (Hash, error) {
	level, row := int(id.Level/tileHeight), id.Level%tileHeight
	per := uint64(TileWidth >> row) // nodes of the row in a full tile
	tile, err := t.tile(tileID{level: level, index: id.Index / per})
	if err != nil {
		return Hash{}, err
	}
	at := id.Index % per
	if at >= uint64(len(tile.rows[row])) {
		return Hash{}, fmt.Errorf("%w: node %d of level %d", ErrBeyond, id.Index, id.Level)
	}
	return tile.rows[row][at], nil
}

func (t *Tiles) tile(id tileID) (*tile, error) {
	if known := t.known[id]; known != nil {
		return known, nil
	}
	count := t.size >> (tileHeight * id.level)
	begin := id.index * TileWidth
	if begin >= count {
		return nil, fmt.Errorf("%w: tile %d of level %d", ErrBeyond, id.index, id.level)
	}
	hashes, err := readHashes(t.files, id.level, begin, min(begin+TileWidth, count))
	if err != nil {
		return nil, err
	}
	made := new(tile)
	made.rows[0] = hashes
	for n := 1; n < tileHeight; n++ {
		below := made.rows[n-1]
		row := make([]Hash, len(below)/2)
		for i := range row {
			row[i] = node(&below[2*i], &below[2*i+1])
		}
		made.rows[n] = row
	}
	if len(t.known) >= maxKnown {
		clear(t.known)
	}
	t.known[id] = made
	return made, nil
}
