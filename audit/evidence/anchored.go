package evidence

import (
	"encoding/json"
	"strings"
	"time"
)

// Anchored is what is kept of a checkpoint that an anchor has: a line of JSON, version 1.
type Anchored struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"` // when the anchor answered
	Size    uint64    `json:"size"`
	Note    string    `json:"note"`             // the checkpoint, with cosignatures
	Answer  []byte    `json:"answer,omitempty"` // what else the anchor said; base64
}

// Suffixes of the files that hold receipts: the newest of an anchor, and one of each hour.
const (
	NewestSuffix = ".newest"
	HourlySuffix = ".hourly"
)

// ParseAnchored reads receipts, one a line, and says up to which byte they are whole. A last line that a crash left half
// written is not read; damaged reports whether another line cannot be.
func ParseAnchored(content []byte) (list []Anchored, size int64, damaged bool) {
	for line := range strings.Lines(string(content)) {
		var r Anchored
		if !strings.HasSuffix(line, "\n") {
			return list, size, false
		}
		if json.Unmarshal([]byte(line), &r) != nil || r.Version != 1 {
			return list, size, true
		}
		list = append(list, r)
		size += int64(len(line))
	}
	return list, size, false
}
