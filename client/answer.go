package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Answer is the common envelope of a SUCCESS with its data. Keep ResponseID with your own records: the platform's audit goes by it.
type Answer[T any] struct {
	HTTPStatus    int
	ResponseID    string
	CorrelationID string // the call's request_id
	Timestamp     string // yyyy-MM-dd HH:mm:ss.SSS, Asia/Shanghai
	TotalCount    int    // list, auth, psn_holder
	AuthCodes     []string
	Data          T
}

// Raw is an answer whose data were not looked into; nil or null when there are none.
type Raw = Answer[json.RawMessage]

// Format tells the answer apart without telling what is in it.
func (a Answer[T]) Format(f fmt.State, _ rune) { hide(f, "answer "+a.ResponseID) }

// Error is a refusal: ack_code FAILURE, or an HTTP answer that is none of the standard's (then Code is empty).
type Error struct {
	Code       string // docs/errors.md; match this, never Message
	Message    string // Chinese, for people; says what to do
	InnerCode  string // the closer reason, often ""
	ResponseID string // for the platform's administrators
	HTTPStatus int
	RetryAfter time.Duration // how long to wait before the same call, as the gateway says of a rate that was exceeded; 0: it does not
}

// Error names code, text and response_id. The gateway puts no secret and no personal data into them.
func (e *Error) Error() string {
	text := fmt.Sprintf("client: %s %s (HTTP %d", e.Code, e.Message, e.HTTPStatus)
	if e.Code == "" {
		text = fmt.Sprintf("client: %s (HTTP %d", e.Message, e.HTTPStatus)
	}
	if e.ResponseID != "" {
		text += ", response_id " + e.ResponseID
	}
	return text + ")"
}

// Codes that the client acts on.
const (
	codeNoToken  = "20001"
	codeBadToken = "20002"
	codeRate     = "50001"
)

// RateExceeded reports whether the call was refused for its rate alone: it was not done, and may be repeated after RetryAfter.
func (e *Error) RateExceeded() bool {
	return e.Code == codeRate || e.HTTPStatus == http.StatusTooManyRequests
}

// Temporary reports whether the same call may succeed later: the rate was exceeded, or the gateway or what is behind it failed.
// Of a call that writes, ask for its outcome first.
func (e *Error) Temporary() bool {
	return e.RateExceeded() || e.HTTPStatus >= http.StatusInternalServerError
}

// tokenRefused reports whether the gateway did not know the session.
func tokenRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == codeBadToken || e.Code == codeNoToken)
}

// readAnswer reads the envelope. With an error the answer still holds the ids that could be read.
func readAnswer(status int, body []byte) (*Raw, error) {
	var w struct {
		AckCode string `json:"ack_code"`
		Errors  []struct {
			Code      string `json:"code"`
			Message   string `json:"message"`
			InnerCode string `json:"inner_code"`
		} `json:"errors"`
		Timestamp     string          `json:"timestamp"`
		CorrelationID string          `json:"correlation_id"`
		ResponseID    string          `json:"response_id"`
		TotalCount    int             `json:"total_count"`
		AuthCodes     []string        `json:"auth_codes"`
		Data          json.RawMessage `json:"data"`
		AccessToken   json.RawMessage `json:"access_token"`
	}
	err := json.Unmarshal(body, &w)
	a := &Raw{
		HTTPStatus: status, ResponseID: w.ResponseID, CorrelationID: w.CorrelationID, Timestamp: w.Timestamp,
		TotalCount: w.TotalCount, AuthCodes: w.AuthCodes, Data: w.Data,
	}
	if len(w.AccessToken) > 0 {
		a.Data = w.AccessToken // login: it has no data but this
	}
	switch {
	case err != nil || w.AckCode != "SUCCESS" && w.AckCode != "FAILURE":
		return a, &Error{Message: "the answer is not the standard's envelope", HTTPStatus: status}
	case w.AckCode == "SUCCESS" && status == http.StatusOK:
		return a, nil
	}
	e := &Error{Message: "refused without a reason", ResponseID: w.ResponseID, HTTPStatus: status}
	if len(w.Errors) > 0 {
		e.Code, e.Message, e.InnerCode = w.Errors[0].Code, w.Errors[0].Message, w.Errors[0].InnerCode
	}
	return a, e
}

// typed reads the data of an answer. The cause of a misfit is not repeated: it may quote the data.
func typed[T any](raw *Raw, err error) (*Answer[T], error) {
	if err != nil {
		return nil, err
	}
	a := &Answer[T]{
		HTTPStatus: raw.HTTPStatus, ResponseID: raw.ResponseID, CorrelationID: raw.CorrelationID, Timestamp: raw.Timestamp,
		TotalCount: raw.TotalCount, AuthCodes: raw.AuthCodes,
	}
	if len(raw.Data) == 0 || string(raw.Data) == "null" || json.Unmarshal(raw.Data, &a.Data) != nil {
		return nil, &Error{Message: fmt.Sprintf("the data of the answer are no %T", a.Data), ResponseID: raw.ResponseID, HTTPStatus: raw.HTTPStatus}
	}
	return a, nil
}
