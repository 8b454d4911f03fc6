package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"licgate/audit"
)

// auditVerification is what is known from elsewhere of this log.
type auditVerification struct {
	Since       string           `json:"since,omitempty"` // leaves out segments from before
	Keys        []string         `json:"keys,omitempty"`
	Checkpoints []keptCheckpoint `json:"checkpoints,omitempty"`
	// Anchors compares with what anchors of kind file hold themselves, besides their receipts, and demands that all anchors are well.
	Anchors bool `json:"anchors,omitempty"`
	Indexes bool `json:"indexes,omitempty"`
	// Progress has the answer come as JSON lines that tell how far it is; the last one holds the report.
	Progress bool `json:"progress,omitempty"`
}

// verifyLine is one of them.
type verifyLine struct {
	Seen   uint64       `json:"seen,omitempty"`
	Total  uint64       `json:"total,omitempty"`
	Report *auditReport `json:"report,omitempty"`
}

// keptCheckpoint is a signed checkpoint and where it was kept.
type keptCheckpoint struct {
	Source string `json:"source"`
	Note   string `json:"note"`
}

// auditReport is what verifying found.
type auditReport struct {
	audit.Report
	Anchors []guestState `json:"anchors,omitempty"` // when asked for
}

// options are those of package audit.
func (q auditVerification) options() (o audit.VerifyOptions, err error) {
	if o.Since, err = instant(q.Since); err != nil {
		return o, err
	}
	if o.Keys, err = parseVerifiers(q.Keys); err != nil {
		return o, adminError(http.StatusBadRequest, "验证密钥不正确：应为 NAME+ID+BASE64")
	}
	for _, k := range q.Checkpoints {
		o.Checkpoints = append(o.Checkpoints, audit.KeptCheckpoint{Source: k.Source, Note: []byte(k.Note)})
	}
	o.Indexes = q.Indexes
	return o, nil
}

// verifyWith answers with a report, at once or behind lines of progress.
func (c *adminCall) verifyWith(q auditVerification) (any, error) {
	if !q.Progress {
		return c.verify(q, nil)
	}
	return stream(func(w http.ResponseWriter) error {
		e, control := json.NewEncoder(w), http.NewResponseController(w)
		var gone error
		say := func(line verifyLine) { gone = cmp.Or(gone, e.Encode(line), control.Flush()) }
		report, err := c.verify(q, func(seen, total uint64) { say(verifyLine{Seen: seen, Total: total}) })
		if err == nil {
			say(verifyLine{Report: &report})
		}
		return errors.Join(err, gone)
	}), nil
}

func (c *adminCall) verify(q auditVerification, progress func(seen, total uint64)) (auditReport, error) {
	o, err := q.options()
	if err != nil {
		return auditReport{}, err
	}
	o.Progress = progress
	var out auditReport
	if q.Anchors {
		anchored, err := c.app.anchoredInFiles()
		if err != nil {
			return out, err
		}
		o.Checkpoints = append(o.Checkpoints, anchored...)
		out.Anchors = slices.DeleteFunc(c.app.outward.states(), func(s guestState) bool { return s.Kind != "anchor" })
	}
	out.Report, err = audit.VerifyWith(c.r.Context(), c.app.auditFolder(), o)
	return out, err
}

func (c *adminCall) verifyAudit(nothing) (auditReport, error) {
	return c.verify(auditVerification{}, nil)
}

// anchoredInFiles reads the checkpoints that anchors of kind file have, from those files.
func (a *App) anchoredInFiles() ([]audit.KeptCheckpoint, error) {
	var kept []audit.KeptCheckpoint
	for _, g := range a.outward.anchors {
		file, ok := g.Anchor.(*AnchorFile)
		if !ok {
			continue
		}
		content, err := os.ReadFile(file.Path)
		if err != nil {
			return nil, adminError(http.StatusConflict, "读不到存证 %s 的文件：%v", g.Name, err)
		}
		for i, line := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
			var note string
			if json.Unmarshal([]byte(line), &note) != nil {
				continue // half a line of a crash
			}
			kept = append(kept, audit.KeptCheckpoint{Source: fmt.Sprintf("存证 %s 第 %d 行", g.Name, i+1), Note: []byte(note)})
		}
	}
	return kept, nil
}
