package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"licgate/licence"
	"licgate/registry"
	"licgate/render"
	"licgate/store"
)

// faces are the templates of licences on one store, by version. A version is for ever, so that nothing here grows old.
type faces struct {
	mu     sync.Mutex
	parsed map[string]*render.Template
	weight int             // bytes of pictures in parsed
	kept   map[string]bool // in the store
	faults atomic.Int64    // licences that were drawn with the plain face because their own could not be had
}

// Bounds of what is kept parsed, in faces and in bytes of their pictures; beyond, it is read again.
const (
	mostFaces  = 256
	mostWeight = 64 << 20
)

func newFaces() *faces {
	return &faces{parsed: map[string]*render.Template{}, kept: map[string]bool{}}
}

// declaredFace returns the YAML and the pictures of a face of the registry; not ok: this program comes with no template of that name.
func declaredFace(f *registry.Face) (yaml []byte, assets map[string][]byte, ok bool) {
	if f.Template != "" {
		yaml, ok = render.ShippedTemplate(f.Template)
		return yaml, nil, ok
	}
	assets = make(map[string][]byte, len(f.Assets))
	for _, a := range f.Assets {
		assets[a.Name] = a.Data
	}
	return []byte(f.Declaration), assets, true
}

// known is the template of a version that was parsed already; nil: it was not, or let go.
func (f *faces) known(version string) *render.Template {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.parsed[version]
}

// parse is the template of a declaration, parsed once.
func (f *faces) parse(version string, yaml []byte, assets map[string][]byte) (*render.Template, error) {
	if known := f.known(version); known != nil {
		return known, nil
	}
	template, err := render.Parse(yaml, assets)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.parsed) >= mostFaces || f.weight+template.Weight() > mostWeight {
		clear(f.parsed)
		f.weight = 0
	}
	f.parsed[version] = template
	f.weight += template.Weight()
	return template, nil
}

// judge says what is wrong with a face, in the registry's words.
func (f *faces) judge(item *registry.Item, face *registry.Face) []registry.Problem {
	yaml, assets, ok := declaredFace(face)
	if !ok {
		return []registry.Problem{{Message: fmt.Sprintf("没有名为 %q 的模板；licgate render templates 列出随程序提供的模板", face.Template)}}
	}
	// Not kept: it may never come into force.
	template, err := render.Parse(yaml, assets)
	if err == nil {
		err = template.Check(fieldInfos(item))
	}
	var problems render.Problems
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &problems):
		return []registry.Problem{{Message: err.Error()}}
	}
	out := make([]registry.Problem, len(problems))
	for i, p := range problems {
		out[i] = registry.Problem(p)
		if face.Template != "" {
			out[i].Line = 0 // of a text that the administrator did not write
		}
	}
	return out
}

// fieldInfos says an item's fields in the templates' words.
func fieldInfos(item *registry.Item) []render.FieldInfo {
	infos := make([]render.FieldInfo, len(item.Fields))
	for i, f := range item.Fields {
		infos[i] = render.FieldInfo{Key: f.Key, Label: f.Label, Type: f.Type, Role: f.Role, Hidden: f.Hidden}
	}
	return infos
}

// takeFaces settles which version each group of each item is issued under. A face that this program can't draw leaves its group to the plain
// one, and an error in the log: it was checked when it was declared, but maybe by another version of the program.
func (h *shared) takeFaces(s *state, p *registry.Platform) {
	s.faces = map[string]*registry.Face{}
	for i := range p.Items {
		item := s.byCode[p.Items[i].LicenseItemCode]
		for j := range p.Items[i].Faces {
			face := &p.Items[i].Faces[j]
			if item.Faces == nil {
				item.Faces = map[string]string{}
			}
			item.Faces[face.Group] = "" // and not that of the other groups
			yaml, assets, ok := declaredFace(face)
			if !ok {
				h.logger.Error("this program comes with no such template; licences get the plain face", zap.String("item", item.Code), zap.String("template", face.Template))
				continue
			}
			version := render.Version(yaml, assets)
			if _, err := h.faces.parse(version, yaml, assets); err != nil {
				h.logger.Error("a declared face is not one; licences get the plain face", zap.String("item", item.Code), zap.String("face", version), zap.Error(err))
				continue
			}
			item.Faces[face.Group], s.faces[version] = version, face
		}
	}
}

// keepFaces keeps the faces of a state for ever. It comes before the state is in force, so that no licence names a face that is not there;
// what a change leaves behind that then fails is in nobody's way.
func (h *shared) keepFaces(ctx context.Context, s *store.Store, next *state) error {
	fresh := map[string][]byte{}
	h.faces.mu.Lock()
	for version, face := range next.faces {
		if !h.faces.kept[version] {
			yaml, assets, _ := declaredFace(face)
			fresh[version] = render.Pack(yaml, assets)
		}
	}
	h.faces.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	if err := s.KeepFaces(ctx, fresh); err != nil {
		return err
	}
	h.faces.mu.Lock()
	defer h.faces.mu.Unlock()
	for version := range fresh {
		h.faces.kept[version] = true
	}
	return nil
}

// face is the template that a licence was issued under; one from before it had any, or that is not signed yet, has its item's of today. nil: the
// plain face, also where the licence's own can't be had, which is logged and counted: a licence must still be seen.
func (g *gateway) face(ctx context.Context, item *licence.Item, l *licence.Licence) *render.Template {
	version := l.Face
	if version == "" {
		version = item.Face(l.Group)
	}
	if version == "" {
		return nil
	}
	template, err := g.loadFace(ctx, version)
	if err != nil {
		g.faceless(item.Code, version, err)
		return nil
	}
	return template
}

// faceless tells that a licence is drawn with the plain face in place of its own.
func (g *gateway) faceless(item, version string, err error) {
	g.faces.faults.Add(1)
	g.logger.Error("a licence's face can't be had; it is drawn with the plain one", zap.String("item", item), zap.String("face", version), zap.Error(err))
}

func (g *gateway) loadFace(ctx context.Context, version string) (*render.Template, error) {
	if known := g.faces.known(version); known != nil {
		return known, nil
	}
	packed, err := g.store.Face(ctx, version)
	if err != nil {
		return nil, err
	}
	yaml, assets, err := render.Unpack(packed)
	if err != nil {
		return nil, err
	}
	return g.faces.parse(version, yaml, assets)
}

// overflows finds a field of a licence that the face of today has no room for, and that may stand nowhere else. The embedded fonts measure: an
// operator's own may come and go.
func (g *gateway) overflows(item *licence.Item, l *licence.Licence) (field string, found bool) {
	declared := g.state.Load().faces[item.Face(l.Group)]
	if declared == nil {
		return "", false
	}
	yaml, assets, _ := declaredFace(declared)
	template, err := g.faces.parse(item.Face(l.Group), yaml, assets)
	if err != nil {
		return "", false // the plain face takes anything
	}
	v := &render.View{
		Title: l.Name, Status: string(licence.Issued), Code: strings.Repeat("0", 18), IDCode: l.IDCode, Holder: l.HolderName, Issuer: l.IssueOrgName,
		IssueDate: l.IssueDate, Validity: period(l.BeginDate, l.IssueDate, l.ExpiryDate), Template: template,
	}
	for _, f := range item.Fields {
		v.Fields = append(v.Fields, render.Field{Key: f.Key, Role: f.Role, Label: f.Label, Value: licence.Text(l.Fields[f.Key])})
	}
	over, found := errors.AsType[*render.Overflow](render.Fits(v))
	if !found {
		return "", false
	}
	return over.Key, true
}
