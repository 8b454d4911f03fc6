package render

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPreview(t *testing.T) {
	t.Parallel()
	for _, name := range ShippedTemplates() {
		item := shippedItem(t, name)
		v, err := Preview(shipped(t, name), item.Name, item.infos(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		if err := Fits(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if v.QR == nil || !v.QRExpires.IsZero() {
			t.Errorf("%s: no sample of a QR code that is kept", name)
		}
		text := squeezed(tool(t, "pdftotext", "-raw", saved(t, v), "-"))
		for _, f := range v.Fields {
			if !isDate(f.Value) && f.Role != "id_code" && !strings.Contains(text, squeezed(f.Value)) {
				t.Errorf("%s: %s is not shown", name, f.Label)
			}
		}
		if hasPhoto := v.Template.pictured(); hasPhoto != (v.Photo != nil) {
			t.Errorf("%s: photo %v", name, v.Photo != nil)
		}
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	text := strings.Replace(small, "field: XM,", "field: XM, overflow: refuse,", 1)
	template, err := Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &View{Template: template, Fields: []Field{{Key: "XM", Label: "姓名", Value: "欧阳"}}}
	if err := Fits(v); err != nil {
		t.Errorf("error %v", err)
	}
	v.Fields[0].Value = strings.Repeat("长", 50)
	err = Fits(v)
	if over, ok := errors.AsType[*Overflow](err); !ok || over.Key != "XM" {
		t.Errorf("error %#v", err)
	}
	if !errors.Is(err, ErrOverflow) || !strings.Contains(err.Error(), "姓名") || strings.Contains(err.Error(), "长") {
		t.Errorf("error %v", err)
	}
	if err := Fits(&View{}); err != nil {
		t.Errorf("error %v", err)
	}
}

// A template can be looked at without an item: it fits one that has the fields it places.
func TestFieldsOfATemplate(t *testing.T) {
	t.Parallel()
	for _, name := range ShippedTemplates() {
		template := shipped(t, name)
		fields := template.Fields()
		if err := template.Check(fields); err != nil || len(fields) < 3 {
			t.Errorf("%s: %d fields, %v", name, len(fields), err)
		}
	}
	for _, f := range shipped(t, "business").Fields() {
		if f.Role != "" && f.Label == f.Role {
			t.Errorf("business: %s is labelled by its key", f.Role)
		}
	}
	fields := shipped(t, "marriage").Fields()
	if !slices.Contains(fields, FieldInfo{Key: "CZRXB", Label: "性别", Type: "string"}) ||
		!slices.Contains(fields, FieldInfo{Key: "issue_date", Label: "登记日期", Type: "date", Role: "issue_date"}) ||
		!slices.Contains(fields, FieldInfo{Key: "photo", Label: "照片", Type: "image", Role: "photo"}) {
		t.Errorf("fields %+v", fields)
	}
}
