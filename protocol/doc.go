// Package protocol is the wire of the standard: its 21 interfaces as one table, request decoding, the answer envelope and the
// error codes (standard chapter 6, appendices B–H; domain.md §1, §2, §5). It knows net/http and nothing of licences or rights.
package protocol

//go:generate go test -count=1 -run ^TestDocs$ . -update
