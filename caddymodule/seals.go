package caddymodule

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"licgate/licence"
	"licgate/render"
	"licgate/seal"
)

// SealOptions say how files are sealed.
type SealOptions struct {
	// SM2Stamp and P256Stamp are time-stamp authorities (RFC 3161) for the seal and for the ordinary signature. Default: the built-in one.
	SM2Stamp  *StampAuthority `json:"sm2_stamp,omitempty"`
	P256Stamp *StampAuthority `json:"p256_stamp,omitempty"`
}

// StampAuthority is an external time-stamp authority.
type StampAuthority struct {
	URL string `json:"url"`
	// Roots is a PEM file of the certificates that its own must lead to.
	Roots string `json:"roots"`
}

// stampTimeout bounds one question to an external time-stamp authority.
const stampTimeout = 10 * time.Second

// parseSeal parses
//
//	seal {
//		timestamp sm2|p256 <url> <file of roots>
//	}
func parseSeal(d *caddyfile.Dispenser, o *SealOptions) error {
	return section(d, func(word string) error {
		if word != "timestamp" {
			return unknownWord(d, word)
		}
		var algorithms string
		s := new(StampAuthority)
		if !d.Args(&algorithms, &s.URL, &s.Roots) || d.NextArg() {
			return d.ArgErr()
		}
		target, known := map[string]**StampAuthority{"sm2": &o.SM2Stamp, "p256": &o.P256Stamp}[algorithms]
		if !known {
			return d.Errf("timestamp: %q is neither sm2 nor p256", algorithms)
		}
		*target = s
		return nil
	})
}

// stamper opens an external authority; nil: the built-in one.
func (s *StampAuthority) stamper() (seal.Stamper, error) {
	if s == nil {
		return nil, nil
	}
	text, err := os.ReadFile(s.Roots)
	if err != nil {
		return nil, err
	}
	roots, err := seal.ParseRoots(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Roots, err)
	}
	return &seal.HTTPStamper{URL: s.URL, Client: &http.Client{Timeout: stampTimeout}, Roots: append(roots.CAs, roots.Makers...)}, nil
}

// openSeals opens the sealing keys, beside the other keys of the platform and under the same master key: nodes that share those share the
// authority.
func (g *gateway) openSeals(ctx context.Context, a *App) (err error) {
	dir := filepath.Join(a.Data, "keys", "seals")
	var stampers [2]seal.Stamper
	if stampers[seal.SM2SM3], err = a.Seal.SM2Stamp.stamper(); err != nil {
		return err
	}
	if stampers[seal.P256SHA256], err = a.Seal.P256Stamp.stamper(); err != nil {
		return err
	}
	name := fmt.Sprintf("seals:%s %+v %+v", a.keysName(), a.Seal.SM2Stamp, a.Seal.P256Stamp)
	g.seals, err = take(g, name, func() (*seals, func() error, error) {
		keys, err := seal.OpenFileKeys(ctx, dir, rand.Reader, g.keys)
		if err != nil {
			return nil, nil, keyFault(err)
		}
		if err := keys.InClear(); err != nil {
			a.logger.Error("private keys of seals stay in clear, for their folder can't be written; `licgate keys status` counts them, the next start tries again",
				zap.String("folder", dir), zap.Error(err))
		}
		authority, err := seal.Open(ctx, dir, keys, seal.Options{Stampers: stampers})
		return &seals{Authority: authority, keys: keys}, nil, keyFault(err)
	})
	return err
}

// sealRoots is the file, in the data folder, of what a verifier has to trust.
const sealRoots = "seal-roots.pem"

// Sizes of a seal's picture in pixels. An OFD shows it: enough for print. A PDF holds it as its standard wants, in hexadecimal digits, and shows
// the seal that is drawn on the page.
const (
	sealPixelsOFD = 240
	sealPixelsPDF = 64
)

