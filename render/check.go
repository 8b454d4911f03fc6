package render

import (
	"io"
	"time"
)

var checkTemplate = pages.Lookup("check.html")

// Check is what everybody may know of a licence whose QR code was read. Every text is already masked.
type Check struct {
	Title     string    `json:"name,omitempty"`   // 证照名称; "": no code was given, or none was accepted
	Status    string    `json:"status,omitempty"` // as a View's
	Holder    string    `json:"holder,omitempty"`
	IDCode    string    `json:"id_code,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	IssueDate string    `json:"issue_date,omitempty"`
	Validity  string    `json:"validity,omitempty"`
	At        time.Time `json:"at"` // when it was looked up
	// Refusal says why nothing is shown, in Chinese; ErrorCode and ResponseID are for whoever helps.
	Refusal    string `json:"-"`
	ErrorCode  string `json:"-"`
	ResponseID string `json:"-"`
}

// Fact is a label and a value.
type Fact = item

// Facts are what was found, in order, without what is empty.
func (c *Check) Facts() []Fact {
	return present([]item{
		{"证照名称", c.Title},
		{"证照状态", c.standing().Label},
		{"持证主体", c.Holder},
		{"证照号码", c.IDCode},
		{"颁发机构", c.Issuer},
		{"发证日期", c.IssueDate},
		{"有效期", c.Validity},
		{"核验时间", told(c.At)},
	})
}

func (c *Check) standing() standing { return standingOf(c.Status) }

// checkData is what check.html draws.
type checkData struct {
	Stylesheet, Title, Class, Refusal, ErrorCode, ResponseID string
	Found                                                    bool
	Standing                                                 standing
	Facts                                                    []Fact
}

// CheckPage writes the page by which everybody checks a QR code: a form, and what was found, or why nothing was. It runs under the policy of
// Page, but that form-action is 'self'.
func CheckPage(w io.Writer, c *Check) error {
	data := &checkData{
		Stylesheet: embedded.StylesheetPath(), Title: "电子证照核验", Refusal: clean(c.Refusal), ErrorCode: oneLine(c.ErrorCode), ResponseID: oneLine(c.ResponseID),
	}
	switch {
	case c.Refusal != "":
		data.Class = "void"
	case c.Title != "":
		data.Found, data.Standing, data.Facts = true, c.standing(), c.Facts()
		if data.Class = "valid"; !data.Standing.Valid {
			data.Class = "void"
		}
	}
	return execute(w, checkTemplate, data, 0)
}
