package masking

import (
	"encoding/base64"
	"fmt"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// Numbers of nobody: the vectors of domain.md §4 and made ones.
const (
	identity18 = "11010519491231002X"
	identity15 = "110105491231002"
)

func TestMask(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind        Kind
		value, want string
	}{
		{Name, "张三", "张**"},
		{Name, "张三丰", "张**"},
		{Name, "次仁多吉旺堆", "次**"},
		{Name, "欧阳娜", "欧阳**"},
		{Name, "歐陽娜", "歐陽**"},
		{Name, "爱新觉罗弘一", "爱新觉罗**"},
		{Name, "欧阳", "欧**"}, // nothing behind it: 欧 is the surname
		{Name, "张", "****"},
		{Name, "张　三", "张**"},
		{Name, " 张 三 ", "张**"},
		{Name, "阿依古丽·买买提", "阿依古丽·**"},
		{Name, "阿依古丽•买买提•艾力", "阿依古丽·**"},
		{Name, "阿依古丽．买买提", "阿依古丽·**"},
		{Name, "阿·买", "阿·**"},
		{Name, "阿·", "****"},
		{Name, "·买", "****"},
		{Name, "𬱖三", "𬱖**"}, // beyond the BMP
		{Name, "𬱖", "****"},
		{Name, "葛\U000E0100三", "葛**"}, // variation selector
		{Name, "葛\U000E0100", "****"},
		{Name, "\uE001三", "\uE001**"}, // private use
		{Name, "John Smith", "****"},
		{Name, "张三,李四", "****"},
		{Name, "张三1", "****"},
		{Name, "张三\xff", "****"},
		{Name, strings.Repeat("张", 31), "****"},
		{Name, "张三**", "****"}, // not what masking makes
		{Name, "欧阳**", "欧阳**"},
		{Name, "张*", "****"},
		{Name, "**", "****"},

		{IdentityNumber, identity18, "110105********"},
		{IdentityNumber, "11010519491231002x", "110105********"},
		{IdentityNumber, "１１０１０５１９４９１２３１００２Ｘ", "110105********"},
		{IdentityNumber, "110105 19491231 002X", "110105********"},
		{IdentityNumber, "110105\u200b19491231002X", "110105********"},
		{IdentityNumber, identity15, "110105********"},
		{IdentityNumber, "110105194912310021", "****"}, // check digit
		{IdentityNumber, "110105194913310021", "****"}, // month 13
		{IdentityNumber, "110105499931002", "****"},
		{IdentityNumber, "H12345678", "****"},
		{IdentityNumber, "110105*****", "****"},
		{IdentityNumber, identity18 + "," + identity18, "****"},
		{IdentityNumber, "1", "****"},

		{Phone, "13812345678", "138****5678"},
		{Phone, "138 1234 5678", "138****5678"},
		{Phone, "138-1234-5678", "138****5678"},
		{Phone, "+86 13812345678", "138****5678"},
		{Phone, "(+86)13812345678", "138****5678"},
		{Phone, "0086-138-1234-5678", "138****5678"},
		{Phone, "8613812345678", "138****5678"},
		{Phone, "＋８６１３８１２３４５６７８", "138****5678"},
		{Phone, "12812345678", "****"},
		{Phone, "1381234567", "****"},
		{Phone, "138123456789", "****"},
		{Phone, "010-12345678", "****"},
		{Phone, "138****5678", "138****5678"},
		{Phone, "138*****5678", "****"},

		{Landline, "010-12345678", "010-****78"},
		{Landline, "01012345678", "010-****78"},
		{Landline, "(010)12345678", "010-****78"},
		{Landline, "（０１０）１２３４５６７８", "010-****78"},
		{Landline, "+86-10-62345678", "010-****78"},
		{Landline, "0951-6234567", "0951-****67"},
		{Landline, "0951 6234567转801", "0951-****67"},
		{Landline, "010-62345678-801", "010-****78"},
		{Landline, "62345678", "****78"},
		{Landline, "1062345678", "****"}, // no 0: not certain where the area ends
		{Landline, "400-810-1234", "****"},
		{Landline, "电话", "****"},

		{Address, "北京市朝阳区建国路1号院2号楼3室", "北京市朝阳区****"},
		{Address, "北京朝阳区建国路1号", "北京朝阳区****"},
		{Address, "中国北京市海淀区中关村大街", "中国北京市海淀区****"},
		{Address, "北京市 朝阳区 建国路", "北京市朝阳区****"},
		{Address, "广东省广州市天河区体育西路", "广东省广州市天河区****"},
		{Address, "广州市天河区体育西路", "广州市天河区****"},
		{Address, "上海市浦东新区世纪大道100号", "上海市浦东新区****"},
		{Address, "江苏省昆山市人民路1号", "江苏省昆山市****"},
		{Address, "江苏省苏州市昆山市人民路1号", "江苏省苏州市昆山市****"},
		{Address, "山东省济南市市中区经四路", "山东省济南市市中区****"},
		{Address, "湖北省荆州市沙市区北京路", "湖北省荆州市沙市区****"},
		{Address, "湖南省常德市津市市人民路", "湖南省常德市津市市****"},
		{Address, "河南省新乡市红旗区平原路", "河南省新乡市红旗区****"},
		{Address, "河南省新乡市红旗路8号", "河南省新乡市****"},
		{Address, "黑龙江省哈尔滨市道里区中央大街", "黑龙江省哈尔滨市道里区****"},
		{Address, "江西省景德镇市珠山区瓷都大道", "江西省景德镇市珠山区****"},
		{Address, "吉林市丰满区吉林大街", "吉林市丰满区****"},
		{Address, "内蒙古自治区锡林郭勒盟东乌珠穆沁旗乌里雅斯太镇", "内蒙古自治区锡林郭勒盟东乌珠穆沁旗****"},
		{Address, "新疆维吾尔自治区伊犁哈萨克自治州伊宁市解放路", "新疆维吾尔自治区伊犁哈萨克自治州伊宁市****"},
		{Address, "海南省陵水黎族自治县光坡镇", "海南省陵水黎族自治县****"},
		{Address, "云南省临沧市双江拉祜族佤族布朗族傣族自治县勐勐镇", "云南省临沧市双江拉祜族佤族布朗族傣族自治县****"},
		{Address, "香港特别行政区湾仔区轩尼诗道", "香港特别行政区湾仔区****"},
		{Address, "广东省东莞市长安镇某某小区3号", "广东省东莞市****"},
		{Address, "广东省东莞市阳光小区3号", "广东省东莞市****"},
		{Address, "广东省东莞市城区街道某某区3号", "广东省东莞市城区****"},
		{Address, "北京市幸福里小区3号", "北京市****"},
		{Address, "北京市物美超市旁", "北京市****"},
		{Address, "朝阳区建国路1号", "****"},
		{Address, "李四在某市买菜", "****"},
		{Address, "No. 1 Jianguo Road", "****"},
		{Address, "北京市", "北京市****"},
		{Address, "北京", "****"},

		{BirthDate, "1992-03-04", "1992-**-**"},
		{BirthDate, "1992-3-4", "1992-**-**"},
		{BirthDate, "1992/03/04", "1992-**-**"},
		{BirthDate, "1992.3.4", "1992-**-**"},
		{BirthDate, "19920304", "1992-**-**"},
		{BirthDate, "1992年3月4日", "1992-**-**"},
		{BirthDate, "１９９２年３月４日", "1992-**-**"},
		{BirthDate, "1992年3月", "1992-**-**"},
		{BirthDate, "1992-03", "1992-**-**"},
		{BirthDate, "1992-03-04 00:00:00.000", "1992-**-**"},
		{BirthDate, "1992-03-04T00:00:00+08:00", "1992-**-**"},
		{BirthDate, "1992-02-30", "****"},
		{BirthDate, "1992-13-01", "****"},
		{BirthDate, "1992-03/04", "****"},
		{BirthDate, "1992", "****"},
		{BirthDate, "699638400000", "****"},
		{BirthDate, "三月四日", "****"},

		{BankCard, "6222020200012345678", "****5678"},
		{BankCard, "6222 0202 0001 2345 678", "****5678"},
		{BankCard, "６２２２０２０２０００１２３４５", "****2345"},
		{BankCard, "12345678901", "****"},
		{BankCard, "62220202000123456789", "****"},
		{BankCard, "110105491231002", "****"}, // an identity number in the wrong place

		{Email, "zhang.san@example.com", "z****@example.com"},
		{Email, "ab@example.com", "a****@example.com"},
		{Email, "a@example.com", "****@example.com"},
		{Email, "ｚhang＠example．com", "z****@example.com"},
		{Email, "张三@例子.中国", "张****@例子.中国"},
		{Email, "𬱖x@example.com", "𬱖****@example.com"},
		{Email, "a@b@example.com", "****"},
		{Email, "zhang@localhost", "****"},
		{Email, "zhang san@example.com", "****"},
		{Email, "@example.com", "****"},

		{Passport, "E12345678", "E****78"},
		{Passport, "ea1234567", "E****67"},
		{Passport, "H1234567890", "H****90"},
		{Passport, "Ｅ１２３４５６７８", "E****78"},
		{Passport, "Z123456(7)", "Z****67"},
		{Passport, "PASSPORT", "****"},
		{Passport, "E1234", "****"},
		{Passport, identity18, "****"},
		{Passport, identity15, "****"},
		{Passport, "CHN110000000001", "C****01"}, // an old permit of a foreigner
		{Passport, "CHN11000000000X", "****"},
		{Passport, "M12345678(2)", "M****82"},                    // a permit for 港澳 with its issue
		{IdentityNumber, "810000190001010042", "810000********"}, // a resident of 香港
		{IdentityNumber, "911124190001010043", "911124********"}, // a foreigner, the form of 2023

		{Photo, "iVBORw0KGgo=", ""},
		{Photo, "x", ""},
		{Text, "初婚", "****"},
		{Text, "有既往病史，详见附件", "****"},
		{"fingerprint", "anything", "****"},
		{"", "anything", "****"},
	} {
		got := Mask(test.kind, test.value)
		if got != test.want {
			t.Errorf("Mask(%s, %q) = %q, want %q", test.kind, test.value, got, test.want)
		}
		if again := Mask(test.kind, got); again != got {
			t.Errorf("Mask(%s, %q) = %q: masking twice is not masking once", test.kind, got, again)
		}
		if Mask(test.kind, "") != "" {
			t.Errorf("Mask(%s, \"\") is not empty", test.kind)
		}
	}
}

