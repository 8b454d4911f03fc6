package ledger

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint says that the first Size records of the log Origin have the root Root (C2SP tlog-checkpoint). Signed, it is
// a note.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Hash
	// Time is when the log made it, to the second: the extension line "time RFC3339". It is the log's own word; cosigners
	// put theirs into their signatures. Zero: there is no such line.
	Time time.Time
}

// ErrCheckpoint says that a text is no checkpoint, or not signed as demanded.
var ErrCheckpoint = errors.New("ledger: not a valid checkpoint")

const timeLine = "time "

// Text returns what is signed.
func (c Checkpoint) Text() string {
	text := fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root.Noted())
	if !c.Time.IsZero() {
		text += timeLine + c.Time.UTC().Format(time.RFC3339) + "\n"
	}
	return text
}

// ParseCheckpoint reads the text of a checkpoint. Extension lines that it does not know are allowed.
func ParseCheckpoint(text string) (Checkpoint, error) {
	body, ok := strings.CutSuffix(text, "\n")
	lines := strings.Split(body, "\n")
	if !ok || len(lines) < 3 {
		return Checkpoint{}, fmt.Errorf("%w: too few lines", ErrCheckpoint)
	}
	c := Checkpoint{Origin: lines[0]}
	if !validName(c.Origin) {
		return Checkpoint{}, fmt.Errorf("%w: origin %q", ErrCheckpoint, c.Origin)
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("%w: size %q", ErrCheckpoint, lines[1])
	}
	c.Size = size
	if err := c.Root.UnmarshalText([]byte(lines[2])); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	for i, line := range lines[3:] {
		if line == "" {
			return Checkpoint{}, fmt.Errorf("%w: an empty line", ErrCheckpoint)
		}
		if at, ok := strings.CutPrefix(line, timeLine); ok && i == 0 {
			if c.Time, err = time.Parse(time.RFC3339, at); err != nil || c.Time.UTC().Format(time.RFC3339) != at {
				return Checkpoint{}, fmt.Errorf("%w: time %q", ErrCheckpoint, at)
			}
		}
	}
	return c, nil
}

// Sign returns c as a note signed by all signers.
func (c Checkpoint) Sign(signers ...Signer) ([]byte, error) {
	if len(signers) == 0 {
		return nil, fmt.Errorf("%w: nobody signs it", ErrCheckpoint)
	}
	return sign(c.Text(), signers)
}

func sign(text string, signers []Signer) ([]byte, error) {
	list := make([]note.Signer, len(signers))
	for i, s := range signers {
		list[i] = s
	}
	signed, err := note.Sign(&note.Note{Text: text}, list...)
	if err != nil {
		return nil, fmt.Errorf("ledger: signing a checkpoint: %w", err)
	}
	return signed, nil
}

// Signed is a checkpoint whose signatures were verified.
type Signed struct {
	Checkpoint
	Note []byte // as it was read
	By   []note.Signature
	text string
}

// maxNote bounds a note in bytes.
const maxNote = 1 << 20

// OpenCheckpoint reads a signed checkpoint and demands that every key of the log signed it: each of keys that is no
// cosigner. Signatures of those keys, and of cosigners among keys, must be valid; those by unknown keys are not looked
// at. Without a log's key nothing is accepted.
func OpenCheckpoint(signed []byte, keys []Verifier) (Signed, error) {
	if len(signed) > maxNote {
		return Signed{}, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(signed))
	}
	list := make([]note.Verifier, len(keys))
	for i, v := range keys {
		list[i] = v
	}
	n, err := note.Open(signed, note.VerifierList(list...))
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Signed{}, err
	}
	logs := 0
	for _, v := range keys {
		if v.Cosigner {
			continue
		}
		logs++
		if v.Name() != c.Origin {
			return Signed{}, fmt.Errorf("%w: it is of %s, the key of %s", ErrCheckpoint, c.Origin, v.Name())
		}
		if !signedBy(n.Sigs, v) {
			return Signed{}, fmt.Errorf("%w: not signed by the key %s+%08x", ErrCheckpoint, v.Name(), v.KeyHash())
		}
	}
	if logs == 0 {
		return Signed{}, fmt.Errorf("%w: no key of the log is known", ErrCheckpoint)
	}
	return Signed{Checkpoint: c, Note: signed, By: n.Sigs, text: n.Text}, nil
}

func signedBy(signatures []note.Signature, v note.Verifier) bool {
	for _, s := range signatures {
		if s.Name == v.Name() && s.Hash == v.KeyHash() {
			return true
		}
	}
	return false
}

// CosignedBy returns the cosigners among keys that signed s.
func (s Signed) CosignedBy(keys []Verifier) []Verifier {
	var list []Verifier
	for _, v := range keys {
		if v.Cosigner && signedBy(s.By, v) {
			list = append(list, v)
		}
	}
	return list
}

// Cosign returns the signature lines of signers over a checkpoint that was opened, to the byte as its log signed it.
func (s Signed) Cosign(signers ...Signer) ([]byte, error) {
	signed, err := sign(s.text, signers)
	if err != nil {
		return nil, err
	}
	return signed[len(s.text)+1:], nil
}

// VerifyCosigned demands that cosigned is s with a valid signature by every one of cosigners, of whom there is one at
// least.
func (s Signed) VerifyCosigned(cosigned []byte, cosigners []Verifier) error {
	list := make([]note.Verifier, len(cosigners))
	for i, v := range cosigners {
		list[i] = v
	}
	n, err := note.Open(cosigned, note.VerifierList(list...))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	case n.Text != s.text:
		return fmt.Errorf("%w: it is another one", ErrCheckpoint)
	}
	for _, v := range cosigners {
		if !v.Cosigner || !signedBy(n.Sigs, v) {
			return fmt.Errorf("%w: not cosigned by %s+%08x", ErrCheckpoint, v.Name(), v.KeyHash())
		}
	}
	return nil
}
