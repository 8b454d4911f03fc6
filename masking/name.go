package masking

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestName bounds what is taken for a person's name; certificates have room for fewer.
const longestName = 30

// compoundSurnames are the surnames of more than one character in living use, in both scripts. A surname that is
// mostly a single surname with a given name behind it (段干, 乐正) is left out: it would show a given name.
var compoundSurnames = wordSet(`
欧阳 司马 上官 诸葛 司徒 东方 皇甫 尉迟 公孙 慕容 令狐 长孙 宇文 轩辕 夏侯 端木 独孤 南宫 万俟 闻人 赫连 澹台 濮阳 申屠 太史 太叔
公羊 公冶 仲孙 钟离 鲜于 司空 司寇 闾丘 亓官 巫马 公西 颛孙 壤驷 漆雕 宰父 拓跋 夹谷 百里 呼延 东郭 南门 羊舌 微生 左丘 西门 第五
南荣 东里 仲长 即墨 达奚 褚师 纳兰 完颜 耶律 贺兰 哥舒 宗政 淳于 单于 叱干 屈突 斛律 拓拔 富察 爱新觉罗 叶赫那拉 钮祜禄 瓜尔佳 赫舍里 乌雅
歐陽 司馬 諸葛 東方 尉遲 公孫 長孫 軒轅 獨孤 南宮 萬俟 聞人 赫連 澹臺 濮陽 仲孫 鍾離 鮮于 閭丘 亓官 巫馬 顓孫 東郭 南門 西門 左丘 達奚 褚師
納蘭 完顏 賀蘭 單于 淳于 愛新覺羅 葉赫那拉`)

// maskName shows the surname, 张** or 欧阳**; of a name in parts the first, 阿依古丽·**. A name is of Chinese
// characters; in other scripts nobody knows which part is the surname, so nothing is shown.
func maskName(dst, value []byte) ([]byte, bool) {
	if n := len(value) / 3; n > 1 && n <= longestName && common(value) {
		return append(append(dst, value[:surname(value)]...), "**"...), true
	}
	return maskUncommonName(dst, value)
}

func maskUncommonName(dst, value []byte) ([]byte, bool) {
	var room [4 * longestName]byte
	name, count := room[:0], 0
	for i := 0; i < len(value); {
		r, size := nextRune(value[i:])
		i += size
		switch {
		case r >= 0x4E00 && r <= 0x9FFF:
		case r == '*', r == '·':
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
			continue
		case isDot(r):
			r = '·'
		}
		if count++; count > longestName {
			return dst, false
		}
		name = utf8.AppendRune(name, r)
	}
	name, shown := bytes.CutSuffix(name, []byte("**"))
	dot := []byte("·")
	if first, rest, ok := bytes.Cut(name, dot); ok {
		if !ideographs(first) || shown != (len(rest) == 0) {
			return dst, false
		}
		for more := !shown; more; {
			var part []byte
			if part, rest, more = bytes.Cut(rest, dot); !ideographs(part) {
				return dst, false
			}
		}
		return append(append(dst, first...), "·**"...), true
	}
	if !ideographs(name) {
		return dst, false
	}
	if shown { // already masked: what is left must be a surname and nothing else
		return append(append(dst, name...), "**"...), count == 3 || compoundSurnames[string(name)]
	}
	return append(append(dst, name[:surname(name)]...), "**"...), count >= 2
}

// common reports whether b is of characters from U+4E00 to U+9FFF alone, as most names are. All of them are Chinese.
func common(b []byte) bool {
	if len(b)%3 != 0 {
		return false
	}
	for i := 0; i+2 < len(b); i += 3 {
		if b[i] < 0xE4 || b[i] > 0xE9 || b[i+1]&0xC0 != 0x80 || b[i+2]&0xC0 != 0x80 || b[i] == 0xE4 && b[i+1] < 0xB8 {
			return false
		}
	}
	return true
}

// isDot reports whether r stands between the parts of a name.
func isDot(r rune) bool {
	switch r {
	case '·', '•', '‧', '∙', '⋅', '・', '･', '.', '．':
		return true
	}
	return false
}

// compounds are the compound surnames that begin with one character, the longest first; compoundAt says which of the lists belongs to
// a character from U+4E00 on, 0 for none.
var compounds, compoundAt = func() (lists [][]string, at [0x5200]uint8) {
	lists = make([][]string, 1)
	for name := range compoundSurnames {
		r, _ := utf8.DecodeRuneInString(name)
		if i := &at[r-0x4E00]; *i == 0 {
			*i, lists = uint8(len(lists)), append(lists, nil)
		}
		list := &lists[at[r-0x4E00]]
		*list = append(*list, name)
		slices.SortFunc(*list, func(a, b string) int { return len(b) - len(a) })
	}
	if len(lists) > 256 {
		panic("masking: too many compound surnames") // the list is fixed
	}
	return lists, at
}()

// surname is the length of the longest compound surname that leaves a given name, or else of the first character.
func surname(name []byte) int {
	first, end := nextRune(name)
	if first < 0x4E00 || first > 0x9FFF {
		return end
	}
	for _, compound := range compounds[compoundAt[first-0x4E00]] {
		if len(compound) < len(name) && hasPrefix(name, compound) {
			return len(compound)
		}
	}
	return end
}

// ideographs reports whether b is of Chinese characters alone, one at least. The whole of planes 2 and 3 counts, and
// the private use areas, where registers keep characters that no standard had yet.
func ideographs(b []byte) bool {
	for i := 0; i < len(b); {
		r, size := nextRune(b[i:])
		i += size
		if r >= 0x4E00 && r <= 0x9FFF {
			continue
		}
		if !unicode.Is(unicode.Han, r) && !unicode.Is(unicode.Co, r) && (r < 0x20000 || r > 0x3FFFD) {
			return false
		}
	}
	return len(b) > 0
}

func wordSet(list string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}
