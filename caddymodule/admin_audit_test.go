package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"licgate/gm"
	"licgate/licence"
)

// heldStore has one holder with so many licences.
type heldStore struct {
	licence.Store
	held, asked int
}

func (s *heldStore) ListEverHeld(_ context.Context, _ []byte, after string, limit int) (page []licence.Stored, _ error) {
	s.asked++
	from := 0
	if after != "" {
		if _, err := fmt.Sscanf(after, "L%d", &from); err != nil {
			return nil, err
		}
		from++
	}
	for n := from; n < min(from+limit, s.held); n++ {
		page = append(page, licence.Stored{Code: fmt.Sprintf("L%06d", n)})
	}
	return page, nil
}

// TestAboutHolder: a search for a holder looks for all of his licences, page by page, and for no more than it can.
func TestAboutHolder(t *testing.T) {
	t.Parallel()
	keys, err := gm.OpenKeys(t.Context(), gm.KeysConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	for _, test := range []struct{ held, asked, status int }{{0, 1, 0}, {3, 1, 0}, {500, 2, 0}, {1203, 3, 0}, {maxHeld, 21, 0}, {maxHeld + 1, 21, http.StatusUnprocessableEntity}, {10 * maxHeld, 21, http.StatusUnprocessableEntity}} {
		held := &heldStore{held: test.held}
		g := &gateway{keys: keys, licences: &licence.Service{Store: held, Keys: keys}}
		c := &adminCall{app: &App{gateway: g}, r: httptest.NewRequest(http.MethodPost, "/", nil)}
		about, err := c.aboutHolder("110101199003070011")
		switch {
		case test.status != 0 && (err == nil || adminStatus(err) != test.status):
			t.Errorf("%d held: %v", test.held, err)
		case test.status == 0 && (err != nil || len(about.Licences) != test.held || about.Identity != g.auditHash("identity", "110101199003070011")):
			t.Errorf("%d held: %v", test.held, err)
		case held.asked != test.asked:
			t.Errorf("%d held: asked %d times", test.held, held.asked)
		}
		if err == nil && test.held > 0 && about.Licences[test.held-1] != g.auditHash("licence", fmt.Sprintf("L%06d", test.held-1)) {
			t.Errorf("%d held: the last is missing", test.held)
		}
	}
}
