package masking

import (
	"slices"
	"strings"
	"unicode"
)

// provinces are the divisions of the first level, in full before short, so that the longer form is met first.
var provinces = strings.Fields(`
北京市 天津市 上海市 重庆市 河北省 山西省 辽宁省 吉林省 黑龙江省 江苏省 浙江省 安徽省 福建省 江西省 山东省 河南省 湖北省 湖南省 广东省
海南省 四川省 贵州省 云南省 陕西省 甘肃省 青海省 台湾省 内蒙古自治区 广西壮族自治区 西藏自治区 宁夏回族自治区 新疆维吾尔自治区
香港特别行政区 澳门特别行政区
北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 海南 四川 贵州 云南 陕西 甘肃 青海 台湾
内蒙古 广西 西藏 宁夏 新疆 香港 澳门`)

// A division's name ends in one of its suffixes and has at most so many characters before it.
type divisionSuffix struct {
	text    string
	longest int
}

var (
	prefectures = []divisionSuffix{{"自治州", 12}, {"地区", 4}, {"盟", 4}, {"市", 4}}
	counties    = []divisionSuffix{{"自治县", 14}, {"自治旗", 14}, {"区", 4}, {"县", 4}, {"市", 4}}
	banners     = divisionSuffix{"旗", 6} // in 内蒙古 alone; elsewhere 红旗 is a road or a district
)

// Quarters, estates and shops end like a division and say where somebody lives.
var notDivisions = strings.Fields(`小区 社区 园区 校区 厂区 院区 景区 营区 片区 库区 军区 宿舍区 住宅区 生活区 家属区 工业区 商业区 别墅区
服务区 办公区 开发区 超市 门市 夜市 集市 菜市 早市 商贸市`)

// maskAddress shows an address down to the district, 北京市朝阳区****. A province or a city at its head makes it
// certain where the district ends; an address without either is masked whole. Behind them names are recognised by
// their form, and what could be a street, an estate or a shop is not shown.
func maskAddress(value string) (string, bool) {
	text := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, value)
	rest := strings.TrimPrefix(strings.TrimPrefix(text, "中华人民共和国"), "中国")
	province := ""
	for _, p := range provinces {
		if strings.HasPrefix(rest, p) {
			province, rest = p, rest[len(p):]
			break
		}
	}
	if !slices.Contains([]string{"北京市", "天津市", "上海市", "重庆市"}, province) {
		city := division(rest, prefectures)
		if province == "" && !prefectureNames[strings.TrimSuffix(city, "市")] {
			return "", false
		}
		rest = rest[len(city):]
	}
	kinds := counties
	if strings.HasPrefix(province, "内蒙古") || strings.ContainsAny(text[:len(text)-len(rest)], "盟") {
		kinds = append(slices.Clip(kinds), banners)
	}
	if county := division(rest, kinds); county != "" {
		rest = rest[len(county):]
		// 沙市区, 津市市, 红旗区: the name itself ends like a division.
		for _, suffix := range []string{"区", "市"} {
			rest = strings.TrimPrefix(rest, suffix)
		}
	}
	return strings.TrimSuffix(text, rest) + hidden, true
}

// division returns the shortest head of text that can be the name of a division with one of the suffixes, or "".
func division(text string, kinds []divisionSuffix) string {
	runes := []rune(text)
	for end := 2; end <= min(len(runes), 17); end++ {
		head := string(runes[:end])
		for _, kind := range kinds {
			name, ok := strings.CutSuffix(head, kind.text)
			if !ok || name == "" {
				continue
			}
			if len([]rune(name)) > kind.longest || !divisionName(name) || ends(head, notDivisions) {
				return ""
			}
			return head
		}
	}
	return ""
}

// divisionName refuses names that hold a street, a village or a house. 镇, 路 and 道 may open a division's name
// (镇海区, 路南区, 道里区), and 乡 may end one of two characters (新乡市).
func divisionName(name string) bool {
	if !ideographs(name) || strings.ContainsAny(name, "街巷弄号栋幢室院组村") {
		return false
	}
	runes := []rune(name)
	for i, r := range runes {
		switch r {
		case '镇':
			if i > 0 && name != "景德镇" {
				return false
			}
		case '路', '道':
			if i > 0 {
				return false
			}
		case '乡':
			if i > 0 && len(runes) != 2 {
				return false
			}
		}
	}
	return true
}

func ends(s string, suffixes []string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(s, suffix) })
}
