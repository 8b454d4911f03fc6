package registry

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Face is how the licences of one license_group look (docs/templates.md): a template that comes with the program, or one of its own.
type Face struct {
	Group    string `json:"group,omitempty"`    // "": every group that has no face of its own, and licences without one
	Template string `json:"template,omitempty"` // the name of one that comes with the program
	// Declaration is a template of its own, YAML; what stands in it is not looked at here (CheckFaces).
	Declaration string  `json:"declaration,omitempty"`
	Assets      []Asset `json:"assets,omitempty"` // pictures that Declaration names, by name
}

// Asset is a picture of a face.
type Asset struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// Bounds of a face. They keep a platform file handy; what a template may be is render's to say.
const (
	mostAssets   = 8
	largestAsset = 1 << 20 // bytes
	assetName    = 64      // characters
)

// face reads `{group, template}` or `{group, declaration, assets}`.
func (r reader) face(n *yaml.Node, path string) Face {
	var f Face
	r.object(n, path,
		r.code("group", &f.Group),
		r.code("template", &f.Template),
		r.text("declaration", &f.Declaration),
		member{"assets", func(n *yaml.Node, path string) { f.Assets = r.assets(n, path) }},
	)
	return f
}

// assets reads a mapping of names to pictures in base64, which may be wrapped over lines.
func (r reader) assets(n *yaml.Node, path string) []Asset {
	if !r.is(n, path, yaml.MappingNode) {
		return nil
	}
	var all []Asset
	for i := 0; i+1 < len(n.Content); i += 2 {
		var name, content string
		at := element(path, i/2)
		r.code("", &name).read(n.Content[i], at)
		r.text("", &content).read(n.Content[i+1], at)
		data, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(content), ""))
		switch {
		case slices.ContainsFunc(all, func(a Asset) bool { return a.Name == name }):
			r.addAt(n.Content[i].Line, at, "图片名 "+quote(name)+" 写了两次，请只留一处")
		case err != nil:
			r.addAt(n.Content[i+1].Line, at, "图片 "+quote(name)+" 不是有效的 Base64，请用 base64 -w0 文件 重新生成")
		}
		all = append(all, Asset{Name: name, Data: data})
	}
	slices.SortFunc(all, func(a, b Asset) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// faceForm notes the faults of an item's faces that show without knowing templates.
func faceForm(f *faults, at string, item *Item) {
	groups := map[string]int{}
	for i, face := range item.Faces {
		at := element(at+".faces", i)
		if first, met := groups[face.Group]; met {
			f.want(at, "group", groupText(face.Group)+"已有证面（"+element("faces", first)+"），每个组别只能有一个，请删去一个或改写 group")
		} else {
			groups[face.Group] = i
		}
		if face.Group != "" && !slices.Contains(item.LicenseGroups, face.Group) {
			f.want(at, "group", "license_groups 中没有组别 "+quote(face.Group)+"，请先在 license_groups 中登记，或删去 group（用于其余所有组别）")
		}
		switch {
		case face.Template == "" && face.Declaration == "":
			f.add(at, "请写 template（随程序提供的模板名）或 declaration（自定义模板的内容）")
		case face.Template != "" && face.Declaration != "":
			f.add(at, "template 与 declaration 只能写一个")
		case face.Template != "":
			f.want(at, "template", nameFault(face.Template, "模板名"))
			if len(face.Assets) > 0 {
				f.want(at, "assets", "随程序提供的模板没有另外的图片，请删去 assets，或用 declaration 自定义模板")
			}
		default:
			f.want(at, "declaration", printable(face.Declaration, "\n\t"))
		}
		if len(face.Assets) > mostAssets {
			f.want(at, "assets", "图片超过 "+strconv.Itoa(mostAssets)+" 个，请删减")
			continue
		}
		for j, a := range face.Assets {
			message := text(a.Name, "图片名", assetName)
			switch {
			case message != "":
			case strings.ContainsAny(a.Name, `/\`):
				message = "图片名不能有斜杠，请只写文件名"
			case len(a.Data) == 0:
				message = "图片 " + quote(a.Name) + " 没有内容，请写图片文件的 Base64"
			case len(a.Data) > largestAsset:
				message = "图片 " + quote(a.Name) + " 超过 1 MiB，请压缩后重试"
			}
			if message != "" {
				f.add(element(at+".assets", j), message)
			}
		}
	}
}

func groupText(group string) string {
	if group == "" {
		return "其余组别（未写 group）"
	}
	return "组别 " + quote(group)
}

// CheckFaces holds every face against judge, which knows templates: it returns what is wrong with a face as one of the item, its lines
// those of the declaration. Where p came from a file, the problems that are returned have the file's lines. The error is a Problems.
func (p *Platform) CheckFaces(judge func(item *Item, face *Face) []Problem) error {
	f := &faults{file: p.file}
	for i := range p.Items {
		item := &p.Items[i]
		for j := range item.Faces {
			face := &item.Faces[j]
			at := element(f.object("items", i, item.LicenseItemCode)+".faces", j)
			member := "template"
			if face.Declaration != "" {
				member = "declaration"
			}
			path := join(at, member)
			for _, one := range judge(item, face) {
				line, place := f.within(path, one.Line), ""
				if place = one.Path; place != "" {
					place += "："
				}
				if one.Line > 0 && line == 0 {
					place = fmt.Sprintf("模板第 %d 行 ", one.Line) + place
				}
				f.addAt(line, path, "证照目录 "+item.LicenseItemCode+"，"+groupText(face.Group)+"："+place+one.Message)
			}
		}
	}
	return f.err()
}

// within is the line of the file on which a line of a text of several lines stands; 0 when that cannot be told.
func (f *faults) within(path string, line int) int {
	if n := nodeAt(f.file, path); line > 0 && n != nil && n.Style&yaml.LiteralStyle != 0 {
		return n.Line + line
	}
	return 0
}

// faces compares by group, whatever the order.
func (d *differ) faces(a, b []Face) {
	before, after := keyed(a, faceKey), keyed(b, faceKey)
	for i := range a {
		if after[a[i].Group] == nil {
			d.text(facePath(&a[i]), faceText(&a[i]), "")
		}
	}
	for i := range b {
		now := &b[i]
		path, old := facePath(now), before[now.Group]
		if old == nil {
			d.text(path, "", faceText(now))
			continue
		}
		d.text(path+".template", old.Template, now.Template)
		d.text(path+".declaration", contentText([]byte(old.Declaration)), contentText([]byte(now.Declaration)))
		d.assets(path+".assets.", old.Assets, now.Assets)
	}
}

func (d *differ) assets(path string, a, b []Asset) {
	before, after := keyed(a, assetKey), keyed(b, assetKey)
	for i := range a {
		if after[a[i].Name] == nil {
			d.text(path+a[i].Name, contentText(a[i].Data), "")
		}
	}
	for i := range b {
		old := before[b[i].Name]
		if old == nil {
			old = &Asset{}
		}
		d.text(path+b[i].Name, contentText(old.Data), contentText(b[i].Data))
	}
}

func faceKey(f *Face) string   { return f.Group }
func assetKey(a *Asset) string { return a.Name }

func facePath(f *Face) string { return "faces." + cmp.Or(f.Group, "*") }

func faceText(f *Face) string {
	if f.Template != "" {
		return "模板 " + f.Template
	}
	words := []string{"自定义模板 " + contentText([]byte(f.Declaration))}
	for _, a := range f.Assets {
		words = append(words, a.Name+" "+contentText(a.Data))
	}
	return strings.Join(words, "，")
}

// faceNode writes a face as the reader takes it.
func faceNode(f *Face) *yaml.Node {
	n := mapping(0)
	putText(n, "group", quoted, f.Group)
	putText(n, "template", plain, f.Template)
	putText(n, "declaration", paragraph, f.Declaration)
	if len(f.Assets) > 0 {
		assets := mapping(0)
		for _, a := range f.Assets {
			assets.Content = append(assets.Content, quoted(a.Name), quoted(base64.StdEncoding.EncodeToString(a.Data)))
		}
		put(n, "assets", assets)
	}
	return n
}

// contentText stands for a content that is too long to be shown: its size and digest; "" for none.
func contentText(content []byte) string {
	if len(content) == 0 {
		return ""
	}
	sum := sha256.Sum256(content)
	return fmt.Sprintf("(%d 字节，SHA-256 %x)", len(content), sum[:16])
}
