package registry

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Each function here says in Chinese what is wrong with one value and what to do, or "" when nothing is.

// Lengths in characters.
const (
	shortText   = 200
	leastSecret = 8
	leastPass   = 10
	longSecret  = 256
	longForm    = 64
)

// text says what is wrong with a name or a label that must be there.
func text(value, what string, longest int) string {
	switch {
	case value == "":
		return "缺少" + what + "，请填写"
	case placeholder(value):
		return what + "还是示例里的占位符，请填写真实内容"
	case strings.TrimSpace(value) != value:
		return what + "首尾有空白，请去掉"
	case utf8.RuneCountInString(value) > longest:
		return what + "超过 " + strconv.Itoa(longest) + " 个字符，请缩短"
	}
	return printable(value, "")
}

func optional(value, what string, longest int) string {
	if value == "" {
		return ""
	}
	return text(value, what, longest)
}

// printable says whether value holds characters that show nothing or turn the order of what is shown.
func printable(value, but string) string {
	for _, r := range value {
		if !strings.ContainsRune(but, r) && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Zl, r) ||
			unicode.Is(unicode.Zp, r) || r == '\uFEFF' || r == utf8.RuneError) {
			return "有控制字符或不可见字符，请删去"
		}
	}
	return ""
}

// shaped says what is wrong with a code that must be there and match shape.
func shaped(value string, shape *regexp.Regexp, what, rule string) string {
	if value == "" {
		return "缺少" + what + "，" + rule
	}
	if !shape.MatchString(value) {
		return what + rule
	}
	return ""
}

// nameFault says what is wrong with the name of one that logs in.
func nameFault(name, what string) string {
	return shaped(name, nameShape, what, "应当是 1 至 64 位的字母、数字、下划线、点、连字符")
}

func itemCodeFault(code string) string {
	return shaped(code, itemShape, "证照目录编码", "应当是 24、15 或 9 位的数字和大写字母")
}

// divisionFault says what is wrong with a division code that may be left out.
func divisionFault(code string) string {
	if code == "" {
		return ""
	}
	return shaped(code, divisionShape, "行政区划代码", "应当是 6 位或 12 位数字（GB/T 2260）")
}

// missing says that the code of something declared elsewhere is not given; references look up one that is.
func missing(code, what string) string {
	if code == "" {
		return "缺少" + what + "，请填写"
	}
	return ""
}

func missingItem(code string) string { return missing(code, "证照目录编码") }

func missingServiceItem(code string) string { return missing(code, "事项编码") }

// placeholder reports whether value is the "…" of the documentation's example.
func placeholder(value string) bool { return value == "…" || value == "..." }

// secretFault says what is wrong with an app_secret of a file. The secret itself is never in the text.
func secretFault(secret string) string {
	switch n := utf8.RuneCountInString(secret); {
	case secret == "":
		return ""
	case placeholder(secret):
		return "还是示例里的占位符，请填写真实的密钥，或删去 secret，由系统生成并显示一次"
	case n < leastSecret || n > longSecret:
		return "密钥应当有 8 至 256 个字符，请换一个，或删去 secret，由系统生成并显示一次（推荐）"
	}
	return printable(secret, "")
}

// passwordFault says what is wrong with a password of a file (GB/T 22239 8.1.4: 10 characters of 3 classes).
func passwordFault(password string) string {
	switch n := utf8.RuneCountInString(password); {
	case password == "":
		return ""
	case placeholder(password):
		return "还是示例里的占位符，请填写真实的口令，或删去 password，由系统生成并显示一次"
	case n < leastPass || n > longSecret || classes(password) < 3:
		return "口令太弱：应当有 10 至 256 个字符，含大写字母、小写字母、数字、其他字符中的三类；也可删去 password，由系统生成并显示一次"
	}
	return printable(password, "")
}

// classes counts the kinds of characters: capitals, small letters, digits, all others.
func classes(password string) int {
	var met [4]int
	for _, r := range password {
		switch {
		case r >= 'A' && r <= 'Z':
			met[0] = 1
		case r >= 'a' && r <= 'z':
			met[1] = 1
		case r >= '0' && r <= '9':
			met[2] = 1
		default:
			met[3] = 1
		}
	}
	return met[0] + met[1] + met[2] + met[3]
}

// identityFault says what is wrong with an identity number of a file. The number itself is never in the text.
func identityFault(num string) string {
	switch {
	case num == "" || validIdentity(num):
		return ""
	case placeholder(num):
		return "还是示例里的占位符，请填写 18 位公民身份号码，或删去 identity_num，保持原值"
	case strings.Contains(num, "*"):
		return "是打了掩码的号码，请填写完整的 18 位公民身份号码，或删去 identity_num，保持原值"
	}
	return "不是有效的公民身份号码：应当是 18 位（末位 X 大写），出生日期和校验码正确（GB 11643），请核对"
}

// addressFault says what is wrong with an entry of ip_allow.
func addressFault(entry string) string {
	if addr, err := netip.ParseAddr(entry); err == nil && addr.Zone() == "" && !addr.Is4In6() {
		return ""
	}
	prefix, err := netip.ParsePrefix(entry)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		return "应当是 IP 地址或网段，如 10.1.2.3、10.0.0.0/8、2001:db8::/32"
	case prefix.Masked() != prefix:
		return "网段的主机位应当为 0，请写作 " + prefix.Masked().String() + "；单个地址请去掉 /" + strconv.Itoa(prefix.Bits())
	}
	return ""
}

// formNumberFault says what is wrong with the number of an application form that may be left out. It stands in addresses.
func formNumberFault(number string) string {
	if strings.ContainsFunc(number, unicode.IsSpace) || strings.Contains(number, "/") || strings.HasPrefix(number, ".") {
		return "申请表编号不能有空白和 /，也不能以点开头，请改正"
	}
	return optional(number, "申请表编号", longForm)
}

// certificateFault says what is wrong with the digest of a client certificate's public key.
func certificateFault(digest string) string {
	return shaped(digest, digestShape, "证书公钥的 SHA-256 摘要", "应当是 64 位十六进制数字，字母小写")
}

// dateFault says what is wrong with a date that may be left out.
func dateFault(date string) string {
	if _, err := time.Parse(time.DateOnly, date); date != "" && err != nil {
		return "应当是实有的日期，写作 2020-01-31"
	}
	return ""
}

// creditCodeFault says what is wrong with the code of a department.
func creditCodeFault(code string) string {
	switch {
	case code == "":
		return "缺少单位的统一社会信用代码，请填写"
	case utf8.RuneCountInString(code) != 18:
		return "统一社会信用代码应当是 18 位，现在是 " + strconv.Itoa(utf8.RuneCountInString(code)) + " 位，请核对"
	case !validCreditCode(code):
		return "统一社会信用代码 " + quote(code) + " 的字符或校验码不对（GB 32100），请核对"
	}
	return ""
}
