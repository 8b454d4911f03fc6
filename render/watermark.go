package render

import "strings"

// Bounds of the watermark: longer texts are cut there, and stand whole among the particulars.
const (
	watermarkLine  = 22 // characters
	watermarkLines = 4
)

// watermark returns the lines repeated over a licence: who looks at it, what for, when.
func (v *View) watermark() []string {
	var lines []string
	for _, text := range []string{v.Viewer, v.Purpose} {
		rest := []rune(oneLine(text))
		for n := 0; len(rest) > 0 && n < watermarkLines/2; n++ {
			cut := min(len(rest), watermarkLine)
			line := string(rest[:cut])
			if rest = rest[cut:]; len(rest) > 0 && n == watermarkLines/2-1 {
				line = string([]rune(line)[:watermarkLine-1]) + "…"
			}
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if at := stamp(v.At); at != "" {
		lines = append(lines, at)
	}
	return lines
}
