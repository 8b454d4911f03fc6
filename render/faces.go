package render

import (
	"embed"
	"path"
	"strings"
)

// faceFiles are templates for common kinds of licences, to be used as they are or as a beginning.
//
//go:embed faces/*.yaml
var faceFiles embed.FS

// ShippedTemplates are the names of the templates that travel inside the program, sorted.
func ShippedTemplates() (names []string) {
	files, err := faceFiles.ReadDir("faces")
	if err != nil {
		panic("render: " + err.Error()) // embedded: the compiler saw it
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	return names
}

// ShippedTemplate returns the YAML of a template that travels inside the program, for Parse, and whether there is one.
func ShippedTemplate(name string) ([]byte, bool) {
	text, err := faceFiles.ReadFile(path.Join("faces", name+".yaml"))
	return text, err == nil
}
