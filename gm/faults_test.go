package gm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var errInjected = errors.New("injected failure")

// faulty is the disk, with a failure at a chosen call, and a memory of what a power cut leaves. Every call that changes something counts.
type faulty struct {
	osDisk
	calls  []string
	failAt int    // call, from 1; 0: none
	how    string // "failed"; "persisted": it fails, but was done; "partly": half of a write
	dead   bool   // from then on every call fails: the process died

	names   map[string]*inode // what the folder shows
	durable map[string]*inode // what it shows after a power cut
}

// inode is a file: its content, and what of it a power cut leaves.
type inode struct{ content, durable []byte }

func newFaulty() *faulty { return &faulty{names: map[string]*inode{}, durable: map[string]*inode{}} }

func (f *faulty) do(call string, action func() error) error {
	f.calls = append(f.calls, call)
	switch {
	case f.failAt == 0 || len(f.calls) < f.failAt:
		return action()
	case len(f.calls) > f.failAt && f.dead:
		return errInjected
	case len(f.calls) > f.failAt:
		return action()
	case f.how == "persisted":
		return errors.Join(errInjected, action())
	}
	return errInjected
}

func (f *faulty) create(dir, prefix string) (file diskFile, err error) {
	err = f.do("create", func() error {
		file, err = f.osDisk.create(dir, prefix)
		if err == nil {
			f.names[file.Name()] = new(inode)
		}
		return err
	})
	if err != nil {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
		return nil, err
	}
	return &faultyFile{diskFile: file, disk: f, inode: f.names[file.Name()]}, nil
}

func (f *faulty) rename(from, to string) error {
	return f.do("rename", func() error {
		f.names[to] = f.names[from]
		delete(f.names, from)
		return f.osDisk.rename(from, to)
	})
}

func (f *faulty) link(from, to string) error {
	return f.do("link", func() error {
		err := f.osDisk.link(from, to)
		if err == nil {
			f.names[to] = f.names[from]
		}
		return err
	})
}

func (f *faulty) remove(name string) error {
	return f.do("remove", func() error {
		delete(f.names, name)
		return f.osDisk.remove(name)
	})
}

func (f *faulty) syncDir(string) error {
	return f.do("syncdir", func() error {
		f.durable = maps.Clone(f.names)
		return nil
	})
}

type faultyFile struct {
	diskFile
	disk  *faulty
	inode *inode
}

func (f *faultyFile) Write(b []byte) (n int, err error) {
	err = f.disk.do("write", func() error {
		f.inode.content = append(f.inode.content, b...)
		n, err = f.diskFile.Write(b)
		return err
	})
	if err != nil && f.disk.how == "partly" && !f.disk.dead {
		f.inode.content = append(f.inode.content, b[:len(b)/2]...)
		_, _ = f.diskFile.Write(b[:len(b)/2])
	}
	return n, err
}

func (f *faultyFile) Sync() error {
	return f.disk.do("sync", func() error {
		f.inode.durable = slices.Clone(f.inode.content)
		return nil
	})
}

func (f *faultyFile) Close() error {
	return errors.Join(f.diskFile.Close(), f.disk.do("close", func() error { return nil }))
}

// images are the folders that a crash at this moment may leave: what the system showed, what was durable, and names that became durable
// before their content did.
func (f *faulty) images(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	image := func(name string, names map[string]*inode, content func(*inode) []byte) {
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for path, node := range names {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), content(node), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		all[name] = dir
	}
	image("killed", f.names, func(n *inode) []byte { return n.content })
	image("power cut", f.durable, func(n *inode) []byte { return n.durable })
	image("power cut, names first", f.names, func(n *inode) []byte { return n.durable })
	return all
}

// drill is all that a keyring does to its store, and what was promised on the way.
type drill struct {
	sealed    [][]byte // must open, whatever happens next
	destroyed [][]byte // must not open
}