func TestShortValuesAreNeverShownWhole(t *testing.T) {
	t.Parallel()
	for kind := range shapes {
		for _, value := range []string{"张", "张三", "1", "12", "京", "北京", "E1", "𬱖", "·"} {
			if got := Mask(kind, value); strings.Contains(got, value) {
				t.Errorf("Mask(%s, %q) = %q", kind, value, got)
			}
		}
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Name, IdentityNumber, Phone, Landline, Address, BirthDate, BankCard, Email, Passport, Photo, Text} {
		if !Known(kind) {
			t.Errorf("%s is not known", kind)
		}
	}
	for _, kind := range []Kind{"", "NAME", "fingerprint"} {
		if Known(kind) {
			t.Errorf("%q is known", kind)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		identity18: "110105********",
		"１１０１０５１９４９１２３１００２ｘ":    "110105********",
		" 110105-19491231-002X": "110105********",
		identity15:              "110105********",
		"110105194912310021":    "110105194912310021", // no check digit: a number like others
		"J110105-2020-001234":   "J110105-2020-001234",
		"11110000000021135M":    "11110000000021135M", // credit codes are public
		"":                      "",
		"京（2020）第１号":            "京（2020）第１号",
		"申请人身份证110105194912310020，有误": "申请人身份证110105194912310020，有误", // no check digit
		"申请人身份证" + identity18 + "，属实": "申请人身份证110105********，属实",
		"SFZ" + identity18: "SFZ110105********",
		identity18 + "," + identity15 + ";" + identity18: "110105********,110105********;110105********",
		"旧号" + identity15 + "。":                          "旧号110105********。",
		"序号990105491231002。":                             "序号990105491231002。", // no region
		"身份证１１０１０５１９４９１２３１００２ｘ号":                         "身份证110105********号",
		"身份证110105\u200b19491231002x号":                   "身份证110105********号",
		"1" + identity18:                                 "1" + identity18, // a longer number
		"华\U0002B5AF" + identity18 + "\U0002B5AF":        "华\U0002B5AF110105********\U0002B5AF",
	} {
		if got := Number(value); got != want {
			t.Errorf("Number(%q) = %q, want %q", value, got, want)
		}
	}
}

// newIdentity makes an identity number of nobody with a right check digit.
func newIdentity(random *rand.Rand) string {
	id := fmt.Sprintf("%06d%04d%02d%02d%03d", 110000+random.IntN(500000), 1930+random.IntN(90), 1+random.IntN(12), 1+random.IntN(28), random.IntN(1000))
	return id + string(identityCheck([]byte(id+"0")))
}

func TestIdentityNumbersAreFound(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		id := newIdentity(random)
		if got := Number(id); got != id[:6]+"********" {
			t.Fatalf("Number(%s) = %s", id, got)
		}
		// One wrong digit never passes: the check digit finds each.
		i := random.IntN(17)
		wrong := id[:i] + string('0'+(id[i]-'0'+1+byte(random.IntN(9)))%10) + id[i+1:]
		if got := Number(wrong); got != wrong {
			t.Fatalf("Number(%s) = %s", wrong, got)
		}
	}
}

