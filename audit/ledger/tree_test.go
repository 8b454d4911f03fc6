package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"
)

// memory is Files in memory.
type memory struct {
	files  map[string][]byte
	failed error // of the next writes
}

func newMemory() *memory { return &memory{files: make(map[string][]byte)} }

func (m *memory) Write(name string, b []byte, offset int64) error {
	if m.failed != nil {
		return m.failed
	}
	f := m.files[name]
	if n := int(offset) + len(b) - len(f); n > 0 {
		f = append(f, make([]byte, n)...)
	}
	copy(f[offset:], b)
	m.files[name] = f
	return nil
}

func (m *memory) Read(name string, b []byte, offset int64) error {
	f, ok := m.files[name]
	if !ok {
		return fs.ErrNotExist
	}
	if int64(len(f)) < offset+int64(len(b)) {
		return io.ErrUnexpectedEOF
	}
	copy(b, f[offset:])
	return nil
}

func records(n int) (data [][]byte, leaves []Hash) {
	for i := range n {
		data = append(data, fmt.Appendf(nil, "record %d", i))
		leaves = append(leaves, Leaf(data[i]))
	}
	return data, leaves
}

// rfcRoots are the roots over the first so many records, by the RFC's definition.
func rfcRoots(t *testing.T, sizes []int, data [][]byte) map[int]Hash {
	t.Helper()
	roots := make(map[int]Hash)
	for _, n := range sizes {
		roots[n] = rfcMTH(data[:n])
	}
	return roots
}

func TestTree(t *testing.T) {
	t.Parallel()
	data, leaves := records(70_000)
	sizes := []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 255, 256, 257, 511, 512, 513, 1000, 65535, 65536, 65537, 65792, 65793, 70_000}
	roots := rfcRoots(t, sizes, data)
	files := newMemory()
	tree := NewTree(files)
	for _, n := range sizes {
		tree.Append(leaves[tree.Size():n]...)
		if tree.Root() != roots[n] {
			t.Fatalf("root of %d is %s, want %s", n, tree.Root(), roots[n])
		}
		if err := tree.Save(); err != nil {
			t.Fatal(err)
		}
		if tree.Size() != uint64(n) {
			t.Fatalf("size %d", tree.Size())
		}
		again, err := OpenTree(files, uint64(n))
		if err != nil || again.Root() != roots[n] {
			t.Fatalf("opened at %d: %v", n, err)
		}
		tree = again
	}
	tiles := OpenTiles(files, 70_000)
	for _, n := range sizes {
		if root, err := tiles.Root(uint64(n)); err != nil || root != roots[n] {
			t.Errorf("root of the first %d: %v", n, err)
		}
		if early, err := OpenTree(files, uint64(n)); err != nil || early.Root() != roots[n] { // what is beyond does not count
			t.Errorf("opened at %d: %v", n, err)
		}
	}
	// Level files are tiles, one after another.
	if n := len(files.files[LevelFile(0)]); n != 70_000*HashSize {
		t.Errorf("level 0 has %d bytes", n)
	}
	if got := Hash(files.files[LevelFile(1)][3*HashSize:]); got != rfcMTH(data[3*256:4*256]) {
		t.Error("level 1 is not the roots of tiles")
	}
	if got := Hash(files.files[LevelFile(2)]); got != rfcMTH(data[:65536]) || len(files.files[LevelFile(2)]) != HashSize {
		t.Error("level 2 is not the root of 256 tiles")
	}
}

