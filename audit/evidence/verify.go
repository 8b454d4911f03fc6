package evidence

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"licgate/audit/ledger"
)

// Options say what the verifier knows by itself.
type Options struct {
	// Keys are the verifier keys of the log and of witnesses, from elsewhere than the export. Without one of the log those
	// in the export are believed, which proves only that it agrees with itself.
	Keys []ledger.Verifier
	// Checkpoints are signed checkpoints that the verifier kept. The export must go on from each.
	Checkpoints []Kept
	// Receipts are of records that must be in the export.
	Receipts []ledger.Receipt
}

// Kept is a signed checkpoint and where it was kept.
type Kept struct {
	Source string
	Note   []byte
}

// Result is what an export proves.
type Result struct {
	Origin     string      `json:"origin"`
	Size       uint64      `json:"size"` // records in the log when the checkpoint was made
	Root       ledger.Hash `json:"root"`
	Time       time.Time   `json:"time"`
	Records    int         `json:"records"` // in the export
	Complete   bool        `json:"complete,omitempty"`
	Department string      `json:"department,omitempty"`
	Pinned     bool        `json:"pinned"` // the log's keys came from elsewhere
	// Cosigners are the witnesses that signed the checkpoint, or one that it goes on from.
	Cosigners []string `json:"cosigners,omitempty"`
	// Agreed is how many kept checkpoints it goes on from, or is.
	Agreed int    `json:"agreed,omitempty"`
	Fault  *Fault `json:"fault,omitempty"`
}

// Fault is the first place of an export that does not hold.
type Fault struct {
	Line     int    `json:"line"`   // from 1
	Offset   int64  `json:"offset"` // of the line, in bytes
	Sequence uint64 `json:"sequence,omitempty"`
	Cause    string `json:"cause"` // Chinese
}

// Causes of faults, as auditors read them.
const (
	causeHeader     = "首行不是导出文件的头，或版本不识别"
	causeCheckpoint = "检查点的签名不成立：不是由所给的日志密钥签发，或被改动"
	causeEntry      = "不是一条记录"
	causeOrder      = "序号没有递增：记录被重复、插入或调换"
	causeGap        = "完整导出缺少序号 %d 的记录"
	causeBeyond     = "序号超出检查点的 %d 条"
	causeSequence   = "记录自身的序号与所在的行不符"
	causeDepartment = "记录不属于 %s"
	causeProof      = "包含证明不成立：记录或证明被改动"
	causeRoot       = "全部记录的根哈希与检查点不符：记录被改动、删除、插入或调换"
	causeEnd        = "导出文件不完整：缺少末行"
	causeCount      = "末行的条数与实际不符"
	causeTrailing   = "末行之后还有内容"
	causeEarlier    = "与较早检查点（%d 条）的一致性证明不成立：日志被分叉或回滚"
	causeKept       = "所持检查点（%s）的签名不成立"
	causeKeptOrigin = "所持检查点（%s）属于另一个日志 %s"
	causeKeptNewer  = "所持检查点（%s）有 %d 条，多于导出文件的 %d 条：日志被回滚，或导出文件较旧"
	causeKeptFork   = "与所持检查点（%s，%d 条）不一致：日志被分叉或改写"
	causeKeptProof  = "缺少自所持检查点（%s，%d 条）起的一致性证明，请让导出方附上"
	causeReceipt    = "与回执 %s 不符：记录被改动"
	causeNoReceipt  = "没有回执 %s 所指的记录"
)

// ErrRead says that an export could not be read to its end.
var ErrRead = errors.New("evidence: reading the export")

// maxLine bounds a line: a record of at most 1 MiB and its proof.
const maxLine = 2 << 20

// Verify reads an export and reports the first fault.
func Verify(r io.Reader, o Options) (Result, error) {
	v := verifier{options: o, in: bufio.NewReaderSize(r, 64<<10), tree: ledger.NewTree(nil), receipts: slices.Clone(o.Receipts)}
	if err := v.run(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrRead, err)
	}
	return v.result, nil
}

type verifier struct {
	options  Options
	in       *bufio.Reader
	line     int
	offset   int64 // of the line
	next     int64
	header   Header
	keys     []ledger.Verifier
	head     ledger.Signed
	earlier  map[uint64]ledger.Hash // roots that the checkpoint was shown to go on from
	last     uint64
	tree     *ledger.Tree
	receipts []ledger.Receipt
	pending  []keptCheckpoint
	result   Result
}

