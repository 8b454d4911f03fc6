// Package redact takes out of log lines what no log may hold: tokens, codes, secrets, query strings, identity and telephone numbers, and
// the data of licences, wherever in a line they stand. It knows shapes, not meanings: it takes out too much rather than too little.
package redact

import (
	"bytes"
	"math/bits"
	"regexp"
	"time"
)

// mark stands for what was taken out.
const mark = "REDACTED"

// named are the members whose values are taken out: names of the standard, of platform.yaml and of HTTP, in lower case.
var named = map[string]bool{
	"app_secret": true, "secret": true, "password": true, "new_password": true, "access_token": true, "license_access_token": true,
	"auth_code": true, "auth_codes": true, "auth_code_qr": true, "credential": true, "token": true, "data_fields": true,
	"identity_number": true, "identity_num": true, "holder_identity_num": true, "holder_name": true, "file_data": true,
	"authorization": true, "proxy-authorization": true, "cookie": true, "set-cookie": true, "referer": true,
}

const longestName = len("license_access_token")

// shapes are what is taken out by its looks alone. Patterns are costly and most lines hold nothing: hints are what a line must hold to
// be worth one.
var shapes = []struct {
	hints []string
	shape *regexp.Regexp
	stand string
}{
	{[]string{"?"}, regexp.MustCompile(`\?[^\s"'\\<>]+`), "?" + mark},
	{[]string{"earer", "EARER", "asic", "ASIC"}, regexp.MustCompile(`(?i)\b(bearer|basic)\s+[^\s"'\\,]+`), "$1 " + mark},
	{[]string{"1_"}, regexp.MustCompile(`\blg[a-z][0-9]_[A-Za-z0-9_-]{8,}`), mark},
	{[]string{"eyJ"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`), mark},
	{[]string{"hmac-sm3$", "pbkdf2"}, regexp.MustCompile(`\b(hmac-sm3|pbkdf2[a-z0-9-]*)\$[^\s"'\\]+`), mark},
	{[]string{"://"}, regexp.MustCompile(`(?i)\b(postgres|postgresql|redis|rediss)://[^\s"'\\@/]*@`), "$1://" + mark + "@"},
}

// Line returns line without what no log may hold. The result shares no memory with line, unless nothing was taken out.
func Line(line []byte) []byte {
	line = members(line)
	for _, s := range shapes {
		for _, hint := range s.hints {
			if bytes.Contains(line, []byte(hint)) {
				line = s.shape.ReplaceAll(line, []byte(s.stand))
				break
			}
		}
	}
	return digits(line)
}

// members replaces the values of members that are named, also inside a string that holds JSON: its quotes are escaped there, name and
// value alike.
func members(line []byte) []byte {
	var out []byte
	done := 0
	for i := 0; i < len(line); i++ {
		if line[i] != ':' || i < done {
			continue
		}
		quote := nameBefore(line[:i])
		if quote == nil {
			continue
		}
		from := i + 1
		for from < len(line) && (line[from] == ' ' || line[from] == '\t') {
			from++
		}
		out = append(out, line[done:from]...)
		out = append(append(append(out, quote...), mark...), quote...)
		done = from + value(line[from:], quote)
	}
	if done == 0 {
		return line
	}
	return append(out, line[done:]...)
}

// nameBefore returns the quote, with the backslashes that escape it, of the named member whose name text ends with; nil for none.
func nameBefore(text []byte) []byte {
	text = bytes.TrimRight(text, " \t")
	end := len(text) - 1
	if end < 0 || text[end] != '"' {
		return nil
	}
	name := end
	for name > 0 && text[name-1] == '\\' {
		name--
	}
	quote := text[name:]
	if slashes := len(quote) - 1; slashes&(slashes+1) != 0 {
		return nil // no quote of any depth
	}
	start := bytes.LastIndexByte(text[max(0, name-longestName-1):name], '"')
	if start < 0 {
		return nil
	}
	start += max(0, name-longestName-1)
	if !named[string(bytes.ToLower(text[start+1:name]))] || !bytes.HasSuffix(text[:start+1], quote) ||
		start-len(quote) >= 0 && text[start-len(quote)] == '\\' {
		return nil
	}
	return quote
}

// value is how long a JSON value at the beginning of text is, whose strings are in quotes of the given form. What does not end is
// taken to the end of the string that it stands in, or of the line.
func value(text, quote []byte) int {
	if len(text) > 0 && text[0] != '{' && text[0] != '[' && !bytes.HasPrefix(text, quote) {
		if end := bytes.IndexAny(text, ",}]\\\""); end >= 0 {
			return end
		}
		return len(text)
	}
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			slashes := 0
			for slashes < i && text[i-1-slashes] == '\\' {
				slashes++
			}
			switch at, own := depthOf(slashes), depthOf(len(quote)-1); {
			case at < own:
				return i - (1<<at - 1) // the string that it stands in ends
			case at == own:
				inString = !inString
			}
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 && !inString && text[i] != '\\' {
			return i + 1
		}
	}
	return len(text)
}

// depthOf is in how many strings a quote stands, by the backslashes before it: 0, 1, 3, 7 and so on, and before those any that escape
// one another.
func depthOf(slashes int) int { return bits.TrailingZeros(^uint(slashes)) }

// digits replaces identity and telephone numbers, written in full-width characters too. The digits of a JSON escape (\u0001) stay: they are no
// part of a number behind them, and what is left must stay JSON.
func digits(line []byte) []byte {
	var out []byte
	done := 0
	for i := 0; i < len(line); {
		from := i
		end, found := number(line, i)
		if escape(line, i) {
			from += escapeDigits
			if !found {
				end, found = number(line, from)
			}
		}
		if found {
			out = append(append(out, line[done:from]...), mark...)
			done = end
		}
		i = max(end, i+1)
	}
	if done == 0 {
		return line
	}
	return append(out, line[done:]...)
}

// number returns where the digits that begin at i end, and whether they are a number to take out.
func number(line []byte, i int) (end int, found bool) {
	var room [32]byte
	run := room[:0]
	for end = i; end < len(line); {
		c, size := narrow(line[end:])
		isX := c == 'X' || c == 'x'
		if (c < '0' || c > '9') && (!isX || len(run) == 0) {
			break
		}
		run = append(run, c)
		if end += size; isX {
			break
		}
	}
	const shortest = 11 // a telephone number
	if len(run) < shortest {
		return end, false
	}
	text := string(run)
	return end, identity(text) || telephone(text)
}

const escapeDigits = 4

// escape reports whether the digits of a JSON escape begin at i.
func escape(line []byte, i int) bool {
	if i < 2 || line[i-1] != 'u' || len(line) < i+escapeDigits {
		return false
	}
	for _, c := range line[i : i+escapeDigits] {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	before := line[:i-1]
	return (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 1
}

// narrow reads one character, a full-width one (U+FF01 to U+FF5E) as ASCII; 0 for any other beyond ASCII.
func narrow(text []byte) (c byte, size int) {
	switch {
	case text[0] < 0x80:
		return text[0], 1
	case len(text) > 2 && text[0] == 0xEF && text[1] == 0xBC && text[2] >= 0x81:
		return text[2] - 0x60, 3
	case len(text) > 2 && text[0] == 0xEF && text[1] == 0xBD && text[2] <= 0x9E:
		return text[2] - 0x20, 3
	}
	return 0, 1
}

// identity reports whether digits have the form of an identity number (GB 11643) of 18 or 15 characters: a date stands where one
// must. The check digit is not asked for: a slip of the pen names a person too.
func identity(s string) bool {
	switch len(s) {
	case 18:
		return s[17] == 'X' || s[17] == 'x' || date("20060102", s[6:14])
	case 15, 16: // 16: with an X that belongs to what follows
		return date("060102", s[6:12])
	}
	return false
}

func date(layout, digits string) bool {
	t, err := time.Parse(layout, digits)
	return err == nil && (layout == "060102" || t.Year() >= 1850 && t.Year() <= 2150)
}

// telephone reports whether digits are a mobile number, with or without the country code.
func telephone(s string) bool {
	if len(s) == 13 && s[:2] == "86" {
		s = s[2:]
	}
	if len(s) != 11 || s[0] != '1' {
		return false
	}
	return s[1] >= '3' && s[1] <= '9'
}
