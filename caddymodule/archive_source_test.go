package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"licgate/archive"
	"licgate/client"
)

func TestPatience(t *testing.T) {
	t.Parallel()
	rate := &client.Error{Code: "50001", HTTPStatus: http.StatusTooManyRequests, RetryAfter: 7 * time.Second}
	down := &client.Error{Code: "90002", HTTPStatus: http.StatusServiceUnavailable}
	fault := &client.Error{Code: "90001", HTTPStatus: http.StatusInternalServerError}
	no := &client.Error{Code: "40010", HTTPStatus: http.StatusOK}
	network := errors.New("connection reset")
	for name, one := range map[string]struct {
		answers  []error // then success
		want     error
		calls    int
		at, most time.Duration
	}{
		"at once":                {nil, nil, 1, 0, 0},
		"rate":                   {[]error{rate, rate}, nil, 3, 14 * time.Second, 14 * time.Second},
		"rate, ever so often":    {[]error{rate, rate, rate, rate, rate, rate, rate, rate}, nil, 9, 56 * time.Second, 56 * time.Second},
		"rate without a time":    {[]error{&client.Error{Code: "50001"}}, nil, 2, time.Second, time.Second},
		"out of order for a bit": {[]error{down, network, down}, nil, 4, 7 * time.Second, 9 * time.Second},
		"out of order":           {[]error{down, down, down, down, network}, network, 5, 15 * time.Second, 17 * time.Second},
		"a fault":                {[]error{fault, fault}, fault, 2, time.Second, 2 * time.Second},
		"a refusal":              {[]error{no}, no, 1, 0, 0},
		"no session":             {[]error{client.ErrNoSession}, client.ErrNoSession, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var p patience
				begin, calls := time.Now(), 0
				err := p.call(t.Context(), func() error {
					calls++
					if calls <= len(one.answers) {
						return one.answers[calls-1]
					}
					return nil
				})
				if took := time.Since(begin); !errors.Is(err, one.want) || calls != one.calls || took < one.at || took > one.most {
					t.Errorf("%v after %d calls and %v", err, calls, took)
				}
			})
		})
	}
}

// Who learns that the rate is exceeded makes the others wait too; who waits hears of the end.
func TestPatienceIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p patience
		begin := time.Now()
		first := true
		var others sync.WaitGroup
		err := p.call(t.Context(), func() error {
			if !first {
				return nil
			}
			first = false
			for range 3 {
				others.Go(func() {
					time.Sleep(time.Second)
					_ = p.call(t.Context(), func() error {
						if took := time.Since(begin); took != 9*time.Second {
							t.Errorf("called after %v", took)
						}
						return nil
					})
				})
			}
			return &client.Error{Code: "50001", RetryAfter: 9 * time.Second}
		})
		others.Wait()
		if err != nil {
			t.Error(err)
		}
		p.extend(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.call(ctx, func() error { t.Error("called"); return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// What is wrong with one licence leaves the others; what is wrong with the caller ends the work.
func TestRefusedAlone(t *testing.T) {
	t.Parallel()
	for code, alone := range map[string][2]bool{ // of a list, of a file
		"40003": {true, true}, "40010": {true, true}, "40016": {false, false}, "30001": {true, false}, "30002": {true, false},
		"20003": {false, false}, "10003": {false, false}, "90001": {false, true}, "90002": {false, false}, "": {false, false},
	} {
		e := &client.Error{Code: code, Message: "m", ResponseID: "r"}
		for i, err := range []error{refusedAlone(e, "3", "4"), refusedAlone(e, "4", codeFault)} {
			var r *archive.Refusal
			if got := errors.As(err, &r); got != alone[i] || got && (r.Code != code || r.Message != "m" || r.ResponseID != "r") {
				t.Errorf("%s, %d: %v", code, i, err)
			}
		}
	}
	if err := errors.New("no answer"); refusedAlone(err, "") != err {
		t.Error("an error that is no refusal was changed")
	}
}
