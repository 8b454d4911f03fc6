package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"licgate/beijing"
)

// Answer is the envelope (domain.md §1). Its members are written in a fixed order, nulls included: ack_code, errors, sign,
// sign_method, timestamp, correlation_id, response_id, then total_count and auth_codes (lists only), data, and access_token
// (login only), and masked_fields last, only when there are any. The answer of token repeats the members of its data at the top level, as G.4 prints them; that of get_token_qr carries
// errcode and errmsg, as H.2 prints them.
type Answer struct {
	Interface     Interface // decides which optional members stand; "" when the path is unknown
	Failure       *Failure  // nil: SUCCESS
	At            time.Time // timestamp, written in Asia/Shanghai
	CorrelationID string    // "" is null
	ResponseID    string
	TotalCount    *int
	AuthCodes     []string
	Data          any // not written with a Failure; of token it is an AccessToken
	AccessToken   string
	// MaskedFields are the sensitive fields that the caller asked to see and does not see. Not written with a Failure.
	MaskedFields []MaskedField
}

// MaskedField is a sensitive field that stayed masked though the caller asked for it, and why: what a department has to apply for.
type MaskedField struct {
	Item   string `json:"license_item_code"`
	Field  string `json:"field"`
	Reason string `json:"reason"`         // machine-readable
	Rule   string `json:"rule,omitempty"` // the policy line that denies it, if one does
}

// errorEntry is a member of errors.
type errorEntry struct {
	Code      string  `json:"code"`
	Message   string  `json:"message"`
	InnerCode *string `json:"inner_code"`
}

// Encode returns the envelope as JSON, without a line end. It fails when Data can't be JSON.
func (a *Answer) Encode() ([]byte, error) {
	ok := a.Failure == nil
	w := envelopeWriter{}
	w.member("ack_code", a.ackCode())
	w.member("errors", a.errorEntries())
	w.member("sign", nil)
	w.member("sign_method", nil)
	w.member("timestamp", Time(a.At, true))
	w.member("correlation_id", orNull(a.CorrelationID))
	w.member("response_id", a.ResponseID)
	if a.hasTotal() {
		var total *int
		if ok {
			total = a.TotalCount
		}
		w.member("total_count", total)
	}
	if a.hasAuthCodes() {
		var codes []string
		if ok {
			codes = append([]string{}, a.AuthCodes...)
		}
		w.member("auth_codes", codes)
	}
	w.member("data", a.data())
	switch {
	case a.Interface == Login && ok:
		w.member("access_token", a.AccessToken)
	case a.Interface == Token && ok:
		if err := a.repeatToken(&w); err != nil {
			return nil, err
		}
	case a.Interface == GetTokenQR:
		if err := a.legacyError(&w); err != nil {
			return nil, err
		}
	}
	if ok && len(a.MaskedFields) > 0 {
		w.member("masked_fields", a.MaskedFields)
	}
	return w.close()
}

func (a *Answer) ackCode() string {
	if a.Failure != nil {
		return "FAILURE"
	}
	return "SUCCESS"
}

func (a *Answer) errorEntries() []errorEntry {
	if a.Failure == nil {
		return []errorEntry{}
	}
	return []errorEntry{{a.Failure.Code.Number, a.Failure.Message(), orNull(a.Failure.Inner)}}
}

func (a *Answer) hasTotal() bool {
	return a.Interface == List || a.Interface == ArchiveList || a.hasAuthCodes()
}

func (a *Answer) hasAuthCodes() bool { return a.Interface == Auth || a.Interface == PsnHolder }

// data is what stands under data: null with a Failure, and a list even when there is nothing to list.
func (a *Answer) data() any {
	if a.Failure != nil {
		return nil
	}
	if v := reflect.ValueOf(a.Data); a.hasTotal() && (!v.IsValid() || v.Kind() == reflect.Slice && v.IsNil()) {
		return []any{}
	}
	return a.Data
}

// repeatToken writes the members of data at the top level: G.4 prints them there, table 15 means them there.
func (a *Answer) repeatToken(w *envelopeWriter) error {
	t, ok := a.Data.(AccessToken)
	if p, isPointer := a.Data.(*AccessToken); isPointer && p != nil {
		t, ok = *p, true
	}
	if !ok {
		return fmt.Errorf("protocol: encoding an answer of %s: data is %T, not an AccessToken", a.Interface, a.Data)
	}
	w.member("expires_in", t.ExpiresIn)
	w.member(licenseAccessToken, t.LicenseAccessToken)
	return nil
}

// legacyError writes the outcome once more as H.2 prints it: errcode is a number, 0 for success.
func (a *Answer) legacyError(w *envelopeWriter) error {
	number, message := 0, ""
	if f := a.Failure; f != nil {
		n, err := strconv.Atoi(f.Code.Number)
		if err != nil {
			return fmt.Errorf("protocol: encoding errcode: %w", err)
		}
		number, message = n, f.Message()
	}
	w.member("errcode", number)
	w.member("errmsg", message)
	return nil
}

// orNull is null for "".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// envelopeWriter writes an object whose members keep their order. The first fault stays.
type envelopeWriter struct {
	buffer bytes.Buffer
	err    error
}

// member writes one member. HTML stays unescaped: answers are read by programs, never as a page.
func (w *envelopeWriter) member(name string, v any) {
	if w.err != nil {
		return
	}
	separator := byte(',')
	if w.buffer.Len() == 0 {
		separator = '{'
	}
	w.buffer.WriteByte(separator)
	w.buffer.WriteString(strconv.Quote(name))
	w.buffer.WriteByte(':')
	e := json.NewEncoder(&w.buffer)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		w.err = fmt.Errorf("protocol: encoding %s: %w", name, err)
		return
	}
	w.buffer.Truncate(w.buffer.Len() - 1) // the encoder ends with a line end
}

func (w *envelopeWriter) close() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	w.buffer.WriteByte('}')
	return w.buffer.Bytes(), nil
}

// Time formats t as the wire does, Asia/Shanghai: "2006-01-02 15:04:05.000" (millis) or without fraction.
func Time(t time.Time, millis bool) string {
	if millis {
		return beijing.Millis(t)
	}
	return beijing.Time(t)
}
