package masking

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// provinces are the divisions of the first level by their first character, in full before short, so that the longer form is met first.
var provinces = byFirst(strings.Fields(`
北京市 天津市 上海市 重庆市 河北省 山西省 辽宁省 吉林省 黑龙江省 江苏省 浙江省 安徽省 福建省 江西省 山东省 河南省 湖北省 湖南省 广东省
海南省 四川省 贵州省 云南省 陕西省 甘肃省 青海省 台湾省 内蒙古自治区 广西壮族自治区 西藏自治区 宁夏回族自治区 新疆维吾尔自治区
香港特别行政区 澳门特别行政区
北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 海南 四川 贵州 云南 陕西 甘肃 青海 台湾
内蒙古 广西 西藏 宁夏 新疆 香港 澳门`))

// provincesOf are the divisions of the first level that begin with one character.
type provincesOf struct {
	first rune
	names []string
}

func byFirst(names []string) []provincesOf {
	var all []provincesOf
	for _, name := range names {
		first, _ := utf8.DecodeRuneInString(name)
		i := slices.IndexFunc(all, func(p provincesOf) bool { return p.first == first })
		if i < 0 {
			i, all = len(all), append(all, provincesOf{first: first})
		}
		all[i].names = append(all[i].names, name)
	}
	return all
}

// provinceAt returns the division of the first level at the head of text, or "".
func provinceAt(text []byte) string {
	first, _ := nextRune(text)
	for i := range provinces {
		if provinces[i].first != first {
			continue
		}
		for _, name := range provinces[i].names {
			if hasPrefix(text, name) {
				return name
			}
		}
		return ""
	}
	return ""
}

// A division's name ends in one of its suffixes and has at most so many characters before it.
type divisionSuffix struct {
	text    string
	last    rune
	longest int
}

var (
	prefectures = []divisionSuffix{{"自治州", '州', 12}, {"地区", '区', 4}, {"盟", '盟', 4}, {"市", '市', 4}}
	counties    = []divisionSuffix{{"自治县", '县', 14}, {"自治旗", '旗', 14}, {"区", '区', 4}, {"县", '县', 4}, {"市", '市', 4}}
	// Banners are in 内蒙古 alone; elsewhere 红旗 is a road or a district.
	bannerCounties = append(slices.Clip(counties), divisionSuffix{"旗", '旗', 6})
)

// Quarters, estates and shops end like a division and say where somebody lives.
var notDivisions = strings.Fields(`小区 社区 园区 校区 厂区 院区 景区 营区 片区 库区 军区 宿舍区 住宅区 生活区 家属区 工业区 商业区 别墅区
服务区 办公区 开发区 超市 门市 夜市 集市 菜市 早市 商贸市`)

// notBefore has a bit for every character before the last one of notDivisions.
var notBefore = func() (bits [0x10000 / 64]uint64) {
	for _, name := range notDivisions {
		before := []rune(name)
		r := before[len(before)-2]
		bits[r>>6] |= 1 << (r & 63)
	}
	return bits
}()

// How far an address is shown.
const (
	province = iota
	city
	district
)

// addressHead is how many characters the part of an address can have that is shown.
const addressHead = 64

// addressShape shows an address down to a level, 北京市朝阳区****. A province or a city at its head makes it
// certain where the district ends; an address without either is masked whole. Behind them names are recognised by
// their form, and what could be a street, an estate or a shop is not shown.
type addressShape struct{ level int }

func (s addressShape) mask(dst, value []byte) ([]byte, bool) {
	if unspaced(value) {
		return s.show(dst, value)
	}
	var room [4 * addressHead]byte
	text := room[:0]
	for i, count := 0, 0; i < len(value) && count < addressHead; {
		r, size := nextRune(value[i:])
		if i += size; unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			continue
		}
		text = utf8.AppendRune(text, r)
		count++
	}
	return s.show(dst, text)
}

