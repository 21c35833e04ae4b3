package stix

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/jsonfeed"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// Scan reads a STIX 2.1 bundle in one pass and in memory that does not grow with the input, apart from 43 to 90 bytes per object. It
// calls yield for each object that has no problem, in order. The members of the
// bundle may stand in any order, so problems of the bundle itself may be found
// after its objects: keep nothing of an input whose Summary has problems.
//
// The error is that of reading r or of yield, which ends the scan; everything
// that is wrong with the content is in Summary.Problems.
func Scan(r io.Reader, opt Options, yield func(*Object) error) (Summary, error) {
	s := scanner{opt: opt.withDefaults(), yield: yield}
	s.out.max = s.opt.MaxProblems
	s.warns.max, s.warns.maxEach = s.opt.MaxWarnings, maxWarningsOfCode
	s.check.init(s.opt, &s.out, &s.warns)
	s.in = jsonfeed.New(r, int64(s.opt.MaxObject))
	s.sum.Types = make(map[string]int)

	err := s.document()
	if err != nil {
		s.sum.Stopped = true
		err = s.explain(err)
	}
	s.sum.Problems, s.sum.ProblemCount = s.out.list, s.out.count
	s.sum.Warnings, s.sum.WarningCount, s.sum.WarningCodes = s.warns.list, s.warns.count, s.warns.codes
	s.sum.UnresolvedMarkings = s.marks.unresolved(&s.seen)
	s.sum.UnresolvedMore = s.marks.more
	s.sum.SelfContained = !s.sum.Stopped && s.sum.ProblemCount == 0 && s.inner.closed()
	return s.sum, err
}

type scanner struct {
	opt   Options
	yield func(*Object) error
	in    *jsonfeed.Feed
	check checker
	out   collector
	warns collector
	seen  seenSet
	marks markingUse
	inner closure
	// revoked are the versions that revoked their object, by its hash.
	revoked map[uint64]int64
	sum     Summary

	at      string // JSON path of what is being read, outside the objects
	inList  bool   // an element of objects is being read
	head    map[string]string
	wrong   map[string]bool // type, id or spec_version that is not a string
	yielded error
}

// bundleSection is the paragraph that defines a bundle.
const bundleSection = "STIX 2.1 §8"

// errStop ends a scan whose problem is noted already.
var errStop = errors.New("stop")

func (s *scanner) problem(path, ruleCode, section, message string) {
	s.out.add(exchange.Problem{Path: path, Code: ruleCode, Section: section, Message: message})
}

func (s *scanner) document() error {
	s.at = "$"
	if k := s.in.Peek(); k != jsontext.KindBeginObject && k != jsontext.KindInvalid {
		s.problem("$", RuleBundle, bundleSection, "the input has to be one JSON object, a STIX bundle")
		return errStop
	}
	if _, err := s.in.Token(); err != nil {
		return err
	}
	s.head, s.wrong = make(map[string]string), make(map[string]bool)
	for n := 0; s.in.Peek() != jsontext.KindEndObject; n++ {
		if n == maxMembers {
			s.problem("$", RuleBundle, bundleSection, "more than "+strconv.Itoa(maxMembers)+" members around the objects")
			return errStop
		}
		if err := s.member(); err != nil {
			return err
		}
	}
	if _, err := s.in.Token(); err != nil {
		return err
	}
	s.checkHead()
	return s.end()
}

// member reads one member of the bundle.
func (s *scanner) member() error {
	quotedName, _, err := s.in.Value()
	if err != nil {
		return err
	}
	name, _ := unquote(quotedName, nil)
	field := string(name[:min(len(name), 32)]) // the value overwrites the bytes
	if field == "objects" {
		if s.in.Peek() == jsontext.KindBeginArray {
			return s.objects()
		}
		s.problem("$.objects", RuleBundle, bundleSection, "objects has to be a list")
	}
	v, _, err := s.in.Value()
	if err != nil {
		return err
	}
	if _, levels := valueEnd(v, 0); levels > s.opt.MaxDepth {
		s.problem("$", RuleDepth, "", "a member of the bundle is nested "+strconv.Itoa(levels)+" levels deep; this exchange takes "+strconv.Itoa(s.opt.MaxDepth))
	}
	switch field {
	case "objects":
	case "type", "id", "spec_version":
		text, _ := unquote(v, nil)
		s.wrong[field] = !isString(v)
		s.head[field] = string(text[:min(len(text), 512)])
	default:
		s.warns.add(exchange.Problem{
			Path: "$" + place([]byte(field)), Code: RuleCustom, Section: bundleSection,
			Message: "a bundle should have no properties besides type, id and objects",
		})
	}
	return nil
}

// objects reads the list of objects.
func (s *scanner) objects() error {
	if _, err := s.in.Token(); err != nil {
		return err
	}
	s.inList = true
	for s.in.Peek() != jsontext.KindEndArray {
		raw, offset, err := s.in.Value()
		if err != nil {
			return err
		}
		index := s.sum.Objects
		s.sum.Objects++
		if s.check.object(raw, offset, index) {
			if err := s.accept(&s.check.obj); err != nil {
				return err
			}
		} else if s.check.obj.Type != "" {
			s.countType(s.check.obj.Type)
		}
	}
	s.inList = false
	if s.sum.Objects == 0 {
		s.problem("$.objects", RuleBundle, "STIX 2.1 §2.12", "the bundle holds no objects; a list may not be empty")
	}
	_, err := s.in.Token()
	return err
}