func TestProofs(t *testing.T) {
	t.Parallel()
	const n = 600
	data, leaves := records(n)
	files := newMemory()
	tree := NewTree(files)
	tree.Append(leaves...)
	if err := tree.Save(); err != nil {
		t.Fatal(err)
	}
	tiles := OpenTiles(files, n)
	random := rand.New(rand.NewPCG(1, 2))
	sizes := []int{1, 2, 3, 7, 8, 255, 256, 257, 300, 512, 513, n}
	for range 20 {
		sizes = append(sizes, 1+random.IntN(n))
	}
	for _, size := range sizes {
		root := rfcMTH(data[:size])
		for _, index := range []int{0, size / 2, size - 1, random.IntN(size)} {
			path, err := tiles.Inclusion(uint64(index), uint64(size))
			if err != nil || !slices.Equal(path, rfcPath(index, data[:size])) {
				t.Fatalf("path of %d in %d: %v, %v", index, size, path, err)
			}
			mustInclude(t, leaves[index], index, size, path, root, true)
			mustInclude(t, leaves[(index+1)%n], index, size, path, root, false)
			mustInclude(t, leaves[index], index+1, size, path, root, false)
			for i := range path {
				changed := slices.Clone(path)
				changed[i][5] ^= 1
				mustInclude(t, leaves[index], index, size, changed, root, false)
				mustInclude(t, leaves[index], index, size, slices.Delete(slices.Clone(path), i, i+1), root, false)
			}
			mustInclude(t, leaves[index], index, size, append(slices.Clone(path), root), root, false)
		}
		for _, old := range []int{1, size / 2, size - 1, size, 1 + random.IntN(size)} {
			if old < 1 {
				continue
			}
			oldRoot := rfcMTH(data[:old])
			path, err := tiles.Consistency(uint64(old), uint64(size))
			if err != nil || !slices.Equal(path, rfcProof(old, data[:size])) {
				t.Fatalf("proof from %d to %d: %v, %v", old, size, path, err)
			}
			mustGoOn(t, old, size, path, oldRoot, root, true)
			wrong := oldRoot
			wrong[0] ^= 1
			mustGoOn(t, old, size, path, wrong, root, false)
			if old < size {
				mustGoOn(t, old, size, path, oldRoot, wrong, false)
			}
			for i := range path {
				changed := slices.Clone(path)
				changed[i][5] ^= 1
				mustGoOn(t, old, size, changed, oldRoot, root, false)
				mustGoOn(t, old, size, path[:i], oldRoot, root, false)
			}
			mustGoOn(t, old, size, append(slices.Clone(path), root), oldRoot, root, false)
		}
	}
	if err := VerifyConsistency(0, 5, nil, EmptyRoot(), leaves[0]); err != nil {
		t.Errorf("from nothing: %v", err)
	}
	for _, err := range []error{
		VerifyConsistency(0, 5, []Hash{leaves[0]}, EmptyRoot(), leaves[0]),
		VerifyConsistency(0, 5, nil, leaves[0], leaves[0]),
	} {
		if !errors.Is(err, ErrProof) {
			t.Errorf("from nothing: %v", err)
		}
	}
}

// mustInclude asks both implementations.
func mustInclude(t *testing.T, leaf Hash, index, size int, path []Hash, root Hash, want bool) {
	t.Helper()
	err := VerifyInclusion(leaf, uint64(index), uint64(size), path, root)
	got, rfcErr := rfcRoot(leaf, index, size, path)
	if (err == nil) != want || (rfcErr == nil && got == root) != want || err != nil && !errors.Is(err, ErrProof) {
		t.Fatalf("%d in %d: %v; by the RFC %v", index, size, err, rfcErr)
	}
}

func mustGoOn(t *testing.T, old, size int, path []Hash, oldRoot, root Hash, want bool) {
	t.Helper()
	err := VerifyConsistency(uint64(old), uint64(size), path, oldRoot, root)
	gotOld, got, rfcErr := rfcConsistent(old, size, path, &oldRoot)
	if (err == nil) != want || (rfcErr == nil && got == root && gotOld == oldRoot) != want || err != nil && !errors.Is(err, ErrProof) {
		t.Fatalf("from %d to %d: %v; by the RFC %v", old, size, err, rfcErr)
	}
}