// file draws a licence from masked data as PDF or OFD, and seals it. Its QR code is good for as long as the file is kept.
func (t *trip) file(ctx context.Context, l *licence.Licence, ofd bool) ([]byte, error) {
	view, err := t.view(ctx, l)
	if err != nil {
		return nil, err
	}
	if err := t.showCode(view, l, time.Time{}); err != nil {
		return nil, err
	}
	draw, put, pixels := render.PDF, t.app.gateway.seals.SignPDF, sealPixelsPDF
	if ofd {
		view.SealApart = true
		draw, put, pixels = render.OFD, t.app.gateway.seals.SignOFD, sealPixelsOFD
	}
	var file *render.File
	if err := t.drawn(ctx, l.Item, view, func() (err error) {
		file, err = draw(view)
		return err
	}); err != nil {
		return nil, fmt.Errorf("rendering a licence: %w", err)
	}
	s, err := t.sealOf(ctx, l, pixels)
	if err != nil {
		return nil, err
	}
	how := seal.Signing{Seal: s, At: view.At}
	if at := file.Seal; at != nil {
		how.Page, how.Box = at.Page, seal.Box{X: at.X, Y: at.Y, Width: at.Size, Height: at.Size}
	} else if ofd {
		how.Box = cornerSeal
	}
	sealed, err := put(ctx, file.Data, how)
	if err != nil {
		return nil, fmt.Errorf("sealing a licence: %w", err)
	}
	return sealed, nil
}

// cornerSeal is where a seal stands on an OFD page whose face has no place for one: GB/T 38540 knows no invisible seals.
var cornerSeal = seal.Box{X: 10, Y: 10, Width: 20, Height: 20}

// sealOf finds the seal that a licence is sealed with. Whose seal it is, and by which code, the registry says, not the licence: a caller may write
// any issuer into its fields, and any seal_code.
func (t *trip) sealOf(ctx context.Context, l *licence.Licence, pixels int) (*seal.Seal, error) {
	code, name := t.sealCode(l), t.state.issuer(l)
	picture, err := t.app.gateway.seals.picture(name, code, pixels)
	if err != nil {
		return nil, fmt.Errorf("drawing a seal: %w", err)
	}
	return t.app.gateway.seals.Seal(ctx, seal.Spec{Code: cmp.Or(code, l.Department), Name: name, Department: l.Department, Picture: picture})
}

// seals are the sealing keys, and the pictures of seals: to draw one takes as long as to draw a licence.
type seals struct {
	*seal.Authority
	keys     *seal.FileKeys
	pictures sync.Map // sealLook → []byte
}

// status says under which key-encryption key the sealing keys are.
func (s *seals) status() ([]sealKeysRow, error) {
	files, err := s.keys.Status()
	if err != nil {
		return nil, err
	}
	byKEK := map[string]*sealKeysRow{}
	for _, f := range files {
		row := byKEK[f.KEK]
		if row == nil {
			row = &sealKeysRow{KEK: f.KEK}
			byKEK[f.KEK] = row
		}
		if f.Damaged {
			row.Damaged = append(row.Damaged, f.File)
		} else {
			row.Keys++
		}
	}
	rows := make([]sealKeysRow, 0, len(byKEK))
	for _, kek := range slices.Sorted(maps.Keys(byKEK)) {
		rows = append(rows, *byKEK[kek])
	}
	return rows, nil
}

// sealLook is all that a seal's picture depends on.
type sealLook struct {
	name, code string
	pixels     int
}

func (s *seals) picture(name, code string, pixels int) ([]byte, error) {
	look := sealLook{name, code, pixels}
	if known, ok := s.pictures.Load(look); ok {
		return known.([]byte), nil
	}
	picture, err := render.SealPicture(name, code, pixels)
	if err == nil {
		s.pictures.Store(look, picture)
	}
	return picture, err
}

// sealCode is the item's registered seal_code; "": the department's only seal. That of an item belongs to the department of the item: another
// one that may issue it has seals of its own.
func (t *trip) sealCode(l *licence.Licence) string {
	if item, ok := t.state.registry.Item(l.Item); ok && item.Department == l.Department {
		return item.SealCode
	}
	return ""
}

// exportSealRoots writes the certificates that files are verified by where everybody on this machine, and who is given them, finds them.
func (a *App) exportSealRoots() error {
	return writePublic(filepath.Join(a.Data, sealRoots), a.gateway.seals.Roots().PEM())
}

// writePublic replaces a file that everybody may read. It is renamed into place, so that nobody reads half of it.
func writePublic(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return fmt.Errorf("licgate: writing %s: %w", filepath.Base(path), err)
	}
	return os.Rename(path+".new", path)
}