// show is mask for a text without blanks; what lies behind its head does not matter.
func (s addressShape) show(dst, text []byte) ([]byte, bool) {
	rest := text
	if hasPrefix(text, "中") {
		rest = bytes.TrimPrefix(bytes.TrimPrefix(text, []byte("中华人民共和国")), []byte("中国"))
	}
	first := provinceAt(rest)
	rest = rest[len(first):]
	if first == "" && s.level == province {
		return dst, false
	}
	shown := rest // what follows the part that is shown, and is not
	var name []byte
	if !municipality(first) {
		name = division(rest, prefectures)
		if first == "" && !prefectureNames[string(bytes.TrimSuffix(name, []byte("市")))] {
			return dst, false
		}
		rest = rest[len(name):]
	}
	if s.level >= city {
		shown = rest
	}
	if s.level >= district {
		kinds := counties
		if strings.HasPrefix(first, "内蒙古") || hasSuffix(name, "盟") {
			kinds = bannerCounties
		}
		if county := division(rest, kinds); len(county) > 0 {
			rest = rest[len(county):]
			// 沙市区, 津市市, 红旗区: the name itself ends like a division.
			for _, suffix := range []string{"区", "市"} {
				if hasPrefix(rest, suffix) {
					rest = rest[len(suffix):]
				}
			}
		}
		shown = rest
	}
	return append(append(dst, text[:len(text)-len(shown)]...), hidden...), true
}

// unspaced reports whether it can be seen at a glance that b holds no blanks and no format characters: it is of printable ASCII and of
// characters from U+4000 to U+9FFF.
func unspaced(b []byte) bool {
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		// Bytes up to a blank, and bytes from 0xC0 on (x and its left neighbour's bit) that are not 0xE4 to 0xE9.
		low, six := (x-0x21*ones)&^x, x&(0x3F*ones)
		if (low|x&(x<<1)&((six+0x56*ones)|^(six+0x5C*ones)))&highs != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c <= ' ' || c >= 0xC0 && (c < 0xE4 || c > 0xE9) {
			return false
		}
	}
	return true
}

func municipality(name string) bool {
	return name == "北京市" || name == "天津市" || name == "上海市" || name == "重庆市"
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

func hasSuffix(b []byte, suffix string) bool {
	return len(b) >= len(suffix) && string(b[len(b)-len(suffix):]) == suffix
}

// division returns the shortest head of text that can be the name of a division with one of the suffixes, or nothing.
func division(text []byte, kinds []divisionSuffix) []byte {
	end := 0
	for count := 1; count <= 17 && end < len(text); count++ {
		last, size := nextRune(text[end:])
		end += size
		switch last {
		case '州', '区', '盟', '市', '县', '旗':
		default:
			continue
		}
		head := text[:end]
		for _, kind := range kinds {
			if kind.last != last || !hasSuffix(head, kind.text) || len(head) == len(kind.text) {
				continue
			}
			name := head[:end-len(kind.text)]
			if characters(name) > kind.longest || !divisionName(name) || notDivision(head) {
				return nil
			}
			return head
		}
	}
	return nil
}

// divisionName refuses names that hold a street, a village or a house. 镇, 路 and 道 may open a division's name
// (镇海区, 路南区, 道里区), and 乡 may end one of two characters (新乡市).
func divisionName(name []byte) bool {
	if !ideographs(name) {
		return false
	}
	for i := 0; i < len(name); {
		r, size := nextRune(name[i:])
		switch r {
		case '街', '巷', '弄', '号', '栋', '幢', '室', '院', '组', '村':
			return false
		case '镇':
			if i > 0 && string(name) != "景德镇" {
				return false
			}
		case '路', '道':
			if i > 0 {
				return false
			}
		case '乡':
			if i > 0 && characters(name) != 2 {
				return false
			}
		}
		i += size
	}
	return true
}

func notDivision(head []byte) bool {
	n := len(head) - 2*len("区")
	if n < 0 {
		return false
	}
	if r, _ := nextRune(head[n:]); r >= 0x10000 || notBefore[r>>6]&(1<<(r&63)) == 0 {
		return false
	}
	for _, suffix := range notDivisions {
		if hasSuffix(head, suffix) {
			return true
		}
	}
	return false
}