func TestTilesRefuse(t *testing.T) {
	t.Parallel()
	_, leaves := records(300)
	files := newMemory()
	tree := NewTree(files)
	tree.Append(leaves...)
	if err := tree.Save(); err != nil {
		t.Fatal(err)
	}
	tiles := OpenTiles(files, 300)
	_, inclusion := tiles.Inclusion(300, 300)
	_, large := tiles.Inclusion(0, 301)
	_, consistency := tiles.Consistency(5, 301)
	_, backwards := tiles.Consistency(5, 4)
	_, root := tiles.Root(301)
	_, leaf := tiles.Leaf(300)
	_, range1 := tiles.Leaves(5, 301)
	_, range2 := tiles.Leaves(5, 4)
	for i, err := range []error{inclusion, large, consistency, backwards, root, leaf, range1, range2} {
		if !errors.Is(err, ErrBeyond) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got, err := tiles.Leaves(250, 260); err != nil || !slices.Equal(got, leaves[250:260]) {
		t.Errorf("%v", err)
	}
	files.files[LevelFile(0)] = files.files[LevelFile(0)][:100]
	if _, err := OpenTree(files, 300); !errors.Is(err, ErrTree) {
		t.Errorf("a file too short: %v", err)
	}
	if _, err := OpenTiles(newMemory(), 300).Root(300); !errors.Is(err, ErrTree) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestSaveAgain: a failed save loses nothing.
func TestSaveAgain(t *testing.T) {
	t.Parallel()
	data, leaves := records(600)
	files := newMemory()
	tree := NewTree(files)
	tree.Append(leaves[:300]...)
	files.failed = io.ErrShortWrite
	if err := tree.Save(); !errors.Is(err, io.ErrShortWrite) {
		t.Fatal(err)
	}
	tree.Append(leaves[300:]...)
	files.failed = nil
	if err := tree.Save(); err != nil {
		t.Fatal(err)
	}
	if again, err := OpenTree(files, 600); err != nil || again.Root() != rfcMTH(data) {
		t.Errorf("%v", err)
	}
}

// FuzzProofs: whatever is given, both implementations say the same, and neither panics.
func FuzzProofs(f *testing.F) {
	data, leaves := records(50)
	for _, size := range []int{1, 2, 7, 50} {
		root := rfcMTH(data[:size])
		path := rfcPath(size/2, data[:size])
		proof := rfcProof(size/2+1, data[:size])
		f.Add(uint16(size/2), uint16(size), flatten(path), leaves[size/2][:], root[:])
		old := rfcMTH(data[:size/2+1])
		f.Add(uint16(size/2+1), uint16(size), flatten(proof), old[:], root[:])
	}
	f.Fuzz(func(t *testing.T, one, two uint16, b, first, second []byte) {
		if len(first) < HashSize || len(second) < HashSize || len(b) > 64*HashSize {
			return
		}
		var path []Hash
		for ; len(b) >= HashSize; b = b[HashSize:] {
			path = append(path, Hash(b))
		}
		leaf, root := Hash(first), Hash(second)
		got, rfcErr := rfcRoot(leaf, int(one), int(two), path)
		if err := VerifyInclusion(leaf, uint64(one), uint64(two), path, root); (err == nil) != (rfcErr == nil && got == root) {
			t.Errorf("inclusion: %v; by the RFC %v", err, rfcErr)
		}
		if one == 0 {
			return
		}
		old, all, rfcErr := rfcConsistent(int(one), int(two), path, &leaf)
		if err := VerifyConsistency(uint64(one), uint64(two), path, leaf, root); (err == nil) != (rfcErr == nil && old == leaf && all == root) {
			t.Errorf("consistency: %v; by the RFC %v", err, rfcErr)
		}
	})
}

func flatten(path []Hash) (b []byte) {
	for _, h := range path {
		b = append(b, h[:]...)
	}
	return b
}

func BenchmarkTree(b *testing.B) {
	_, leaves := records(1024)
	tree := NewTree(newMemory())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tree.Append(leaves[i%1024])
		if i%(1<<16) == 0 {
			tree = NewTree(newMemory())
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
}
