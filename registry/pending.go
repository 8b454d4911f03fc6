package registry

import (
	"context"
	"errors"
	"time"
)

// States of a Pending change.
const (
	PendingOpen     = "open"     // waits for a second administrator
	PendingApproved = "approved" // in force as Version
	PendingRejected = "rejected" // by an approver, or withdrawn by who proposed it
	PendingExpired  = "expired"  // nobody decided in time
)

// A Pending is a change that one administrator proposed and a second one has to approve. What takes effect is what the approver
// saw: Changes is compared with the difference at approval.
type Pending struct {
	ID      int64     `json:"id"` // from 1, without gaps
	By      string    `json:"by"`
	Why     string    `json:"why,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Base    int64     `json:"base"`    // policy version in force when it was proposed
	Classes []string  `json:"classes"` // of its changes (Classes)
	Changes []Change  `json:"changes"`
	// Shifts is a digest of the rights that it would give and take: the same changes may mean more over another policy.
	Shifts string `json:"-"`
	// Force lets it empty the policy or lock out the last security administrator.
	Force bool `json:"force,omitempty"`
	// Form is the number of the application form (appendix A) that it came from, "" for none.
	Form string `json:"form,omitempty"`

	State     string    `json:"state"`
	DecidedBy string    `json:"decided_by,omitempty"`
	Decided   time.Time `json:"decided,omitzero"`
	Note      string    `json:"note,omitempty"`    // the approver's, or why it was rejected
	Version   int64     `json:"version,omitempty"` // of the policy that it became

	// Declaration is the sealed declaration (SealDeclaration). Lists go without it, and so does what was decided.
	Declaration []byte `json:"-"`
}

// ErrNoPending says that there is no such change; ErrDecided that it does not wait any more; ErrRedeclared that its declaration is not the
// one that was judged: keys were rotated meanwhile.
var (
	ErrNoPending  = errors.New("registry: no such pending change")
	ErrDecided    = errors.New("registry: the change was decided already")
	ErrRedeclared = errors.New("registry: the declaration of the change was replaced")
)

// PendingStore keeps pending changes for all nodes. Implementations are durable when they return nil, and safe for concurrent use.
type PendingStore interface {
	// AddPending keeps p as open and returns its ID; with it, whole or not at all, the form that it came from, if any: ErrFormExists.
	AddPending(ctx context.Context, p Pending, form *Form) (int64, error)
	// GetPending returns one with its Declaration; ErrNoPending.
	GetPending(ctx context.Context, id int64) (Pending, error)
	// ListPending returns those of a state ("": all), newest first, at most limit, without Declaration.
	ListPending(ctx context.Context, state string, limit int) ([]Pending, error)
	// DecidePending brings an open one into another state, once: ErrDecided for one that is not open, ErrNoPending.
	// State, DecidedBy, Decided, Note and Version of decision are kept. A Declaration in it is the one that was judged: ErrRedeclared when
	// another stands there.
	DecidePending(ctx context.Context, id int64, decision Pending) error
}

// A Form is an application form of appendix A as it was handed in.
type Form struct {
	Number   string    `json:"number"` // of the form; grants name it
	Received time.Time `json:"received"`
	By       string    `json:"by"`      // who entered it
	Unit     string    `json:"unit"`    // 单位名称
	Digest   string    `json:"digest"`  // hex SM3 of the file
	Pending  int64     `json:"pending"` // the change that it became
	// Sealed is the file itself, encrypted: it names contact persons. Lists go without it.
	Sealed []byte `json:"-"`
}

// ErrNoForm says that there is no form of that number; ErrFormExists that there is one.
var (
	ErrNoForm     = errors.New("registry: no such form")
	ErrFormExists = errors.New("registry: a form of that number exists")
)

// FormStore reads the forms that came with pending changes (AddPending).
type FormStore interface {
	// GetForm returns one with Sealed; ErrNoForm.
	GetForm(ctx context.Context, number string) (Form, error)
	// ListForms returns forms newest first, at most limit, without Sealed.
	ListForms(ctx context.Context, limit int) ([]Form, error)
}

// A SecretUse says when an application last logged in with one of its secrets. Secret is SecretID of its hash.
type SecretUse struct {
	AppKey   string    `json:"app_key"`
	Secret   string    `json:"secret"`
	LastUsed time.Time `json:"last_used"`
}

// SecretUses keeps the last use of each secret for all nodes.
type SecretUses interface {
	// NoteSecretUse keeps at as the last use, unless a later one is kept.
	NoteSecretUse(ctx context.Context, use SecretUse) error
	// ListSecretUses returns all, by AppKey and Secret.
	ListSecretUses(ctx context.Context) ([]SecretUse, error)
}

// Replaced are the stored hashes of the secrets and passwords that changes would replace in a platform, in their order.
func Replaced(changes []Change, current *Platform) []string {
	s := NewSnapshot(current)
	var hashes []string
	for _, c := range changes {
		switch {
		case c.Kind == kindAdministrator && c.Field == "password":
			if a, ok := s.Administrator(c.Key); ok {
				hashes = append(hashes, a.PasswordHash)
			}
		case c.Kind == kindAccount && c.Field == "password":
			if a, ok := s.Account(c.Key); ok {
				hashes = append(hashes, a.PasswordHash)
			}
		case c.Kind == kindApplication && c.Field == "secret":
			if a, ok := s.Application(c.Key); ok {
				hashes = append(hashes, a.SecretHash)
			}
		}
	}
	return hashes
}
