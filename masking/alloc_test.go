//go:build !race

package masking

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestMaskingTakesNoMemory: once its buffers have grown, a body takes none. (The race detector takes memory of its own.)
func TestMaskingTakesNoMemory(t *testing.T) {
	text := []byte(`{"CZR":"欧阳明月","CYRSFZJHM":"` + identity18 + `","SJ":"+86 138-1234-5678","DZ":"北京市朝阳区建国路1号","list":[` +
		strings.Repeat(`{"CZR":"张三","姓名":"公开","text":"{\"CZR\":\"李四\",\"n\":[1,2]}","ZP":{"file_suffix":"jpg","file_data":"eA=="}},`, 200) + `null]}`)
	for name, p := range map[string]*Plan{"keys": testPlan(), "paths": pathPlan(t)} {
		in := bytes.NewReader(text)
		if n := testing.AllocsPerRun(100, func() {
			in.Reset(text)
			if err := p.JSON(io.Discard, in); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations a body", name, n)
		}
	}
	for kind, values := range map[Kind][]string{
		Name: {"张三", "阿依古丽·买买提"}, IdentityNumber: {identity18, "１１０１０５１９４９１２３１００２Ｘ"}, Phone: {"+86 13812345678"}, Landline: {"(010)12345678转9"},
		Address: {"北京市 朝阳区 建国路"}, BirthDate: {"1992年3月4日"}, BankCard: {"6222 0202 0001 2345"}, Email: {"ｚhang＠example．com"}, Passport: {"Z123456(7)"},
		PublicNumber: {"旧号" + identity15}, Text: {"x"}, Photo: {"x"},
	} {
		for _, value := range values {
			var dst []byte
			if n := testing.AllocsPerRun(100, func() { dst = (*Rules)(nil).treatment(kind).show(dst[:0], []byte(value)) }); n > 1 { // the value itself
				t.Errorf("%s: %v allocations for %s", kind, n, value)
			}
		}
	}
}