func (d *drill) run(k *Keyring, c *clock) error {
	ctx := context.Background()
	put := func(department string) error {
		sealed, err := k.SealFor(department, []byte(secret), []byte(column))
		if err == nil {
			d.sealed = append(d.sealed, sealed)
		}
		return err
	}
	for _, step := range []func() error{
		func() error { return put(civil) },
		func() error { return put(second) },
		func() error { _, err := k.Rotate(ctx, civil); return err },
		func() error { return put(civil) },
		func() error { _, err := k.Rewrap(ctx); return err },
		func() error {
			c.pass(graceAndMore)
			first := d.sealed[0]
			id, err := SealedBy(first)
			if err != nil {
				return err
			}
			// Nothing uses it any more: it is promised no longer.
			d.sealed = d.sealed[1:]
			if err := k.Destroy(ctx, id, func(context.Context, KeyID) (bool, error) { return false, nil }); err != nil {
				return err
			}
			d.destroyed = append(d.destroyed, first)
			return nil
		},
		func() error {
			lost := d.sealed[0]
			d.sealed = d.sealed[1:]
			if err := k.Shred(ctx, second, nobody); err != nil {
				return err
			}
			d.destroyed = append(d.destroyed, lost)
			return nil
		},
		func() error { return put(civil) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// check holds what a folder has to what was promised, and goes on with it.
func (d *drill) check(t *testing.T, dir string, c *clock) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, keyringFile), []byte(goldenFile), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := OpenKeys(t.Context(), KeysConfig{Dir: dir, Now: c.Now})
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	defer func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, sealed := range d.sealed {
		wantOpen(t, k, sealed)
	}
	for _, sealed := range d.destroyed {
		if _, err := k.Open(sealed, []byte(column)); !errors.Is(err, ErrShredded) {
			t.Errorf("a destroyed key: error %v, want ErrShredded", err)
		}
	}
	rotate(t, k, civil)
	wantOpen(t, k, seal(t, k, civil))
	s, err := k.Status(t.Context())
	if err != nil || len(s.Missing) > 0 || slices.ContainsFunc(s.Keys, func(k KeyStatus) bool { return k.Damaged }) {
		t.Errorf("status %+v, error %v", s, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("the folder holds %v, error %v", entries, err)
	}
}

// Every call on the disk fails, in every way, and the process goes on or dies there. What was promised before holds in all that a crash
// may leave.
func TestFaultsAtEveryCall(t *testing.T) {
	t.Parallel()
	rehearse := func(d *faulty) (*drill, *clock, error) {
		t.Helper()
		dir, c := t.TempDir(), newClock()
		if err := os.WriteFile(filepath.Join(dir, keyringFile), []byte(goldenFile), 0o600); err != nil {
			t.Fatal(err)
		}
		act := new(drill)
		store, err := openFileKeys(dir, d)
		if err != nil {
			return act, c, err
		}
		defer func() { _ = store.Close() }()
		k, err := OpenKeys(t.Context(), KeysConfig{Dir: dir, Store: store, Now: c.Now})
		if err != nil {
			return act, c, err
		}
		return act, c, act.run(k, c)
	}
	whole := newFaulty()
	if _, _, err := rehearse(whole); err != nil {
		t.Fatal(err)
	}
	if len(whole.calls) < 40 {
		t.Fatalf("only %d calls: %v", len(whole.calls), whole.calls)
	}
	for at, call := range whole.calls {
		for _, how := range []string{"failed", "persisted", "partly"} {
			if how == "partly" && call != "write" {
				continue
			}
			for _, dead := range []bool{true, false} {
				t.Run(fmt.Sprintf("%d %s %s dead %v", at+1, call, how, dead), func(t *testing.T) {
					t.Parallel()
					d := newFaulty()
					d.failAt, d.how, d.dead = at+1, how, dead
					act, c, err := rehearse(d)
					if err != nil && !errors.Is(err, errInjected) {
						t.Fatalf("error %v, want the injected one", err)
					}
					if err == nil && dead && at+1 < len(whole.calls)-2 {
						t.Error("the process died and went on")
					}
					c.pass(10 * time.Second)
					for name, dir := range d.images(t, t.TempDir()) {
						t.Run(name, func(t *testing.T) { act.check(t, dir, c) })
					}
				})
			}
		}
	}
}

// A writer dies between giving the file its name and making that durable. Another process that reads the key makes it durable before
// anything is sealed by it.
func TestReaderMakesKeysDurable(t *testing.T) {
	t.Parallel()
	dir, c, d := folder(t, "local-1.key", keyringFile), newClock(), newFaulty()
	open := func(d *faulty) *Keyring {
		store, err := openFileKeys(dir, d)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return node(t, dir, c, on(store))
	}
	writer := open(d)
	// create, write, sync, close, rename; then, at the sync of the folder, it dies.
	d.failAt, d.how, d.dead = len(d.calls)+6, "failed", true
	if _, err := writer.Rotate(t.Context(), civil); !errors.Is(err, errInjected) || d.calls[len(d.calls)-1] != "syncdir" {
		t.Fatalf("error %v after %v", err, d.calls)
	}
	d.failAt = 0
	reader := open(d)
	sealed := seal(t, reader, civil)
	images := d.images(t, t.TempDir())
	(&drill{sealed: [][]byte{sealed}}).check(t, images["power cut"], c)
}

// Making local.key: a crash leaves none or a whole one.
func TestFaultsMakingAKeyFile(t *testing.T) {
	t.Parallel()
	content := []byte(goldenFile)
	for _, replace := range []bool{false, true} {
		write := func(d *faulty, path string) error {
			if replace {
				return replaceKeyFile(d, path, content)
			}
			return createKeyFile(d, path, content)
		}
		whole := newFaulty()
		if err := write(whole, filepath.Join(t.TempDir(), keyringFile)); err != nil {
			t.Fatal(err)
		}
		for at := range whole.calls {
			for _, how := range []string{"failed", "persisted", "partly"} {
				d := newFaulty()
				d.failAt, d.how, d.dead = at+1, how, true
				path := filepath.Join(t.TempDir(), keyringFile)
				old := &inode{content: []byte("old"), durable: []byte("old")}
				if replace {
					if err := os.WriteFile(path, old.content, 0o600); err != nil {
						t.Fatal(err)
					}
					d.names[path], d.durable[path] = old, old
				}
				_ = write(d, path)
				for name, dir := range d.images(t, t.TempDir()) {
					got, err := os.ReadFile(filepath.Join(dir, keyringFile))
					switch {
					case err == nil && string(got) == string(content):
					case replace && string(got) == "old":
					case !replace && errors.Is(err, os.ErrNotExist):
					default:
						t.Errorf("call %d (%s) %s, %s: the file is %q, error %v", at+1, whole.calls[at], how, name, got, err)
					}
				}
			}
		}
	}
}