func (s *scanner) countType(typ string) {
	if _, ok := s.sum.Types[typ]; !ok && len(s.sum.Types) >= maxTypes {
		typ = OtherTypes
	}
	s.sum.Types[typ]++
}

// accept passes an object on, unless another of its id and version came before.
func (s *scanner) accept(o *Object) error {
	s.countType(o.Type)
	version := o.Version
	if o.Type == "marking-definition" {
		version = 0
		s.marks.defined++
	}
	before := s.out.mark()
	defer func() { s.out.name(before, o.ID) }()
	switch s.seen.add(s.seen.key(o.ID, version), o.Raw) {
	case otherContent:
		s.check.fault(RuleDuplicate, "§3.6", "the same id and version stands in this input before, with other content")
		return nil
	case sameAgain:
		o.Duplicate = true
	case firstSeen:
		if !s.lineage(o) {
			return nil
		}
	}
	s.inner.object(&s.seen, o)
	for _, refs := range [2][]string{o.MarkingRefs, o.Granular} {
		for _, id := range refs {
			if _, ok := TLPOf(id); !ok {
				s.marks.use(&s.seen, id)
			}
		}
	}
	if s.yield == nil {
		return nil
	}
	s.yielded = s.yield(o)
	return s.yielded
}

// lineage compares an object with the versions of it that came before: created
// and the creator do not change (§3.2, §3.5). It reports whether they agree.
func (s *scanner) lineage(o *Object) bool {
	f := s.check.frames[0]
	if f.timed&(1<<spec.PCreated) == 0 || f.timed&(1<<spec.PModified) == 0 {
		return true
	}
	var creator []byte
	if f.has(spec.PCreatedByRef) {
		creator = f.vals[spec.PCreatedByRef]
	}
	created, by, types := s.seen.lineage(o, f.times[spec.PCreated], creator)
	if !types {
		s.check.advise(RuleIDReuse, "§2.9", "an object of another type has the same UUID")
		return true
	}
	if !created {
		s.check.faultAt("created", RuleVersioning, "§3.6", "created differs from that of another version of the object")
	}
	if !by {
		s.check.faultAt("created_by_ref", RuleVersioning, "§3.6", "created_by_ref differs from that of another version of the object")
	}
	return created && by && s.alive(o, f)
}

// maxRevoked bounds the revoked objects that are remembered.
const maxRevoked = 100_000

// alive refuses a version that is later than one which revoked the object and
// stood before it.
func (s *scanner) alive(o *Object, f *frame) bool {
	key := s.seen.key(o.ID, -1)
	if at, ok := s.revoked[key]; ok && o.Version > at {
		s.check.faultAt("modified", RuleVersioning, "§3.6", "an earlier version revoked the object, which is for good")
		return false
	}
	if f.has(spec.PRevoked) && string(f.vals[spec.PRevoked]) == "true" && len(s.revoked) < maxRevoked {
		if s.revoked == nil {
			s.revoked = make(map[uint64]int64)
		}
		s.revoked[key] = o.Version
	}
	return true
}

// checkHead checks what stands around the objects.
func (s *scanner) checkHead() {
	typ, ok := s.head["type"]
	switch {
	case !ok:
		s.problem("$.type", RuleBundle, bundleSection, `type is required and has to be "bundle"`)
	case s.wrong["type"] || typ != "bundle":
		s.problem("$.type", RuleBundle, bundleSection, `type has to be "bundle"`)
	}
	id, ok := s.head["id"]
	kind, valid := splitID([]byte(id))
	switch {
	case !ok:
		s.problem("$.id", RuleBundle, bundleSection, "id is required")
	case s.wrong["id"] || !valid || string(kind) != "bundle":
		s.problem("$.id", RuleBundle, bundleSection, "id has to have the form bundle--UUID")
	case id[len(id)-22] != '4':
		s.warns.add(exchange.Problem{Path: "$.id", Code: RuleIDVersion, Section: "STIX 2.1 §2.9", Message: "the id should be a UUID of version 4"})
	}
	if v, ok := s.head["spec_version"]; ok && (s.wrong["spec_version"] || v != "2.1") {
		s.problem("$.spec_version", RuleSpecVersion, bundleSection, "the bundle says that it is not STIX 2.1; this exchange takes STIX 2.1, so convert it first")
	}
}

// end reads to the end of the input, where only white space may follow.
func (s *scanner) end() error {
	rest, err := s.in.End()
	if rest != "" {
		s.problem("$", RuleTrailing, bundleSection, "something follows the end of the input, near "+rest)
		return errStop
	}
	return err
}

// explain turns what ended the scan into a problem, where the content is at
// fault, and into an error, where reading or yield is.
func (s *scanner) explain(err error) error {
	switch {
	case err == errStop:
		return nil
	case s.yielded != nil:
		return s.yielded
	case s.in.Err() != nil:
		return fmt.Errorf("reading a STIX bundle: %w", s.in.Err())
	}
	path := s.at
	if s.inList {
		path = "$.objects[" + strconv.Itoa(s.sum.Objects) + "]"
	}
	if s.in.TooLarge() {
		s.problem(path, RuleSize, "", fmt.Sprintf("larger than the %d bytes that this exchange takes for one object, %s", s.opt.MaxObject, s.in.Place()))
		return nil
	}
	s.problem(path, RuleSyntax, "RFC 8259", s.in.Fault(err))
	return nil
}
