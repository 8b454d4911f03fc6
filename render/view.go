package render

import (
	"time"

	"licgate/beijing"
)

// View is a licence to be drawn. Every text is already masked; it is cleaned and escaped here.
type View struct {
	Title      string // 证照名称
	Status     string // ISSUED, EXPIRED, ABOLISHED, REGISTERED; anything else is drawn as not to be relied on
	Code       string // 证照唯一编码
	IDCode     string // 证照号码
	Holder     string
	Issuer     string
	IssueDate  string
	Validity   string  // e.g. "2020-02-14 至 长期"
	Fields     []Field // face fields in order
	Photo      []byte  // PNG or JPEG, or nil
	MaskedNote bool    // some fields are masked: say so
	Viewer     string  // watermark: department, person
	Purpose    string  // watermark: 仅用于…
	At         time.Time
	ExpiresAt  time.Time // when the page's token dies; zero: not said
	Fonts      *Fonts    // that texts are set in; nil: the embedded ones
	Template   *Template // the face; nil: the plain one
	SealCode   string    // stands at the foot of the seal; may be empty
	SealName   string    // on the seal; "": Issuer
	SealApart  bool      // readers show the seal from the file's signature (OFD): its place stays empty
	QR         [][]bool  // rows of modules, true is dark, without quiet zone; nil: none
	QRExpires  time.Time // when what it says is no longer taken; zero: it does not expire
}

func (v *View) fonts() *Fonts {
	if v.Fonts == nil {
		return embedded
	}
	return v.Fonts
}

// Field is a label and a value on the face.
type Field struct {
	Key, Role    string // as the item declares them; a template places fields by either
	Label, Value string
	Masked       bool
	Reason       string // why it is masked, for who asks; "": maskedReason
}

// Variant of a page.
type Variant int

// Desktop is table 17's page, Mobile table 21's (390 px).
const (
	Desktop Variant = iota
	Mobile
)

// standing is what a status means to a reader.
type standing struct {
	Label    string // two to four characters, also stamped across a licence that is not valid
	Sentence string
	Valid    bool
}

// standings are the four that a licence can have. What is not listed is unknown, and unknown is never valid.
var standings = map[string]standing{
	"ISSUED":     {Label: "有效", Sentence: "本证照已签发，查询时处于有效状态。", Valid: true},
	"EXPIRED":    {Label: "已过期", Sentence: "本证照已超过有效期，不能作为有效凭证使用。"},
	"ABOLISHED":  {Label: "已废止", Sentence: "本证照已被颁发机构废止，不能作为有效凭证使用。"},
	"REGISTERED": {Label: "未签发", Sentence: "本证照尚未签发，不能作为有效凭证使用。"},
}

func (v *View) standing() standing { return standingOf(v.Status) }

func standingOf(status string) standing {
	if s, ok := standings[status]; ok {
		return s
	}
	return standing{Label: "状态不明", Sentence: "无法确认本证照的状态，请勿作为有效凭证使用，并向颁发机构核实。"}
}

// item is a label and a value of the particulars below the face.
type item struct{ Label, Value string }

// particulars are the facts about the licence and about this look at it, without those that are empty.
func (v *View) particulars() []item {
	return present([]item{
		{"持证主体", v.Holder},
		{"证照编码", v.Code},
		{"有效期", v.Validity},
		{"证照状态", v.standing().Label},
		{"查看人", v.Viewer},
		{"用途", v.Purpose},
		{"出具时间", told(v.At)},
	})
}

// present leaves out what is empty.
func present(all []item) []item {
	kept := all[:0]
	for _, it := range all {
		if it.Value = clean(it.Value); it.Value != "" {
			kept = append(kept, it)
		}
	}
	return kept
}

// reason says why a field is masked.
func reason(f *Field) string {
	if text := oneLine(f.Reason); text != "" {
		return text
	}
	return maskedReason
}

// What is said when some of the licence is hidden: beside a field, and once for all.
const (
	maskedTag  = "已脱敏"
	maskedNote = "部分信息已脱敏显示。"
	// fileNote stands at the foot of files.
	fileNote = "本文件由电子证照系统出具，以系统内登记的信息为准。"
	// maskedReason is said where the caller gives none.
	maskedReason = "该信息属于个人敏感信息，按当前查看权限脱敏显示。"
)

// stamp writes a time as people read it; the zero time is empty.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return beijing.Time(t)
}

// told is stamp with its zone, for a time that stands alone.
func told(t time.Time) string {
	if text := stamp(t); text != "" {
		return text + beijing.Label
	}
	return ""
}
