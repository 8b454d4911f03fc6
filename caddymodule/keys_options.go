package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"licgate/gm"
)

// KeyOptions say how the keys are guarded. Nothing in them is a secret: paths, names and addresses only.
type KeyOptions struct {
	// Wrapper guards the root key, the data keys and the sealing keys. Default: the root key stands in keys/local.key in clear, mode 0600, and
	// guards the others.
	Wrapper *KeyWrapper `json:"wrapper,omitempty"`
	// Former are wrappers of before; needed until licgate keys rewrap has run on every node.
	Former []KeyWrapper `json:"former,omitempty"`
	// Period is how long a department seals under one key: "quarter" (default), "month" or "year".
	Period string `json:"period,omitempty"`
	// Grace is how long a key stays after the next one came, before it may be destroyed as unused. It must be longer than the nodes' clocks
	// differ, and at least 10 s. Default 1 h.
	Grace caddy.Duration `json:"grace,omitempty"`
}

// KeyWrapper names a key-encryption key.
type KeyWrapper struct {
	// Kind is "file", "passphrase" or "transit".
	Kind string `json:"kind"`
	// File holds the key (kind file; made when missing) or the passphrase (kind passphrase; at least 12 characters), mode 0600. {env.NAME}
	// takes the path, never a secret, from an environment variable.
	File string `json:"file,omitempty"`
	// Address, Mount, Key, TokenFile, CAFile, Namespace and Timeout are those of a Vault Transit engine (kind transit).
	Address   string         `json:"address,omitempty"`
	Mount     string         `json:"mount,omitempty"`
	Key       string         `json:"key,omitempty"`
	TokenFile string         `json:"token_file,omitempty"`
	CAFile    string         `json:"ca_file,omitempty"`
	Namespace string         `json:"namespace,omitempty"`
	Timeout   caddy.Duration `json:"timeout,omitempty"`
}

// parseKeys parses
//
//	keys {
//		wrapper file       <path>
//		wrapper passphrase <path of a file that holds it>
//		wrapper transit    <https://host:port> <key> {
//			mount      <name>
//			token_file <path>
//			ca_file    <path>
//			namespace  <name>
//			timeout    <duration>
//		}
//		former  …      as wrapper; may be repeated
//		period  quarter | month | year
//		grace   <duration>
//	}
func parseKeys(d *caddyfile.Dispenser, o *KeyOptions) error {
	return section(d, func(word string) error {
		switch word {
		case "wrapper":
			if o.Wrapper != nil {
				return d.Err("there is one wrapper; those of before are former")
			}
			o.Wrapper = new(KeyWrapper)
			return parseWrapper(d, o.Wrapper)
		case "former":
			var w KeyWrapper
			err := parseWrapper(d, &w)
			o.Former = append(o.Former, w)
			return err
		case "period":
			return one(d, &o.Period)
		case "grace":
			return duration(d, &o.Grace)
		}
		return unknownWord(d, word)
	})
}

func parseWrapper(d *caddyfile.Dispenser, w *KeyWrapper) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	w.Kind = d.Val()
	switch w.Kind {
	case "file", "passphrase":
		return one(d, &w.File)
	case "transit":
	default:
		return d.Errf("wrapper %q: a key is wrapped by file, passphrase or transit", w.Kind)
	}
	if !d.Args(&w.Address, &w.Key) || d.NextArg() {
		return d.ArgErr()
	}
	texts := map[string]*string{"mount": &w.Mount, "token_file": &w.TokenFile, "ca_file": &w.CAFile, "namespace": &w.Namespace}
	return words(d, func(word string) error {
		if into, known := texts[word]; known {
			return one(d, into)
		}
		if word == "timeout" {
			return duration(d, &w.Timeout)
		}
		return unknownWord(d, word)
	})
}

// minGrace is the least Grace: twice for how long a node goes on by what it last read of the keys (gm.KeysConfig).
const minGrace = 10 * time.Second

// check refuses what can't work; it does not look at files.
func (o *KeyOptions) check() error {
	if _, err := gm.ParsePeriod(cmp.Or(o.Period, gm.Quarter.String())); err != nil {
		return fmt.Errorf("licgate: keys period is %q, allowed are quarter, month and year", o.Period)
	}
	if o.Grace != 0 && time.Duration(o.Grace) < minGrace {
		return fmt.Errorf("licgate: keys grace must be at least %s: other nodes take so long to notice a rotation", minGrace)
	}
	wrappers := o.Former
	if o.Wrapper != nil {
		wrappers = append([]KeyWrapper{*o.Wrapper}, wrappers...)
	}
	for _, w := range wrappers {
		switch {
		case w.Kind != "file" && w.Kind != "passphrase" && w.Kind != "transit":
			return fmt.Errorf("licgate: keys wrapper is %q, allowed are file, passphrase and transit", w.Kind)
		case w.Kind == "transit" && (w.Address == "" || w.Key == "" || w.TokenFile == ""):
			return errors.New("licgate: keys wrapper transit needs an address, the name of a key, and token_file")
		case w.Kind != "transit" && w.File == "":
			return fmt.Errorf("licgate: keys wrapper %s needs the path of a file", w.Kind)
		}
	}
	return nil
}

// environment is a path that an environment variable gives.
var environment = regexp.MustCompile(`^\{env\.([A-Za-z_][A-Za-z0-9_]*)\}$`)

// path is the file of a wrapper. What a variable holds instead of a path is never repeated.
func (w *KeyWrapper) path() (string, error) {
	if m := environment.FindStringSubmatch(w.File); m != nil {
		return gm.EnvFile(m[1])
	}
	path, err := filepath.Abs(caddy.NewReplacer().ReplaceAll(w.File, ""))
	return path, err
}

// open opens the key-encryption key. dir is the keys folder.
func (w *KeyWrapper) open(dir string) (gm.KeyWrapper, error) {
	if w.Kind == "transit" {
		return gm.TransitWrapper(gm.Transit{
			Address: w.Address, Mount: w.Mount, Key: w.Key, TokenFile: w.TokenFile, CAFile: w.CAFile, Namespace: w.Namespace, Timeout: time.Duration(w.Timeout),
		})
	}
	path, err := w.path()
	if err != nil {
		return nil, err
	}
	if w.Kind == "passphrase" {
		return gm.PassphraseWrapper(filepath.Join(dir, "passphrase.key"), gm.PassphraseFile(path), 0, nil)
	}
	return gm.FileWrapper(path, nil)
}
