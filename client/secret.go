package client

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden stands wherever a secret would be printed.
const hidden = "***"

// Secret is a text that does not print: app_secret, password, tokens. No verb of fmt, no JSON and no slog handler shows it, in
// whatever it stands: the text is kept behind a pointer, which fmt does not follow inside unexported fields either. The zero
// value is the empty secret.
type Secret struct{ text *string }

// NewSecret wraps a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal is the text itself, for the place that sends it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// String is always ***.
func (Secret) String() string { return hidden }

// Format is String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { hide(f, s.String()) }

// LogValue is String for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String for encoders: a configuration that is dumped tells nothing.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as it is, so that a configuration file can be read into a Secret.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// hide is what the Format methods of types with secrets or personal data write.
func hide(f fmt.State, text string) { _, _ = io.WriteString(f, text) }
