package registry

import (
	"slices"
	"strings"
	"testing"
)

// What is wrong inside a face is told with the platform file's line, the item and the group; where lines are folded away, with the
// template's own.
func TestCheckFaces(t *testing.T) {
	t.Parallel()
	const file = `departments: [{code: 11110000000021135M, name: 北京市民政局}]
items:
  - {license_item_code: "305018202", name: 离婚证, department: 11110000000021135M, holder_type: person, faces: [{template: none}]}
  - license_item_code: "305018201"
    name: 婚姻登记证
    department: 11110000000021135M
    holder_type: person
    license_groups: ["1"]
    faces:
      - group: "1"
        declaration: |
          face: 1
          bad
      - {declaration: "face: 1\nbad"}
`
	p := parse(t, file)
	judge := func(item *Item, face *Face) []Problem {
		if face.Template != "" {
			return []Problem{{Message: item.Name + "没有模板 " + face.Template}}
		}
		line := 1 + slices.Index(strings.Split(face.Declaration, "\n"), "bad")
		return []Problem{{Line: line, Path: "pages[0]", Message: "不好"}}
	}
	err := p.CheckFaces(judge)
	want := "第 3 行 items[0].faces[0].template：证照目录 305018202，其余组别（未写 group）：离婚证没有模板 none\n" +
		"第 13 行 items[1].faces[0].declaration：证照目录 305018201，组别 \"1\"：pages[0]：不好\n" +
		"第 14 行 items[1].faces[1].declaration：证照目录 305018201，其余组别（未写 group）：模板第 2 行 pages[0]：不好"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	p.file = nil // as of a version that is brought back
	if err := p.CheckFaces(judge); err == nil || !strings.HasPrefix(err.Error(), "items[305018202]") && !strings.HasPrefix(err.Error(), "items[0]") {
		t.Errorf("without a file: %v", err)
	}
	if err := p.CheckFaces(func(*Item, *Face) []Problem { return nil }); err != nil {
		t.Errorf("good faces: %v", err)
	}
}

// A face is written so that people can read it.
func TestRenderFace(t *testing.T) {
	t.Parallel()
	got, err := Render(&Platform{Items: []Item{{Faces: []Face{{Group: "1", Declaration: "face: 1\npages:\n  - size: A4\n", Assets: []Asset{{"a.png", []byte("a")}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `    faces:
      - group: "1"
        declaration: |
          face: 1
          pages:
            - size: A4
        assets:
          "a.png": "YQ=="
`
	if !strings.HasSuffix(string(got), want) {
		t.Errorf("got\n%s", got)
	}
}
