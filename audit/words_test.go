package audit

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestWordsAreAllThere: an event or kind that a record may have can be searched for.
func TestWordsAreAllThere(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("record.go")
	if err != nil {
		t.Fatal(err)
	}
	var events, kinds []string
	for _, constant := range regexp.MustCompile(`(?m)^\t(Event|Kind)\w+ += "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		if constant[1] == "Event" {
			events = append(events, constant[2])
		} else {
			kinds = append(kinds, constant[2])
		}
	}
	if len(events) == 0 || !slices.Equal(events, Events) || !slices.Equal(kinds, Kinds) {
		t.Errorf("record.go has %v, %v", events, kinds)
	}
}
