package ledger

import (
	"errors"
	"math/bits"

	"licgate/gm"
)

// What follows is written from the text of RFC 6962, sections 2.1, 2.1.1 and 2.1.2, and from nothing else: the judge of
// the tree and of the proofs.

// rfcMTH is MTH(D[n]).
func rfcMTH(d [][]byte) Hash {
	switch len(d) {
	case 0:
		return gm.SM3(nil)
	case 1:
		return gm.SM3(append([]byte{0}, d[0]...))
	}
	k := rfcSplit(len(d))
	return rfcNode(rfcMTH(d[:k]), rfcMTH(d[k:]))
}

func rfcNode(left, right Hash) Hash {
	return gm.SM3(append(append([]byte{1}, left[:]...), right[:]...))
}

// rfcSplit is the largest power of two smaller than n.
func rfcSplit(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// rfcPath is PATH(m, D[n]).
func rfcPath(m int, d [][]byte) []Hash {
	if len(d) == 1 {
		return nil
	}
	k := rfcSplit(len(d))
	if m < k {
		return append(rfcPath(m, d[:k]), rfcMTH(d[k:]))
	}
	return append(rfcPath(m-k, d[k:]), rfcMTH(d[:k]))
}

// rfcProof is PROOF(m, D[n]).
func rfcProof(m int, d [][]byte) []Hash { return rfcSubproof(m, d, true) }

func rfcSubproof(m int, d [][]byte, b bool) []Hash {
	if m == len(d) {
		if b {
			return nil
		}
		return []Hash{rfcMTH(d)}
	}
	k := rfcSplit(len(d))
	if m <= k {
		return append(rfcSubproof(m, d[:k], b), rfcMTH(d[k:]))
	}
	return append(rfcSubproof(m-k, d[k:], false), rfcMTH(d[:k]))
}

var errRFC = errors.New("proof does not hold")

// rfcRoot follows the definition of PATH backwards: the root that a leaf at m of n has with the path.
func rfcRoot(leaf Hash, m, n int, path []Hash) (Hash, error) {
	if m < 0 || m >= n {
		return Hash{}, errRFC
	}
	if n == 1 {
		if len(path) > 0 {
			return Hash{}, errRFC
		}
		return leaf, nil
	}
	if len(path) == 0 {
		return Hash{}, errRFC
	}
	k, last, rest := rfcSplit(n), path[len(path)-1], path[:len(path)-1]
	if m < k {
		left, err := rfcRoot(leaf, m, k, rest)
		return rfcNode(left, last), err
	}
	right, err := rfcRoot(leaf, m-k, n-k, rest)
	return rfcNode(last, right), err
}

// rfcConsistent follows the definition of SUBPROOF backwards: the roots of the first m and of all n leaves that a proof
// gives; known is the root of the first m, when the verifier has it.
func rfcConsistent(m, n int, proof []Hash, known *Hash) (old, all Hash, _ error) {
	if m == n {
		if known != nil {
			if len(proof) > 0 {
				return Hash{}, Hash{}, errRFC
			}
			return *known, *known, nil
		}
		if len(proof) != 1 {
			return Hash{}, Hash{}, errRFC
		}
		return proof[0], proof[0], nil
	}
	if len(proof) == 0 || m <= 0 || m > n {
		return Hash{}, Hash{}, errRFC
	}
	k, last, rest := rfcSplit(n), proof[len(proof)-1], proof[:len(proof)-1]
	if m <= k {
		old, left, err := rfcConsistent(m, k, rest, known)
		return old, rfcNode(left, last), err
	}
	right, rightAll, err := rfcConsistent(m-k, n-k, rest, nil)
	return rfcNode(last, right), rfcNode(last, rightAll), err
}
