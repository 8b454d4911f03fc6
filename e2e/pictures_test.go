package e2e

import (
	"bytes"
	"encoding/base64"
	"html"
	"image"
	"image/jpeg"
	"strings"
	"testing"
)

// TestPictureLeavesItsMetadata: of a photo as a camera leaves it, where it was taken is nowhere in what comes out: not in answers, pages, PDF or OFD, which all
// have the same clean picture; given back for a change, that stays byte for byte.
func TestPictureLeavesItsMetadata(t *testing.T) {
	t.Parallel()
	const place = "N39.9042 E116.4074"
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 960, 1280)), nil); err != nil {
		t.Fatal(err)
	}
	note := "Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x00" + place
	file := "\xff\xd8\xff\xe1\x00" + string(rune(len(note)+2)) + note + b.String()[2:]

	g := start(t)
	last := "      - {key: FZRQ, label: 发证日期, type: date, role: issue_date}\n"
	g.apply(edited(last, last+"      - {key: ZP, label: 照片, type: image, role: photo}\n"))
	c := g.login("hydj", "zhangbin")
	fields := marriageFields("J110103-2020-000002")
	fields["ZP"] = object{"file_suffix": "png", "file_data": base64.StdEncoding.EncodeToString([]byte(file))}
	code := c.post("/license/"+marriage+"/issue", wrapped(object{"data_fields": fields})).must(t).text("license_code")

	photo := func(code string) object {
		a := c.get("/license/get_license", "auth_code", c.authCodeOf(code)).must(t)
		photo, _ := a.data()["data_fields"].(object)["ZP"].(object)
		return photo
	}
	first := photo(code)
	kept, err := base64.StdEncoding.DecodeString(first["file_data"].(string))
	if err != nil {
		t.Fatal(err)
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(kept))
	if err != nil || config.Width != 480 || config.Height != 640 || first["file_suffix"] != "jpg" {
		t.Errorf("given out: %+v .%s, %v", config, first["file_suffix"], err)
	}
	_, pdf := c.archived(c.authCodeOf(code), "PDF")
	_, ofd := c.archived(c.authCodeOf(code), "OFD")
	for name, out := range map[string][]byte{"get_license": kept, "PDF": pdf, "OFD": ofd} {
		if bytes.Contains(out, []byte(place)) || !bytes.Contains(out, kept) {
			t.Errorf("%s: with metadata, or another picture", name)
		}
	}
	if page := html.UnescapeString(c.licencePage(code)); !strings.Contains(page, "data:image/jpeg;base64,"+first["file_data"].(string)) {
		t.Error("the page has another picture")
	}

	fields["ZP"] = first
	changed := c.post("/license/"+marriage+"/change", wrapped(object{"license_code": code, "data_fields": fields})).must(t).text("license_code")
	if again := photo(changed); again["file_data"] != first["file_data"] {
		t.Error("a change changes the picture")
	}

	fields["ZP"] = object{"file_suffix": "jpg", "file_data": base64.StdEncoding.EncodeToString([]byte("GIF89a\x01\x00\x01\x00"))}
	if a := c.post("/license/"+marriage+"/change", wrapped(object{"license_code": changed, "data_fields": fields})); a.code() != "40007" || !strings.Contains(a.message(), "照片（ZP）") {
		t.Errorf("no picture: %s", a.raw)
	}
}
