package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// noArguments parses a directive that takes neither arguments nor a block.
func noArguments(d *caddyfile.Dispenser) error {
	return block(d, func(word string) error { return unknownWord(d, word) })
}

// block parses "directive { word … }": no arguments, then each word through set.
func block(d *caddyfile.Dispenser, set func(word string) error) error {
	d.Next() // the directive's own name
	return section(d, set)
}

// section parses an option of a directive, "option { word … }": no arguments, then each word through set.
func section(d *caddyfile.Dispenser, set func(word string) error) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return words(d, set)
}

// words takes each word of the block that may stand here through set.
func words(d *caddyfile.Dispenser, set func(word string) error) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := set(d.Val()); err != nil {
			return err
		}
	}
	return nil
}

// unknownWord refuses a word; Caddy adds file and line.
func unknownWord(d *caddyfile.Dispenser, word string) error {
	return d.Errf("unknown option %q", word)
}

// one parses exactly one argument.
func one(d *caddyfile.Dispenser, into *string) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	*into = d.Val()
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// size parses a number of bytes such as 10MiB.
func size(d *caddyfile.Dispenser, into *int64) error {
	var text string
	if err := one(d, &text); err != nil {
		return err
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > 1<<40 {
		return d.Errf("%q is not a size (such as 10MiB)", text)
	}
	*into = int64(n)
	return nil
}

// optional parses one argument that may be absent, as when an environment variable behind it is not set.
func optional(d *caddyfile.Dispenser, into *string) error {
	args := d.RemainingArgs()
	if len(args) > 1 {
		return d.ArgErr()
	}
	if len(args) == 1 {
		*into = args[0]
	}
	return nil
}

// duration parses a time span such as 30m.
func duration(d *caddyfile.Dispenser, into *caddy.Duration) error {
	var text string
	if err := one(d, &text); err != nil {
		return err
	}
	span, err := caddy.ParseDuration(text)
	if err != nil || span <= 0 {
		return d.Errf("%q is not a time span (such as 30m)", text)
	}
	*into = caddy.Duration(span)
	return nil
}
