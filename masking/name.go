package masking

import (
	"strings"
	"unicode"
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
func maskName(value string) (string, bool) {
	var runes []rune
	for _, r := range value {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
		case strings.ContainsRune("·•‧∙⋅・･.．", r):
			runes = append(runes, '·')
		default:
			runes = append(runes, r)
		}
	}
	if len(runes) > longestName {
		return "", false
	}
	name := string(runes)
	name, shown := strings.CutSuffix(name, "**")
	if first, rest, ok := strings.Cut(name, "·"); ok {
		for part := range strings.SplitSeq(rest, "·") {
			if !ideographs(part) && !(shown && rest == "") {
				return "", false
			}
		}
		return first + "·**", ideographs(first) && (rest == "") == shown
	}
	if !ideographs(name) {
		return "", false
	}
	runes = []rune(name)
	surname := surnameOf(runes)
	if shown { // already masked: what is left must be a surname and nothing else
		return name + "**", len(runes) == 1 || compoundSurnames[name]
	}
	return surname + "**", len(runes) >= 2
}

// surnameOf is the longest compound surname that leaves a given name, or else the first character.
func surnameOf(name []rune) string {
	for n := min(4, len(name)-1); n > 1; n-- {
		if compoundSurnames[string(name[:n])] {
			return string(name[:n])
		}
	}
	return string(name[:1])
}

// ideographs reports whether s is of Chinese characters alone, one at least. The whole of planes 2 and 3 counts, and
// the private use areas, where registers keep characters that no standard had yet.
func ideographs(s string) bool {
	for _, r := range s {
		if !unicode.Is(unicode.Han, r) && !unicode.Is(unicode.Co, r) && (r < 0x20000 || r > 0x3FFFD) {
			return false
		}
	}
	return s != ""
}

func wordSet(list string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}
