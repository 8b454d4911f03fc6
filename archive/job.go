package archive

import (
	"context"
	"errors"
	"sync"
)

// Job fetches what is not there yet. Fields are set once before Run.
type Job struct {
	Source   Source
	Folder   *Folder
	Parallel int // files at a time, at least 1
	// Progress is told after each licence how many of an item's are done, of how many; nil: nobody. Calls do not overlap.
	Progress func(item string, done, total int)
}

// Outcome is what became of an item.
type Outcome struct {
	Item     string
	Total    int
	Archived int       // fetched now
	Present  int       // were there
	Failed   []Failure // could not be had
	Refused  *Refusal  // the list itself was refused
}

// Failure is a licence that could not be had.
type Failure struct {
	Code string
	Why  *Refusal
}

// Run archives the items, one after the other. The outcomes are those of the items until an error ended it, the last perhaps in part.
func (j *Job) Run(ctx context.Context, items []string) ([]Outcome, error) {
	var all []Outcome
	for _, item := range items {
		out, err := j.item(ctx, item)
		all = append(all, out)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// tally counts an item's licences as workers finish them.
type tally struct {
	mu       sync.Mutex
	out      Outcome
	done     int
	progress func(item string, done, total int)
}

func (t *tally) add(count func(*Outcome)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	count(&t.out)
	t.done++
	t.out.Total = max(t.out.Total, t.done) // more may be issued while we work
	if t.progress != nil {
		t.progress(t.out.Item, t.done, t.out.Total)
	}
}

func (j *Job) item(ctx context.Context, item string) (Outcome, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t := &tally{out: Outcome{Item: item}, progress: j.Progress}
	entries := make(chan Entry)
	var workers sync.WaitGroup
	for range max(j.Parallel, 1) {
		workers.Go(func() {
			for e := range entries {
				if err := j.one(ctx, e, t); err != nil {
					stop(err)
				}
			}
		})
	}
	err := j.list(ctx, item, t, entries)
	close(entries)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause // why it stopped, not what stopping broke
	}
	return t.out, err
}

// list hands the licences of an item to the workers, page by page.
func (j *Job) list(ctx context.Context, item string, t *tally, entries chan<- Entry) error {
	after, seen := "", map[string]bool{}
	for first := true; first || after != ""; first = false {
		page, err := j.Source.List(ctx, item, after)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			t.mu.Lock()
			t.out.Refused = refusal
			t.mu.Unlock()
			return nil
		}
		if err != nil {
			return err
		}
		if first {
			t.mu.Lock()
			t.out.Total = page.Total
			t.mu.Unlock()
		}
		for _, e := range page.Entries {
			select {
			case entries <- e:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if page.Next != "" && seen[page.Next] {
			return errors.New("archive: the list turns in a circle")
		}
		after = page.Next
		seen[after] = true
	}
	return nil
}

// one archives one licence, unless it is there.
func (j *Job) one(ctx context.Context, e Entry, t *tally) error {
	if ctx.Err() != nil {
		return nil // another worker said why
	}
	there, err := j.Folder.Has(e.Code)
	if err != nil {
		return err
	}
	if there {
		t.add(func(o *Outcome) { o.Present++ })
		return nil
	}
	file, err := j.Source.Fetch(ctx, e)
	if err == nil {
		err = j.Folder.Put(e, file)
	}
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		t.add(func(o *Outcome) { o.Failed = append(o.Failed, Failure{e.Code, refusal}) })
	case err != nil:
		return err
	default:
		t.add(func(o *Outcome) { o.Archived++ })
	}
	return nil
}
