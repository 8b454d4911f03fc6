package licence

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"

	"licgate/gm"
)

// A check code is what a QR code on a page or a file says: whoever reads it asks the gateway whether the licence is real. It is
// stateless and names nobody: of the licence it holds the number alone, sealed. Version 1, frozen, base64url without padding of
//
//	1 byte   version, 0x01
//	4 bytes  when it expires, in seconds since 1970 UTC, big-endian; 0: never
//	n bytes  the licence number as an integer in base 36, big-endian, 12 bytes for 18 characters and 10 for 15, sealed under the
//	         root key (gm: sealed value, version 1), which outlives the data keys; associated data: "licgate/check-code/" ‖ the
//	         first 5 bytes
const (
	checkVersion    = 0x01
	checkHead       = 5
	checkAssociated = "licgate/check-code/"
	longestCheck    = 128 // characters; no version is longer
)

// ErrCheckExpired says that a check code is one of ours, and its time is over. It is an ErrNoCode.
var ErrCheckExpired = fmt.Errorf("%w: check code has expired", ErrNoCode)

// numberBytes is how many bytes a licence number of so many characters takes as an integer.
var numberBytes = map[int]int{18: 12, 15: 10}

// NewCheckCode makes a check code for l, 83 characters long. The zero time is for a file that is kept: the code does not expire.
func (s *Service) NewCheckCode(l *Licence, expires time.Time) (string, error) {
	raw := []byte{checkVersion, 0, 0, 0, 0}
	if !expires.IsZero() {
		seconds := expires.Unix()
		if seconds <= 0 || seconds > math.MaxUint32 {
			return "", errors.New("licence: check code: no such time")
		}
		binary.BigEndian.PutUint32(raw[1:], uint32(seconds))
	}
	number, err := packNumber(l.Code)
	if err != nil {
		return "", err
	}
	sealed, err := s.Keys.SealRoot(number, append([]byte(checkAssociated), raw...))
	if err != nil {
		return "", fmt.Errorf("licence: check code: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(raw, sealed...)), nil
}

// ByCheckCode returns the licence that a check code is for, in whatever state it is. What is no code of ours, or whose licence is no
// longer there, is ErrNoCode; what has expired ErrCheckExpired.
func (s *Service) ByCheckCode(ctx context.Context, text string) (*Licence, error) {
	number, expires, err := s.openCheckCode(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	if !expires.IsZero() && !s.now().Before(expires) {
		return nil, ErrCheckExpired
	}
	r, err := s.resolve(ctx, StoredCode{LicenceCode: number})
	if err != nil {
		return nil, err
	}
	return r.Licence, nil
}

func (s *Service) openCheckCode(text string) (number string, expires time.Time, err error) {
	if len(text) > longestCheck || strings.ContainsAny(text, "\r\n") { // the decoder skips line ends
		return "", time.Time{}, ErrNoCode
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < checkHead || raw[0] != checkVersion {
		return "", time.Time{}, ErrNoCode
	}
	sealed := raw[checkHead:]
	if by, err := gm.SealedBy(sealed); err != nil || by != s.Keys.Root() { // nobody makes us ask the key store for a key
		return "", time.Time{}, ErrNoCode
	}
	packed, err := s.Keys.Open(sealed, append([]byte(checkAssociated), raw[:checkHead]...))
	if errors.Is(err, gm.ErrSealed) {
		return "", time.Time{}, ErrNoCode
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("licence: check code: %w", err)
	}
	if number, err = unpackNumber(packed); err != nil {
		return "", time.Time{}, err
	}
	if seconds := binary.BigEndian.Uint32(raw[1:]); seconds != 0 {
		expires = time.Unix(int64(seconds), 0).UTC()
	}
	return number, expires, nil
}

func packNumber(code string) ([]byte, error) {
	n, ok := new(big.Int).SetString(code, 36)
	if !ok || !ValidNumber(code) {
		return nil, errors.New("licence: check code: not a licence number")
	}
	return n.FillBytes(make([]byte, numberBytes[len(code)])), nil
}

func unpackNumber(packed []byte) (string, error) {
	text := strings.ToUpper(new(big.Int).SetBytes(packed).Text(36))
	for characters, bytes := range numberBytes {
		if len(packed) == bytes && len(text) <= characters {
			code := strings.Repeat("0", characters-len(text)) + text
			if ValidNumber(code) {
				return code, nil
			}
		}
	}
	return "", ErrNoCode
}
