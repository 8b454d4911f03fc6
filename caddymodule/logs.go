package caddymodule

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"licgate/redact"
)

func init() { caddy.RegisterModule(LogEncoder{}) }

// LogEncoder writes log entries without what no log may hold: tokens, codes, secrets, query strings, identity and telephone numbers, the
// data of licences — wherever in an entry they stand, in messages, errors and stack traces too.
//
// Syntax:
//
//	format licgate [<other format> …]
type LogEncoder struct {
	// WrappedRaw is the encoder that writes the entries. Default: json.
	WrappedRaw json.RawMessage `json:"wrap,omitempty" caddy:"namespace=caddy.logging.encoders inline_key=format"`

	zapcore.Encoder `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (LogEncoder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.encoders.licgate", New: func() caddy.Module { return new(LogEncoder) }}
}

// Provision sets up the encoder that writes.
func (e *LogEncoder) Provision(ctx caddy.Context) error {
	if e.WrappedRaw == nil {
		plain := new(logging.JSONEncoder)
		e.Encoder = plain
		return plain.Provision(ctx)
	}
	module, err := ctx.LoadModule(e, "WrappedRaw")
	if err != nil {
		return fmt.Errorf("licgate: log format: %w", err)
	}
	e.Encoder = module.(zapcore.Encoder)
	return nil
}

// UnmarshalCaddyfile reads the name of the encoder that writes.
func (e *LogEncoder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		return nil
	}
	name := d.Val()
	module, err := caddyfile.UnmarshalModule(d, "caddy.logging.encoders."+name)
	if err != nil {
		return err
	}
	encoder, ok := module.(zapcore.Encoder)
	if !ok {
		return d.Errf("%s is no log format", name)
	}
	e.WrappedRaw = caddyconfig.JSONModuleObject(encoder, "format", name, nil)
	return nil
}

// Clone copies the encoder, so that fields of one logger are not another's.
func (e *LogEncoder) Clone() zapcore.Encoder {
	return &LogEncoder{Encoder: e.Encoder.Clone()}
}

// EncodeEntry writes an entry and takes out what must not be in it.
func (e *LogEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return line, err
	}
	clean := redact.Line(line.Bytes())
	if len(clean) == line.Len() && (len(clean) == 0 || &clean[0] == &line.Bytes()[0]) {
		return line, nil // nothing was taken out
	}
	line.Reset()
	_, err = line.Write(clean)
	return line, err
}

var (
	_ caddy.Provisioner     = (*LogEncoder)(nil)
	_ caddyfile.Unmarshaler = (*LogEncoder)(nil)
	_ zapcore.Encoder       = (*LogEncoder)(nil)
)
