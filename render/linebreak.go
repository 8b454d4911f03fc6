package render

import (
	"strings"
	"unicode"
)

// notFirst never begins a line, notLast never ends one (GB/T 15834 5.1.3 on the place of punctuation marks).
const (
	notFirst = "，。、；：？！）》〉」』】〕〗］｝”’·…—％℃,.;:?!)]}%"
	notLast  = "（《〈「『【〔〖［｛“‘([{¥￥"
)

// breakLines sets text in lines no wider than width; advance is a character's width. Chinese breaks between any two
// characters but where punctuation forbids it; words and numbers break only when one alone is too wide. There is always
// at least one line, and every line has at least one character unless the text has an empty line there.
func breakLines(text string, width float64, advance func(rune) float64) []string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		lines = append(lines, breakParagraph([]rune(paragraph), width, advance)...)
	}
	return lines
}

func breakParagraph(text []rune, width float64, advance func(rune) float64) []string {
	var lines []string
	start, chance := 0, 0 // chance: the last place where the line that begins at start may end; start: none
	used := 0.0
	for i := 0; i < len(text); i++ {
		if i > start && mayBreak(text[i-1], text[i]) {
			chance = i
		}
		w := advance(text[i])
		if used+w > width && i > start && text[i] != ' ' {
			if chance == start {
				chance = i
			}
			lines = append(lines, strings.TrimRight(string(text[start:chance]), " "))
			start = chance
			i, used = start-1, 0
			continue
		}
		used += w
	}
	return append(lines, strings.TrimRight(string(text[start:]), " "))
}

// mayBreak says whether a line may end between two characters.
func mayBreak(before, after rune) bool {
	if strings.ContainsRune(notFirst, after) || strings.ContainsRune(notLast, before) || after == ' ' {
		return false
	}
	return before == ' ' || before == '-' || wide(before) || wide(after)
}

// wide characters are set in a full square and are words by themselves.
func wide(r rune) bool {
	return r >= 0x2e80 && !unicode.Is(unicode.Hangul, r)
}