func (v *verifier) fault(sequence uint64, cause string, args ...any) {
	if len(args) > 0 {
		cause = fmt.Sprintf(cause, args...)
	}
	v.result.Fault = &Fault{Line: v.line, Offset: v.offset, Sequence: sequence, Cause: cause}
}

// read returns the next line without its end, or io.EOF.
func (v *verifier) read() ([]byte, error) {
	v.line++
	v.offset = v.next
	var line []byte
	for {
		part, err := v.in.ReadSlice('\n')
		v.next += int64(len(part))
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case len(line) > maxLine:
			return line, nil // no line that means anything
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(line) > 0:
			return line, nil
		default:
			return nil, err
		}
	}
}

func (v *verifier) run() error {
	line, err := v.read()
	if err != nil && err != io.EOF {
		return err
	}
	if v.readHeader(line); v.result.Fault != nil {
		return nil
	}
	for v.result.Fault == nil {
		line, err := v.read()
		switch {
		case err == io.EOF:
			v.fault(v.last+1, causeEnd)
		case err != nil:
			return err
		case bytes.HasPrefix(line, []byte(`{"records":`)):
			v.readEnd(line)
			if v.result.Fault != nil {
				return nil
			}
			if _, err := v.read(); err != io.EOF {
				v.fault(0, causeTrailing)
			}
			return nil
		default:
			v.readEntry(line)
		}
	}
	return nil
}

// strictly decodes a line, and demands the spelling that Line gives: what two readers could read differently is no line.
func strictly(line []byte, to any) bool {
	if json.Unmarshal(line, to) != nil {
		return false
	}
	again, err := Line(to)
	return err == nil && bytes.Equal(again, append(slices.Clip(line), '\n'))
}

func (v *verifier) readHeader(line []byte) {
	if !strictly(line, &v.header) || v.header.Version != Version {
		v.fault(0, causeHeader)
		return
	}
	v.chooseKeys()
	head, err := ledger.OpenCheckpoint([]byte(v.header.Checkpoint), v.keys)
	if err != nil {
		v.fault(0, causeCheckpoint)
		return
	}
	v.head = head
	v.result = Result{
		Origin: head.Origin, Size: head.Size, Root: head.Root, Time: head.Time, Complete: v.header.Complete,
		Department: v.header.Department, Pinned: v.result.Pinned,
	}
	v.cosigned(head)
	v.earlier = map[uint64]ledger.Hash{head.Size: head.Root}
	for _, e := range v.header.Earlier {
		if v.readEarlier(e); v.result.Fault != nil {
			return
		}
	}
	for _, k := range v.options.Checkpoints {
		if v.compareKept(k); v.result.Fault != nil {
			return
		}
	}
}

func (v *verifier) chooseKeys() {
	v.keys = v.options.Keys
	v.result.Pinned = slices.ContainsFunc(v.keys, func(k ledger.Verifier) bool { return !k.Cosigner })
	if v.result.Pinned {
		return
	}
	for _, text := range v.header.Keys {
		if k, err := ledger.ParseKey(text); err == nil && !k.Cosigner {
			v.keys = append(v.keys, k)
		}
	}
}

func (v *verifier) cosigned(s ledger.Signed) {
	for _, k := range s.CosignedBy(v.keys) {
		if !slices.Contains(v.result.Cosigners, k.Name()) {
			v.result.Cosigners = append(v.result.Cosigners, k.Name())
		}
	}
}

// readEarlier checks a checkpoint in the export that the newest goes on from. One without a note is checked when the
// verifier has it.
func (v *verifier) readEarlier(e Earlier) {
	if e.Note == "" {
		return
	}
	signed, err := ledger.OpenCheckpoint([]byte(e.Note), v.keys)
	if err != nil || signed.Size != e.Size || signed.Origin != v.head.Origin {
		v.fault(0, causeCheckpoint)
		return
	}
	if ledger.VerifyConsistency(e.Size, v.head.Size, e.Proof, signed.Root, v.head.Root) != nil {
		v.fault(0, causeEarlier, e.Size)
		return
	}
	v.earlier[e.Size] = signed.Root
	v.cosigned(signed)
}

