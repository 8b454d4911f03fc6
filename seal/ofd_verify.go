package seal

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
)

// verifyOFD judges an OFD. Each signature has to vouch for every file of the container but the list of signatures and the files of
// the signatures themselves; the seal's file has to be the seal that was used.
func verifyOFD(data []byte, roots Roots) (Report, error) {
	o, err := readOFD(data)
	if err != nil {
		return Report{}, err
	}
	report := Report{Format: "ofd"}
	alter := func(what AlterationKind, part string) {
		report.Alterations = append(report.Alterations, Alteration{what, part})
	}
	if o.hidden {
		alter(Hidden, "")
	}
	list, found, err := o.signatures()
	if err != nil {
		return Report{}, err
	}
	if len(found) == 0 {
		alter(Unsigned, "")
		return report, nil
	}
	own := map[string]bool{list: true}
	for _, s := range found {
		own[s.name], own[s.value], own[s.seal] = true, true, true
	}
	intact := true
	for _, s := range found {
		judged, used := o.judge(s, roots)
		report.Signatures = append(report.Signatures, judged)
		intact = intact && judged.Intact
		for _, a := range o.compare(s.files, own) {
			alter(a.What, a.Part)
		}
		if seal, err := o.content(s.seal); err != nil || !bytes.Equal(seal, used) {
			alter(Changed, s.seal)
		}
	}
	report.Whole = intact && len(report.Alterations) == 0
	return report, nil
}

// ofdFound is a signature as it stands in an OFD, with the names of its files.
type ofdFound struct {
	name, value, seal string
	files             map[string][]byte // name → digest by SM3
}

// signatures finds all signatures, and the name of their list.
func (o *ofdFile) signatures() (list string, found []ofdFound, err error) {
	var root ofdRoot
	if err := o.xml(ofdName, &root); err != nil {
		return "", nil, err
	}
	if len(root.Bodies) != 1 || len(root.Bodies[0].Signatures) > 1 {
		return "", nil, ofdErr("with several documents, or lists of signatures")
	}
	if len(root.Bodies[0].Signatures) == 0 {
		return "", nil, nil
	}
	if list, err = resolve(ofdName, root.Bodies[0].Signatures[0]); err != nil {
		return "", nil, err
	}
	var signatures ofdSignatures
	if err := o.xml(list, &signatures); err != nil {
		return "", nil, err
	}
	if len(signatures.Signatures) > maxSignatures {
		return "", nil, ofdErr("with too many signatures")
	}
	for _, s := range signatures.Signatures {
		f, err := o.signature(list, s.Location)
		if err != nil {
			return "", nil, err
		}
		found = append(found, f)
	}
	return list, found, nil
}

// signature reads a Signature.xml.
func (o *ofdFile) signature(list, location string) (f ofdFound, err error) {
	if f.name, err = resolve(list, location); err != nil {
		return f, err
	}
	var s ofdSignature
	if err := o.xml(f.name, &s); err != nil {
		return f, err
	}
	if method := s.References.Method; method != oidSM3.String() && !strings.EqualFold(method, "SM3") {
		return f, ofdErr("with digests by %.40q", method)
	}
	if f.value, err = resolve(f.name, s.Value); err != nil {
		return f, err
	}
	if f.seal, err = resolve(f.name, s.Seal); err != nil {
		return f, err
	}
	f.files = map[string][]byte{}
	for _, r := range s.References.References {
		name, err := resolve(f.name, r.File)
		if err != nil {
			return f, err
		}
		digest, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Value))
		if err != nil || f.files[name] != nil || len(digest) != 32 {
			return f, ofdErr("with two digests of %q, or a broken one", name)
		}
		f.files[name] = digest
	}
	return f, nil
}

// judge says what is to be said of a signature, and which seal it was made with.
func (o *ofdFile) judge(s ofdFound, roots Roots) (judged Signature, used []byte) {
	description, err := o.content(s.name)
	if err != nil {
		return Signature{Kind: KindSeal}.broken(FaultFormat), nil
	}
	value, err := o.content(s.value)
	if err != nil {
		return Signature{Kind: KindSeal}.broken(FaultFormat), nil
	}
	signature, err := parseSealSignature(value)
	if err != nil {
		return Signature{Kind: KindSeal}.broken(FaultFormat), nil
	}
	return signature.judge(SM2SM3.digest(description), roots), signature.ToSign.Seal.Raw
}

// compare holds the files of the container to the digests of a signature. Files in own need none, but are held to it if they have one.
func (o *ofdFile) compare(digests map[string][]byte, own map[string]bool) (out []Alteration) {
	for _, e := range o.entries {
		digest, signed := digests[e.name]
		if !signed {
			if !own[e.name] && !(e.directory() && e.size == 0) {
				out = append(out, Alteration{Added, e.name})
			}
			continue
		}
		if content, err := e.content(); err != nil || !bytes.Equal(SM2SM3.digest(content), digest) {
			out = append(out, Alteration{Changed, e.name})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		if o.index(name) < 0 {
			out = append(out, Alteration{Missing, name})
		}
	}
	return out
}
