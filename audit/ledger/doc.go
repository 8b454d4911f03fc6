// Package ledger makes the evidence over audit records: hashes, and later the SM3 Merkle tree, checkpoints and proofs.
package ledger