// compareKept demands that the export goes on from a checkpoint that the verifier kept. A complete export shows that by
// its records.
func (v *verifier) compareKept(k Kept) {
	signed, err := ledger.OpenCheckpoint(k.Note, v.keys)
	switch {
	case err != nil:
		v.fault(0, causeKept, k.Source)
		return
	case signed.Origin != v.head.Origin:
		v.fault(0, causeKeptOrigin, k.Source, signed.Origin)
		return
	case signed.Size > v.head.Size:
		v.fault(0, causeKeptNewer, k.Source, signed.Size, v.head.Size)
		return
	}
	root, ok := v.earlier[signed.Size]
	if !ok && v.header.Complete {
		v.pend(keptCheckpoint{Signed: signed, source: k.Source})
		return
	}
	for _, e := range v.header.Earlier {
		if !ok && e.Size == signed.Size {
			root, ok = signed.Root, true
			if ledger.VerifyConsistency(e.Size, v.head.Size, e.Proof, signed.Root, v.head.Root) != nil {
				root = ledger.Hash{}
			}
		}
	}
	switch {
	case !ok && signed.Size > 0:
		v.fault(0, causeKeptProof, k.Source, signed.Size)
	case ok && root != signed.Root:
		v.fault(0, causeKeptFork, k.Source, signed.Size)
	default:
		v.result.Agreed++
		v.cosigned(signed)
	}
}

type keptCheckpoint struct {
	ledger.Signed
	source string
}

// pend keeps a checkpoint until the records reach its size.
func (v *verifier) pend(k keptCheckpoint) {
	v.pending = append(v.pending, k)
	slices.SortStableFunc(v.pending, func(a, b keptCheckpoint) int {
		if a.Size < b.Size {
			return -1
		}
		return 1
	})
	v.comparePending()
}

func (v *verifier) comparePending() {
	for len(v.pending) > 0 && v.pending[0].Size == v.tree.Size() {
		k := v.pending[0]
		v.pending = v.pending[1:]
		if v.tree.Root() != k.Root {
			v.fault(k.Size, causeKeptFork, k.source, k.Size)
			return
		}
		v.result.Agreed++
		v.cosigned(k.Signed)
	}
}

// claims are the members of a record that must agree with the export.
type claims struct {
	Sequence   uint64 `json:"sequence"`
	Department string `json:"department"`
}

func (v *verifier) readEntry(line []byte) {
	var e Entry
	var c claims
	if !strictly(line, &e) || len(e.Record) == 0 || json.Unmarshal(e.Record, &c) != nil {
		v.fault(v.last+1, causeEntry)
		return
	}
	switch {
	case e.Sequence <= v.last:
		v.fault(e.Sequence, causeOrder)
	case v.header.Complete && e.Sequence != v.last+1:
		v.fault(v.last+1, causeGap, v.last+1)
	case e.Sequence > v.head.Size:
		v.fault(e.Sequence, causeBeyond, v.head.Size)
	case c.Sequence != e.Sequence:
		v.fault(e.Sequence, causeSequence)
	case v.header.Department != "" && c.Department != v.header.Department:
		v.fault(e.Sequence, causeDepartment, v.header.Department)
	default:
		v.prove(e)
	}
}

func (v *verifier) prove(e Entry) {
	leaf := ledger.Leaf(e.Record)
	if v.header.Complete {
		v.tree.Append(leaf)
		v.comparePending()
	} else if ledger.VerifyInclusion(leaf, e.Sequence-1, v.head.Size, e.Proof, v.head.Root) != nil {
		v.fault(e.Sequence, causeProof)
	}
	v.last = e.Sequence
	v.result.Records++
	for i, r := range v.receipts {
		if r.Sequence != e.Sequence {
			continue
		}
		if r.Leaf != leaf {
			v.fault(e.Sequence, causeReceipt, r)
		}
		v.receipts = slices.Delete(v.receipts, i, i+1)
		break
	}
}

func (v *verifier) readEnd(line []byte) {
	var end End
	switch {
	case !strictly(line, &end) || end.Records == nil || *end.Records != v.result.Records:
		v.fault(v.last+1, causeCount)
	case v.header.Complete && v.last != v.head.Size:
		v.fault(v.last+1, causeGap, v.last+1)
	case v.header.Complete && v.tree.Root() != v.head.Root:
		v.fault(1, causeRoot)
	case len(v.receipts) > 0:
		v.fault(v.receipts[0].Sequence, causeNoReceipt, v.receipts[0])
	}
}
