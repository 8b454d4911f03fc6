package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseExpectations(t *testing.T) {
	t.Parallel()
	text := "\ufeff# what must hold\n\n" +
		"窗口可以制证: allow app=hydj account=zhangbin interface=create item=305018201 service_item=110103MZ001 department=1111\r\n" +
		"  # c\n" +
		"a = b, \"c\"：deny account=zhangbin item=305018201\tinterface=psn_holder  app=hydj \n" +
		"\tnumber is shown :clear app=a account=b item=I field=CYRSFZJHM service_item=S\n" +
		"x: masked app=a account=b item=I field=F department=D"
	want := []Expectation{
		{"窗口可以制证", 3, "allow", Request{"hydj", "zhangbin", "1111", "305018201", "create", "110103MZ001"}, ""},
		{`a = b, "c"`, 5, "deny", Request{"hydj", "zhangbin", "", "305018201", "psn_holder", ""}, ""},
		{"number is shown", 6, "clear", Request{App: "a", Account: "b", Item: "I", ServiceItem: "S"}, "CYRSFZJHM"},
		{"x", 7, "masked", Request{App: "a", Account: "b", Department: "D", Item: "I"}, "F"},
	}
	got, err := ParseExpectations(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParseExpectations(" \n# nothing"); got != nil || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParseExpectationsRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text         string
		line, column int
		says         string
	}{
		{"x allow app=a", 1, 1, "缺少冒号"},
		{"\n : allow app=a", 2, 1, "名称"},
		{"a\u200bb: allow app=a", 1, 2, "不可见"},
		{"a\tb: allow app=a", 1, 2, "不可见"},
		{"a\xffb: allow app=a", 1, 1, "不可见"},
		{"名称：", 1, 4, "allow、deny、clear 或 masked"},
		{"名称： permit app=a", 1, 5, "allow、deny、clear 或 masked"},
		{"x: Allow app=a", 1, 4, "allow、deny、clear 或 masked"},
		{"x: allow: app=a", 1, 4, "空格"},
		{"x: allow", 1, 4, "缺少 app="},
		{"x: allow app=a interface=create item=I", 1, 4, "缺少 account="},
		{"x: deny app=a account=b item=I", 1, 4, "缺少 interface="},
		{"x: deny app=a account=b interface=create", 1, 4, "缺少 item="},
		{"x: clear app=a account=b item=I", 1, 4, "缺少 field="},
		{"x: masked app=a account=b item=I field=F interface=auth", 1, 42, "应写成 名称: masked"},
		{"x: allow app=a account=b item=I interface=auth field=F", 1, 48, "应写成 名称: allow"},
		{"x: allow app=a app=b", 1, 16, "app 只能写一次"},
		{"x: allow app=a who=b", 1, 16, "应写成"},
		{"x: allow app=a account", 1, 16, "应写成"},
		{"x: allow app = a", 1, 10, "应写成"},
		{"x: allow app= a", 1, 14, "app 应为"},
		{"x: allow 应用=a", 1, 10, "应写成"},
		{"x: allow app=a,b", 1, 14, "app 应为"},
		{"x: allow app=*", 1, 14, "app 应为"},
		{"x: allow account=\"b\"", 1, 18, "account 应为"},
		{"x: allow item=group:g", 1, 15, "item 应为"},
		{"x: allow item=I#F", 1, 15, "item 应为"},
		{"x: allow item=*", 1, 15, "item 应为"},
		{"x: clear field=I#F", 1, 16, "field 应为"},
		{"x: allow interface=list", 1, 20, "不受策略控制"},
		{"x: allow interface=clear", 1, 20, "interface 应为"},
		{"x: allow interface=function_call", 1, 20, "interface 应为"},
		{"x: allow service_item=*", 1, 23, "service_item 应为"},
		{"x: allow service_item=-,", 1, 23, "service_item 应为"},
		{"x: allow department=", 1, 21, "department 应为"},
		{"x: allow department=a\u3000b", 1, 21, "department 应为"},
		{"x: allow app=a account=b interface=create item=I # why", 1, 50, "应写成"},
		{"x: allow app=a account=b interface=create item=I\n# c\nx： deny app=a account=b interface=create item=I", 3, 1, "与第 1 行重名"},
	} {
		all, err := ParseExpectations(c.text)
		var first *SyntaxError
		if !errors.As(err, &first) {
			t.Errorf("%q was taken: %+v", c.text, all)
			continue
		}
		if all != nil || first.Line != c.line || first.Column != c.column || !strings.Contains(first.Message, c.says) {
			t.Errorf("%q: %d:%d %s", c.text, first.Line, first.Column, first.Message)
		}
	}
}

func TestParseExpectationsNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := ParseExpectations("x\nok: allow app=a account=b interface=create item=I\ny: no")
	var faults SyntaxErrors
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Fatalf("%v", err)
	}
	if want := "判定预期第 1 行第 1 列：" + faults[0].Message + "\n判定预期第 3 行第 4 列：" + faults[1].Message; err.Error() != want {
		t.Error(err)
	}
}

func TestMet(t *testing.T) {
	t.Parallel()
	d := compile(t, append(Lines(platform()), further(t)...)...)
	for text, want := range map[string]bool{
		"allow app=hydj account=clerk interface=auth item=MARRIAGE service_item=MZ001 department=EAST": true,
		"allow app=hydj account=clerk interface=auth item=MARRIAGE service_item=MZ001 department=WEST": false,
		"allow app=hydj account=clerk interface=auth item=MARRIAGE department=EAST":                    false,
		"deny app=hydj account=clerk interface=auth item=MARRIAGE service_item=MZ001 department=EAST":  false,
		"deny app=hydj account=clerk interface=auth item=MARRIAGE service_item=MZ001 department=WEST":  true,
		"deny app=hydj account=clerk interface=auth item=MARRIAGE service_item=MZ001":                  false, // whose department?
		"clear app=check account=reader item=MARRIAGE field=CZR service_item=MZ001 department=EAST":    true,
		"clear app=check account=reader item=MARRIAGE field=CZR department=EAST":                       false,
		"masked app=check account=reader item=MARRIAGE field=CZR service_item=MZ001 department=EAST":   false,
		"masked app=check account=reader item=MARRIAGE field=CZR department=EAST":                      true,
		"masked app=check account=reader item=MARRIAGE field=CZR":                                      false,
	} {
		all, err := ParseExpectations("x: " + text)
		if err != nil {
			t.Fatal(err)
		}
		if got := all[0].Met(d); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	if (Expectation{Request: Request{Department: "EAST"}}).Met(d) {
		t.Error("an expectation of nothing is met")
	}
}

// FuzzParseExpectations: what is taken is the same when written anew and read again; what is refused is refused at a place in the text.
func FuzzParseExpectations(f *testing.F) {
	for _, seed := range []string{
		"", "# c\n\n", "名称：allow app=a account=b interface=create item=I service_item=S department=D\r\n",
		"x: deny app=a account=b interface=auth item=I", "x: clear app=a account=b item=I field=F\nx:masked app=a account=b item=I field=F",
		"x: allow app", "x: allow app=", "\xff: allow", "：", ":", "x:allow\u3000app=a", "x: masked field=\u200b", "a：b: deny =",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseExpectations(text)
		if err != nil {
			checkFaults(t, text, err)
			return
		}
		written := make([]string, strings.Count(text, "\n")+1)
		for _, e := range all {
			written[e.Line-1] = writtenExpectation(e)
		}
		again, err := ParseExpectations(strings.Join(written, "\n"))
		if err != nil || !reflect.DeepEqual(again, all) {
			t.Fatalf("%+v read again: %+v, %v", all, again, err)
		}
		for _, e := range all {
			if !utf8.ValidString(e.Name) || e.Request.App == "" || e.Request.Account == "" || e.Request.Item == "" || (e.Request.Interface == "") == (e.Field == "") {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func writtenExpectation(e Expectation) string {
	text := fmt.Sprintf("%s: %s", e.Name, e.Want)
	for _, m := range [][2]string{
		{"app", e.Request.App},
		{"account", e.Request.Account},
		{"interface", e.Request.Interface},
		{"item", e.Request.Item},
		{"field", e.Field},
		{"service_item", e.Request.ServiceItem},
		{"department", e.Request.Department},
	} {
		if m[1] != "" {
			text += " " + m[0] + "=" + m[1]
		}
	}
	return text
}
