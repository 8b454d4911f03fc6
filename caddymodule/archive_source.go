package caddymodule

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"licgate/archive"
	"licgate/client"
)

// archivePage is how many licences are listed at a time: their auth_codes live a day, and a page is worked off in minutes.
const archivePage = 200

// archiveSource fetches from a gateway.
type archiveSource struct {
	client                       *client.Client
	serviceItem, since, fileType string
	sensitive                    bool
	patience                     patience
}

// List lists what the department issued.
func (s *archiveSource) List(ctx context.Context, item, after string) (archive.Page, error) {
	var answer *client.Answer[client.ArchivePage]
	err := s.patience.call(ctx, func() (err error) {
		answer, err = s.client.ArchiveList(ctx, item, client.ArchiveQuery{
			ServiceItemCode: s.serviceItem, Since: s.since, After: after, PageSize: archivePage,
		})
		return err
	})
	if err != nil {
		return archive.Page{}, refusedAlone(err, "3", "4")
	}
	page := archive.Page{Next: answer.Data.Next, Total: answer.TotalCount}
	for _, l := range answer.Data.Licenses {
		page.Entries = append(page.Entries, archive.Entry{Item: item, Code: l.LicenseCode, IssueDate: l.IssueDate, AuthCode: l.AuthCode})
	}
	return page, nil
}

// Fetch fetches one licence as a file.
func (s *archiveSource) Fetch(ctx context.Context, e archive.Entry) (archive.File, error) {
	var answer *client.Answer[client.File]
	err := s.patience.call(ctx, func() (err error) {
		answer, err = s.client.ArchiveAs(ctx, client.ArchiveRequest{AuthCode: e.AuthCode, FileType: s.fileType, ShowSensitiveData: s.sensitive})
		return err
	})
	if err != nil {
		return archive.File{}, refusedAlone(err, "4", codeFault)
	}
	return archive.File{Data: answer.Data.Data, ResponseID: answer.ResponseID}, nil
}

const (
	codeFault    = "90001" // of one licence: the others may be sound
	codeFileType = "40016" // of all
)

// refusedAlone turns a refusal whose code begins with one of kinds into one that leaves the rest of the work.
func refusedAlone(err error, kinds ...string) error {
	var e *client.Error
	if !errors.As(err, &e) || e.Code == codeFileType {
		return err
	}
	for _, kind := range kinds {
		if strings.HasPrefix(e.Code, kind) {
			return &archive.Refusal{Code: e.Code, Message: e.Message, ResponseID: e.ResponseID}
		}
	}
	return err
}

// patience repeats what may succeed later. What one caller learns of the rate holds for all: they wait together. The zero value is ready.
type patience struct {
	mu    sync.Mutex
	until time.Time
}

// tries is how often a call is made that finds the gateway out of order: over 1, 2, 4 and 8 seconds.
const tries = 5

// call makes a call until it succeeds or is refused for good. A refusal for the rate alone is no failure, however many there are.
func (p *patience) call(ctx context.Context, do func() error) error {
	for try := 1; ; {
		if err := p.hold(ctx); err != nil {
			return err
		}
		err := do()
		var e *client.Error
		refused := errors.As(err, &e)
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case refused && e.RateExceeded():
			p.extend(max(e.RetryAfter, time.Second))
			continue
		case refused && !e.Temporary(),
			refused && e.HTTPStatus == http.StatusInternalServerError && try > 1, // a fault that stays
			errors.Is(err, client.ErrNoSession), errors.Is(err, client.ErrTooLong), errors.Is(err, client.ErrMixedUp),
			try == tries:
			return err
		}
		if err := pause(ctx, time.Second<<(try-1)+rand.N(500*time.Millisecond)); err != nil {
			return err
		}
		try++
	}
}

// extend makes everybody wait.
func (p *patience) extend(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

// hold waits until the rate allows a call again.
func (p *patience) hold(ctx context.Context) error {
	p.mu.Lock()
	left := time.Until(p.until)
	p.mu.Unlock()
	if left <= 0 {
		return ctx.Err()
	}
	return pause(ctx, left)
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
