package licence_test

import (
	"testing"

	"licgate/licence"
)

func withFaces(faces map[string]string) func(*licence.Item) {
	return func(i *licence.Item) { i.Faces = faces }
}

// A licence keeps the face that it was issued under, whatever the item has later; its successor is a new one.
func TestFaceIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := marriage(withFaces(map[string]string{"": "v1", "2": "own"}))
	second := marriage(withFaces(map[string]string{"": "v2"}))

	made, err := w.Create(t.Context(), civil, first, numbered("J-1"))
	if err != nil || made.Licence.Face != "" {
		t.Fatalf("created: face %q, %v; want none before it is signed", made.Licence.Face, err)
	}
	if _, err := w.Sign(t.Context(), civil, second, at(made.Licence.Code)); err != nil {
		t.Fatal(err)
	}
	if l := w.load(t, made.Licence.Code); l.Face != "v2" {
		t.Errorf("signed: face %q, want that of the day it was signed", l.Face)
	}
	issued, err := w.Issue(t.Context(), civil, first, numbered("J-2"))
	if err != nil || issued.Licence.Face != "v1" {
		t.Fatalf("issued: face %q, %v", issued.Licence.Face, err)
	}
	own := numbered("J-3")
	own.Group = "2"
	if of, err := w.Issue(t.Context(), civil, first, own); err != nil || of.Licence.Face != "own" {
		t.Errorf("of another group: face %q, %v", of.Licence.Face, err)
	}
	plain, err := w.Issue(t.Context(), civil, marriage(), numbered("J-4"))
	if err != nil || plain.Licence.Face != "" {
		t.Errorf("without faces: face %q, %v", plain.Licence.Face, err)
	}
	changed, err := w.Change(t.Context(), civil, second, at(issued.Licence.Code), numbered("J-2"))
	if err != nil || changed.Licence.Face != "v2" {
		t.Fatalf("changed: face %q, %v", changed.Licence.Face, err)
	}
	if old := w.load(t, issued.Licence.Code); old.State != licence.Abolished || old.Face != "v1" {
		t.Errorf("replaced: %s, face %q", old.State, old.Face)
	}
	third := marriage(withFaces(map[string]string{"": "v3"}))
	if _, err := w.Abolish(t.Context(), civil, third, at(changed.Licence.Code), "注销"); err != nil {
		t.Fatal(err)
	}
	if l := w.load(t, changed.Licence.Code); l.Face != "v2" {
		t.Errorf("abolished: face %q", l.Face)
	}
}

// What its face has no room for is refused when it is made, and when it is signed under another face.
func TestFaceWithoutRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Overflows = func(item *licence.Item, l *licence.Licence) (string, bool) {
		if l.HolderName == "" || l.Group == "" {
			t.Errorf("asked of an unfinished licence: %+v", l)
		}
		return item.Face(l.Group), item.Face(l.Group) != "v1"
	}
	narrow, strange := marriage(withFaces(map[string]string{"": "CZR"})), marriage(withFaces(map[string]string{"": "?"}))
	_, err := w.Issue(t.Context(), civil, narrow, numbered("J-1"))
	if fault := fieldError(t, "issued", err, "CZR"); fault.Message != "持证人（CZR）在证面上放不下，请缩短" {
		t.Errorf("told: %s", fault.Message)
	}
	_, err = w.Create(t.Context(), civil, strange, numbered("J-1"))
	fieldError(t, "created", err, "data_fields")
	made, err := w.Create(t.Context(), civil, marriage(withFaces(map[string]string{"": "v1"})), numbered("J-1"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Sign(t.Context(), civil, narrow, at(made.Licence.Code))
	fieldError(t, "signed", err, "CZR")
	if l := w.load(t, made.Licence.Code); l.State != licence.Registered {
		t.Errorf("it is %s", l.State)
	}
}
