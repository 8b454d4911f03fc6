package protocol

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// parseQuery reads a whole query strictly: each name once, every escape valid, no semicolons, UTF-8 throughout. A lenient
// reader would take what another reader of the same query does not.
func parseQuery(raw string) (map[string]string, *Failure) {
	if raw == "" {
		return nil, nil
	}
	if strings.Contains(raw, ";") {
		return nil, Fail(CodeAmbiguous, "查询字符串中的分号须编码为 %3B")
	}
	m := map[string]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, ok := parsePair(pair)
		if !ok {
			return nil, Fail(CodeAmbiguous, "查询字符串的编码不正确")
		}
		if _, twice := m[name]; twice {
			return nil, Fail(CodeAmbiguous, "查询参数"+knownName(name)+"重复出现")
		}
		m[name] = value
	}
	return m, nil
}

func parsePair(pair string) (name, value string, ok bool) {
	name, value, _ = strings.Cut(pair, "=")
	name, err := url.QueryUnescape(name)
	if err != nil {
		return "", "", false
	}
	if value, err = url.QueryUnescape(value); err != nil {
		return "", "", false
	}
	return name, value, utf8.ValidString(name) && utf8.ValidString(value)
}

// knownName spells a member's name for a detail, with blanks round it, and "" for a name that the caller made up.
func knownName(name string) string {
	if memberNames[name] || name == accessToken {
		return " " + name + " "
	}
	return ""
}

// stripQuery removes the two tokens from a raw query and leaves the rest as it stands. A pair that does not parse is
// removed too: nobody can say that it holds no token.
func stripQuery(raw string) string {
	var kept []string
	for pair := range strings.SplitSeq(raw, "&") {
		name, _, ok := parsePair(pair)
		if !ok || strings.Contains(pair, ";") || isTokenName(name) {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

// isTokenName is lenient about case and blanks, as some upstream may be.
func isTokenName(name string) bool {
	name = strings.TrimSpace(name)
	return strings.EqualFold(name, accessToken) || strings.EqualFold(name, licenseAccessToken)
}
