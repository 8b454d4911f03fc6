package render

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strings"
	"time"
)

// Preview is a View of a licence that nobody holds, to look at a template: every field filled with something of its kind.
func Preview(t *Template, title string, fields []FieldInfo, at time.Time) (*View, error) {
	v := &View{
		Title: title, Status: "ISSUED", Code: "990105202000000A1B", IDCode: "示例-2020-001234", Holder: "示例人", Issuer: "示例市示例局",
		IssueDate: "2020-02-14", Validity: "2020-02-14 至 长期", SealCode: "9901050012345", Viewer: "示例部门 示例人", Purpose: "仅供预览证面模板",
		At: at, Template: t,
	}
	var err error
	if v.QR, err = QRCode(sampleCode); err != nil {
		return nil, err
	}
	for _, f := range fields {
		switch {
		case f.Hidden:
		case f.Type == "image" && f.Role == "photo":
			picture, err := silhouette()
			if err != nil {
				return nil, err
			}
			v.Photo = picture
		case f.Type != "image":
			v.Fields = append(v.Fields, Field{Key: f.Key, Role: f.Role, Label: f.Label, Value: invented(f)})
		}
	}
	return v, nil
}

// sampleCode is what the QR code of a sample says. It is as long as a real one's address, and no address: it verifies nothing.
const sampleCode = "样张：此二维码仅供查看版面，不能用于核验证照。"

// invented is a value of a field's kind.
func invented(f FieldInfo) string {
	switch f.Role {
	case "holder_name":
		return "示例人"
	case "holder_identity_num":
		return "990105199001011234"
	case "id_code":
		return "示例-2020-001234"
	case "issue_org_name":
		return "示例市示例局"
	}
	switch {
	case f.Type == "date" || strings.HasSuffix(f.Role, "_date"):
		return "2020-02-14"
	case f.Type == "number" || f.Type == "integer":
		return "100"
	case f.Type == "boolean":
		return "是"
	}
	return f.Label + "示例"
}

// silhouette is a photo of nobody: head and shoulders, grey on white.
func silhouette() ([]byte, error) {
	const side = 256
	f := ellipse(0.5, 0.4, 0.15, 0.19)
	f.join(ellipse(0.5, 1.05, 0.33, 0.4))
	m := image.NewGray(image.Rect(0, 0, side*7/10, side))
	cover := f.coverage(side, matrix{side, 0, 0, side, 0, 0})
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			m.Pix[y*m.Stride+x] = 0xff - cover[y*side+x+side*3/20]/2
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, fmt.Errorf("encode silhouette: %w", err)
	}
	return b.Bytes(), nil
}

// Fits says, before a licence is made, whether its template takes the values: the error is an Overflow. Most templates take any.
func Fits(v *View) error {
	if v.Template == nil || !v.Template.refuses() {
		return nil
	}
	plain := *v
	plain.Photo = nil // always fits, and takes long to read
	d := &drawing{fonts: newTypesetter(v.fonts())}
	return newComposer(&plain, d.fonts).faces(d)
}

// refuses says whether a place of the template may not be continued elsewhere.
func (t *Template) refuses() bool {
	return slices.ContainsFunc(t.pages, func(p facePage) bool {
		return slices.ContainsFunc(p.elements, func(e *element) bool { return e.Overflow == "refuse" })
	})
}

// roleLabels name the fields that a template places by their role, without a label.
var roleLabels = map[string]string{
	"holder_name": "持证主体", "holder_identity_num": "证件号码", "holder_identity_type": "证件类型", "id_code": "证照号码", "issue_date": "发证日期",
	"begin_date": "有效期起", "expiry_date": "有效期至", "issue_org_name": "颁发机构", "issue_org_code": "颁发机构代码",
}

// Fields are those that the template places, as an item that has just them would declare them.
func (t *Template) Fields() []FieldInfo {
	var all []FieldInfo
	for i := range t.pages {
		for _, e := range t.pages[i].elements {
			f := FieldInfo{Key: or(e.Field, e.Role), Role: e.Role, Label: or(strings.Join(strings.Fields(e.Label), ""), or(roleLabels[e.Role], or(e.Field, e.Role))), Type: "string"}
			switch {
			case e.kind == "photo":
				f = FieldInfo{Key: "photo", Role: "photo", Label: "照片", Type: "image"}
			case e.kind != "field" && e.kind != "role":
				continue
			case e.Date != "":
				f.Type = "date"
			}
			if !slices.ContainsFunc(all, func(known FieldInfo) bool { return known.Key == f.Key }) {
				all = append(all, f)
			}
		}
	}
	return all
}
