package licence_test

import (
	"slices"
	"testing"

	"licgate/licence"
)

func TestList(t *testing.T) {
	t.Parallel()
	open, closed := true, false
	item := func(code, name, department, status string, open bool) *licence.Item {
		return &licence.Item{Code: code, Name: name, DepartmentName: department, Status: status, Open: open}
	}
	items := []*licence.Item{
		item("1", "内地居民婚姻登记证", "北京市民政局", "PUBLISH", true),
		item("2", "ABC 许可证", "朝阳区行政审批局", "PUBLISH", true),
		item("3", "离婚证", "北京市民政局", "CANCEL", true),
		item("4", "收养证", "北京市民政局", "DRAFT", true),
		item("5", "社会团体证", "北京市民政局", "PUBLISH", false),
		item("6", "居住证", "北京市公安局", "PUBLISH", true),
	}
	for _, one := range []struct {
		name  string
		q     licence.Query
		want  []string
		total int
	}{
		{"published and open", licence.Query{}, []string{"1", "2", "6"}, 3},
		{"keyword in the name", licence.Query{Keyword: " abc "}, []string{"2"}, 1},
		{"keyword in the department", licence.Query{Keyword: "民政"}, []string{"1"}, 1},
		{"keyword nowhere", licence.Query{Keyword: "没有"}, nil, 0},
		{"statuses", licence.Query{Status: []string{"CANCEL", "DRAFT"}}, []string{"3", "4"}, 2},
		{"unknown status", licence.Query{Status: []string{"publish"}}, nil, 0},
		{"closed", licence.Query{Open: &closed}, []string{"5"}, 1},
		{"open", licence.Query{Open: &open, Keyword: "证", Status: []string{"PUBLISH", "CANCEL"}}, []string{"1", "2", "3", "6"}, 4},
		{"first page", licence.Query{Page: licence.Page{Index: 1, Size: 2}}, []string{"1", "2"}, 3},
		{"second page", licence.Query{Page: licence.Page{Index: 2, Size: 2}}, []string{"6"}, 3},
		{"past the end", licence.Query{Page: licence.Page{Index: 3, Size: 2}}, nil, 3},
		{"far past the end", licence.Query{Page: licence.Page{Index: 1 << 62, Size: 150}}, nil, 3},
		{"past the end of integers", licence.Query{Page: licence.Page{Index: 1<<60 + 1, Size: 8}}, nil, 3},
		{"no page", licence.Query{Page: licence.Page{Index: -1, Size: -1}}, []string{"1", "2", "6"}, 3},
	} {
		page, total := licence.List(items, one.q)
		var got []string
		for _, item := range page {
			got = append(got, item.Code)
		}
		if total != one.total || !slices.Equal(got, one.want) {
			t.Errorf("%s: %v of %d, want %v of %d", one.name, got, total, one.want, one.total)
		}
	}
	many := make([]*licence.Item, 11)
	for i := range many {
		many[i] = items[0]
	}
	if page, total := licence.List(many, licence.Query{}); len(page) != 10 || total != 11 {
		t.Errorf("default page of %d among %d, want 10 among 11", len(page), total)
	}
}