func TestPlaceholderIsAPicture(t *testing.T) {
	t.Parallel()
	picture, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(placeholder())))
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds().Size(); size.X != 60 || size.Y != 80 || len(placeholder()) > 1024 {
		t.Fatalf("%v, %d characters", size, len(placeholder()))
	}
}

// FuzzMask holds what every mask promises: text, once is enough, and not the value itself.
func FuzzMask(f *testing.F) {
	for _, value := range []string{
		"张三", "欧阳娜娜", "阿依古丽·买买提", identity18, "+8613812345678", "010-12345678", "北京市朝阳区建国路1号",
		"1992-03-04", "6222020200012345678", "zhang@example.com", "E12345678", "138****5678", "张**", "***", "\xff", "\u200b", "𬱖三", "****@x.cn",
	} {
		for kind := range shapes {
			f.Add(string(kind), value)
		}
	}
	f.Fuzz(func(t *testing.T, kind, value string) {
		got := Mask(Kind(kind), value)
		if !utf8.ValidString(got) {
			t.Errorf("Mask(%s, %q) = %q is no text", kind, value, got)
		}
		if again := Mask(Kind(kind), got); again != got {
			t.Errorf("Mask(%s, %q) = %q, again %q", kind, value, got, again)
		}
		if value == "" != (got == "") && Kind(kind) != Photo {
			t.Errorf("Mask(%s, %q) = %q", kind, value, got)
		}
		if got == value && value != "" && !strings.Contains(value, "**") {
			t.Errorf("Mask(%s, %q) shows it", kind, value)
		}
		if Kind(kind) != Photo && utf8.ValidString(value) && len(appendQuoted(nil, []byte(got))) != len(got)+2 {
			t.Errorf("Mask(%s, %q) = %q has to be escaped", kind, value, got)
		}
		shown := Number(value)
		if again := Number(shown); again != shown || noIdentityIn([]byte(value)) && shown != value {
			t.Errorf("Number(%q) = %q, again %q", value, shown, again)
		}
		if in := Number("号" + value + "。"); shown != value && isIdentity([]byte(value)) && in == "号"+value+"。" && len(value) == 18 {
			t.Errorf("Number(号%s。) = %q", value, in)
		}
	})
}
