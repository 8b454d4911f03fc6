// Package archive keeps licences as files in a folder of its own or in a zip file: fetched in parallel, each file whole or not there, and resumed
// where it was broken off. Where licences come from is a Source; it knows neither the wire nor the gateway.
package archive

import (
	"context"
	"errors"
)

// Entry is a licence that may be archived.
type Entry struct {
	Item, Code string
	IssueDate  string // yyyy-MM-dd
	AuthCode   string // for Fetch
}

// Page is a page of the licences of an item.
type Page struct {
	Entries []Entry
	Next    string // for the next page; "": there is none
	Total   int    // how many there are in all, on the first page
}

// File is a licence as a file. ResponseID is where the audit of the platform has it.
type File struct {
	Data       []byte
	ResponseID string
}

// Source is where licences come from. It is used by several goroutines at once, and waits and repeats as it sees fit. An error is a *Refusal,
// which concerns one licence (of List: one item) and leaves the others; any other ends the work.
type Source interface {
	List(ctx context.Context, item, after string) (Page, error)
	Fetch(ctx context.Context, e Entry) (File, error)
}

// Refusal is why one licence or item can't be had.
type Refusal struct{ Code, Message, ResponseID string }

func (r *Refusal) Error() string { return "archive: refused: " + r.Code + " " + r.Message }

// Errors of opening a folder. They are matched with errors.Is.
var (
	ErrForeign = errors.New("archive: the folder is not empty, and no archive")
	ErrOther   = errors.New("archive: the folder is an archive of something else")
	ErrInUse   = errors.New("archive: another process writes there")
	ErrDamaged = errors.New("archive: the index is damaged")
	ErrExists  = errors.New("archive: the file is there already")
)
