package caddymodule

import (
	"errors"
	"time"

	"licgate/licence"
)

type standingQuestion struct {
	Licence string `json:"licence"` // 证照编码
}

func (q standingQuestion) about(c *adminCall) string {
	return "licence=" + c.app.gateway.auditHash("licence", q.Licence)
}

// standingAnswer is what an administrator who holds a file is told of its licence: nothing of the holder.
type standingAnswer struct {
	Status    string `json:"status"` // ISSUED, EXPIRED, ABOLISHED, REGISTERED; "": there is none of that code
	Name      string `json:"name"`
	Issuer    string `json:"issuer"` // the department that issued it
	IssueDate string `json:"issue_date,omitempty"`
	Validity  string `json:"validity,omitempty"`
}

// standing says whether a licence holds now.
func (c *adminCall) standing(q standingQuestion) (*standingAnswer, error) {
	l, err := c.app.gateway.licences.ByCode(c.r.Context(), q.Licence)
	if errors.Is(err, licence.ErrNotFound) {
		return &standingAnswer{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &standingAnswer{
		Status: l.Status(time.Now()), Name: l.Name, Issuer: c.app.gateway.state.Load().issuer(l), IssueDate: l.IssueDate,
		Validity: period(l.BeginDate, l.IssueDate, l.ExpiryDate),
	}, nil
}
