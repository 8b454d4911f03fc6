// Package ledger makes and checks the evidence over a log's records: the hash chain, the Merkle tree of RFC 6962 with
// SM3, signed checkpoints and cosignatures as C2SP signed notes, and proofs. It knows no files but through an interface,
// and no records but as bytes.
package ledger
