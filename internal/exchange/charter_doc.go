package exchange

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Edition is one wording of a charter, as events name it.
type Edition struct {
	Revision int64
	Digest   string // of the document: see CharterDigest
}

// CharterDigest is the SHA-256 of a charter's document in base 64 without padding.
func CharterDigest(document []byte) string {
	h := sha256.Sum256(document)
	return base64.RawStdEncoding.EncodeToString(h[:])
}

// AddTo says in an event's detail under which charter it was.
func (e Edition) AddTo(d Detail) {
	if e.Revision > 0 {
		d["charter"], d["charter_digest"] = e.Revision, e.Digest
	}
}

// The document form. Each struct mirrors one TOML table; text that has to be
// understood stays text here, so that every fault is found, not the first.
type (
	charterDoc struct {
		ID               ProgramID      `toml:"id,omitempty"`
		Title            string         `toml:"title,omitempty"`
		Outcome          string         `toml:"outcome,omitempty,multiline"`
		Owner            OrgID          `toml:"owner,omitempty"`
		Beneficiaries    []string       `toml:"beneficiaries,omitempty"`
		InformationTypes []string       `toml:"information_types,omitempty"`
		OutOfScope       []string       `toml:"out_of_scope,omitempty"`
		Review           any            `toml:"review_date,omitempty"`
		Sunset           any            `toml:"sunset_date,omitempty"`
		ContentClasses   []ContentClass `toml:"content_classes,omitempty"`
		Measure          []measureDoc   `toml:"measure,omitempty"`
		Calendar         calendarDoc    `toml:"calendar,omitempty"`
		Cohort           []Cohort       `toml:"cohort,omitempty"`
		Rule             []ruleDoc      `toml:"rule,omitempty"`
		Agreement        agreementDoc   `toml:"agreement,omitempty"`
		Handling         handlingDoc    `toml:"handling,omitempty"`
		Compelled        compelledDoc   `toml:"compelled_disclosure,omitempty"`
		Approvals        approvalsDoc   `toml:"approvals,omitempty"`
		Visibility       visibilityDoc  `toml:"visibility,omitempty"`
		Contributions    contributions  `toml:"contributions,omitempty"`
		LegalBasis       []BasisID      `toml:"legal_basis,omitempty"`
		Resharing        resharingDoc   `toml:"resharing,omitempty"`
		Group            []SharingGroup `toml:"group,omitempty"`
		Purposes         []string       `toml:"purposes,omitempty"`
		CountsFor        []ProgramID    `toml:"counts_for,omitempty"`
		Policies         string         `toml:"policies,omitempty,multiline"`
		PolicyTest       []PolicyTest   `toml:"policy_test,omitempty"`
		Ledger           witnessingDoc  `toml:"ledger,omitempty"`
	}
	measureDoc struct {
		ID     MeasureID `toml:"id,omitempty"`
		Target string    `toml:"target,omitempty"`
		By     any       `toml:"by,omitempty"`
		Lead   bool      `toml:"lead,omitempty"`
	}
	calendarDoc struct {
		Zone     string       `toml:"zone,omitempty"`
		Weekend  *[]string    `toml:"weekend,omitempty"` // absent: Saturday and Sunday; empty: none
		Holidays []holidayDoc `toml:"holidays,omitempty"`
	}
	holidayDoc struct {
		Date any    `toml:"date,omitempty"`
		Name string `toml:"name,omitempty"`
	}
	ruleDoc struct {
		Class  ContentClass `toml:"class,omitempty"`
		Cohort CohortID     `toml:"cohort,omitempty"`
		At     string       `toml:"at,omitempty"`
	}
	agreementDoc struct {
		Version     int          `toml:"version,omitempty"`
		Title       string       `toml:"title,omitempty"`
		Effective   any          `toml:"effective,omitempty"`
		Obligations []Obligation `toml:"obligations,omitempty"`
		Text        string       `toml:"text,omitempty,multiline"`
	}
	handlingDoc struct {
		TLP           string     `toml:"tlp,omitempty"`
		PAP           string     `toml:"pap,omitempty"`
		Organisations []OrgID    `toml:"organisations,omitempty"`
		Groups        []GroupID  `toml:"groups,omitempty"`
		Sectors       []string   `toml:"sectors,omitempty"`
		Purposes      []string   `toml:"purposes,omitempty"`
		NotOrgs       []OrgID    `toml:"not_organisations,omitempty"`
		NotCohorts    []CohortID `toml:"not_cohorts,omitempty"`
		NotHats       []string   `toml:"not_hats,omitempty"`
		NotIn         []string   `toml:"not_in,omitempty"`
		Statement     string     `toml:"statement,omitempty"`
		Actions       string     `toml:"permitted_actions,omitempty"`
		Encrypt       string     `toml:"encrypt_in_transit,omitempty"`
		Notify        string     `toml:"affected_party_notifications,omitempty"`
		Resale        string     `toml:"unmodified_resale,omitempty"`
		Attribution   string     `toml:"attribution,omitempty"`
	}
	compelledDoc struct {
		Deny   []ContentClass `toml:"deny,omitempty"`
		Others string         `toml:"others,omitempty"`
	}
	approvalsDoc struct {
		Default   int            `toml:"default,omitempty"`
		TwoPerson []ContentClass `toml:"two_person,omitempty"`
	}
	visibilityDoc struct {
		MembersSee string `toml:"members_see,omitempty"`
		Floor      int    `toml:"count_floor,omitempty"`
	}
	resharingDoc struct {
		AnswerWithin string `toml:"answer_within,omitempty"`
		MaxDays      int    `toml:"max_days,omitempty"`
	}
	contributions struct {
		From []CohortID `toml:"from,omitempty"`
		To   []CohortID `toml:"to,omitempty"`
	}
)

const maxCharterBytes = 1 << 20

// ParseCharter reads a charter from TOML. Keys that the format does not know
// and values that cannot be understood make an Invalid error, which lists all
// of them, and what Check finds besides. An incomplete charter is no error:
// whoever opens a program calls Check. Defaults are filled in: weekend
// Saturday and Sunday, one approval, two for poc and repro-steps, members see
// counts, members under a duty receive as their cohort does.
func ParseCharter(data []byte) (Charter, error) {
	const public = "the charter was not accepted; nothing was changed"
	if len(data) > maxCharterBytes {
		return Charter{}, Fail(Invalid, "the charter is larger than %d bytes", maxCharterBytes)
	}
	var doc charterDoc
	var f findings
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&doc)
	var strict *toml.StrictMissingError
	switch {
	case errors.As(err, &strict):
		for i := range strict.Errors {
			f.unknownKey(&strict.Errors[i])
		}
	case err != nil:
		f.unreadable(err)
		return Charter{}, InvalidWith(public, f)
	}
	c := doc.charter(&f)
	if len(f) == 0 {
		return c, nil
	}
	for _, p := range c.Check(time.Time{}) {
		if !slices.ContainsFunc(f, func(q Problem) bool { return q.Path == p.Path }) {
			f = append(f, p)
		}
	}
	return Charter{}, InvalidWith(public, f)
}

func (d charterDoc) charter(f *findings) Charter {
	c := Charter{
		ID: d.ID, Title: d.Title, Outcome: d.Outcome, Owner: d.Owner,
		Beneficiaries:    some(d.Beneficiaries),
		InformationTypes: some(d.InformationTypes),
		OutOfScope:       some(d.OutOfScope),
		Review:           f.date("review_date", d.Review),
		Sunset:           f.date("sunset_date", d.Sunset),
		Calendar:         d.Calendar.calendar(f),
		ContentClasses:   some(d.ContentClasses),
		Agreement: Agreement{
			Version: d.Agreement.Version, Title: d.Agreement.Title, Text: d.Agreement.Text,
			Effective:   f.date("agreement.effective", d.Agreement.Effective),
			Obligations: some(d.Agreement.Obligations),
		},
		Handling:            d.Handling.handling(f),
		CompelledDisclosure: CompelledDisclosure{some(d.Compelled.Deny), cmp.Or(d.Compelled.Others, OthersAsCohort)},
		Approvals:           Approvals{cmp.Or(d.Approvals.Default, 1), withTwoPerson(d.Approvals.TwoPerson)},
		Visibility:          Visibility{cmp.Or(d.Visibility.MembersSee, SeeCounts), cmp.Or(d.Visibility.Floor, DefaultFloor)},
		Contributions:       Contributions{some(d.Contributions.From), some(d.Contributions.To)},
		LegalBasis:          some(d.LegalBasis),
		Groups:              some(d.Group),
		Policies:            d.Policies, PolicyTests: some(d.PolicyTest), Purposes: some(d.Purposes), CountsFor: some(d.CountsFor),
		Resharing: Resharing{MaxDays: d.Resharing.MaxDays},
		Ledger:    d.Ledger.witnessing(f),
	}
	c.Resharing.AnswerWithin = f.span("resharing.answer_within", d.Resharing.AnswerWithin)
	var err error
	for i, m := range d.Measure {
		path := fmt.Sprintf("measure[%d]", i)
		out := Measure{ID: m.ID, By: f.date(path+".by", m.By), Lead: m.Lead}
		if m.Target != "" {
			out.Target, err = ParseTarget(m.Target, m.ID)
			f.fault(path+".target", err)
		}
		c.Measures = append(c.Measures, out)
	}
	for _, co := range d.Cohort {
		co.Rule.Terms, co.Rule.Not = co.Rule.Terms.some(), co.Rule.Not.some()
		c.Cohorts = append(c.Cohorts, co)
	}
	for i, r := range d.Rule {
		at, err := ParseOffset(r.At)
		f.fault(fmt.Sprintf("rule[%d].at", i), err)
		c.Rules = append(c.Rules, PlanRule{r.Class, r.Cohort, at})
	}
	return c
}

func (d handlingDoc) handling(f *findings) Handling {
	h := Handling{
		Organisations: some(d.Organisations), Groups: some(d.Groups), Sectors: some(d.Sectors), Purposes: some(d.Purposes),
		NotOrgs: some(d.NotOrgs), NotCohorts: some(d.NotCohorts), NotHats: some(d.NotHats), NotIn: some(capitals(d.NotIn)), Statement: d.Statement,
	}
	var err [7]error
	h.TLP, err[0] = ParseTLP(d.TLP)
	h.PAP, err[1] = ParsePAP(d.PAP)
	h.Actions, err[2] = ParseActions(d.Actions)
	h.Encrypt, err[3] = ParseDuty(d.Encrypt, MustEncrypt)
	h.Notify, err[4] = ParseDuty(d.Notify, MustNotNotify)
	h.Resale, err[5] = ParseDuty(d.Resale, MustNotResell)
	h.Attribution, err[6] = ParseAttribution(d.Attribution)
	for i, key := range []string{
		"tlp", "pap", "permitted_actions", "encrypt_in_transit", "affected_party_notifications", "unmodified_resale", "attribution",
	} {
		f.fault("handling."+key, err[i])
	}
	return h
}

func docOf(h Handling) handlingDoc {
	return handlingDoc{
		TLP: h.TLP.String(), PAP: h.PAP.String(), Organisations: h.Organisations, Groups: h.Groups, Sectors: h.Sectors, Purposes: h.Purposes,
		NotOrgs: h.NotOrgs, NotCohorts: h.NotCohorts, NotHats: h.NotHats, NotIn: h.NotIn, Statement: h.Statement,
		Actions: h.Actions.String(), Encrypt: h.Encrypt.Word(MustEncrypt), Notify: h.Notify.Word(MustNotNotify),
		Resale: h.Resale.Word(MustNotResell), Attribution: h.Attribution.String(),
	}
}

func (d calendarDoc) calendar(f *findings) Calendar {
	weekend := []time.Weekday{time.Sunday, time.Saturday}
	if d.Weekend != nil {
		weekend = weekend[:0]
		for i, s := range *d.Weekend {
			day, err := ParseWeekday(s)
			f.fault(fmt.Sprintf("calendar.weekend[%d]", i), err)
			weekend = append(weekend, day)
		}
	}
	var holidays map[Date]string
	for i, h := range d.Holidays {
		path := fmt.Sprintf("calendar.holidays[%d]", i)
		day := f.date(path+".date", h.Date)
		if _, dup := holidays[day]; dup {
			f.add(path+".date", "%s stands there twice", day)
		}
		if holidays == nil {
			holidays = map[Date]string{}
		}
		holidays[day] = h.Name
	}
	if d.Zone == "" { // incomplete, which Check reports
		return Calendar{Weekend: weekend, Holidays: holidays}
	}
	c, err := NewCalendar(d.Zone, weekend, holidays)
	f.fault("calendar.zone", err)
	c.Weekend = c.weekend()
	return c
}

// TOML is the charter as a canonical document. ParseCharter reads it back to
// an equal charter when this one came from ParseCharter, too.
func (c Charter) TOML() []byte {
	d := charterDoc{
		ID: c.ID, Title: c.Title, Outcome: c.Outcome, Owner: c.Owner, Beneficiaries: c.Beneficiaries,
		InformationTypes: c.InformationTypes, OutOfScope: c.OutOfScope,
		Review: c.Review.toml(), Sunset: c.Sunset.toml(), ContentClasses: c.ContentClasses, Cohort: c.Cohorts,
		Calendar: calendarDoc{Zone: c.Calendar.ZoneName, Weekend: &[]string{}},
		Agreement: agreementDoc{
			c.Agreement.Version, c.Agreement.Title, c.Agreement.Effective.toml(), c.Agreement.Obligations, c.Agreement.Text,
		},
		Handling:   docOf(c.Handling),
		Compelled:  compelledDoc(c.CompelledDisclosure),
		Approvals:  approvalsDoc(c.Approvals),
		Visibility: visibilityDoc(c.Visibility), Contributions: contributions(c.Contributions), Group: c.Groups,
		LegalBasis: c.LegalBasis,
		Policies:   c.Policies, PolicyTest: c.PolicyTests, Purposes: c.Purposes, CountsFor: c.CountsFor,
		Resharing: c.Resharing.toml(), Ledger: c.Ledger.toml(),
	}
	for _, m := range c.Measures {
		d.Measure = append(d.Measure, measureDoc{m.ID, m.Target.String(), m.By.toml(), m.Lead})
	}
	for _, day := range c.Calendar.weekend() {
		*d.Calendar.Weekend = append(*d.Calendar.Weekend, weekdayNames[day])
	}
	for _, day := range slices.SortedFunc(maps.Keys(c.Calendar.Holidays), Date.compare) {
		d.Calendar.Holidays = append(d.Calendar.Holidays, holidayDoc{day.toml(), c.Calendar.Holidays[day]})
	}
	for _, r := range c.Rules {
		d.Rule = append(d.Rule, ruleDoc{r.Class, r.Cohort, r.At.String()})
	}
	b, err := toml.Marshal(d)
	if err != nil { // the document's types are fixed above: only a programming fault leads here
		panic(fmt.Errorf("writing a charter: %w", err))
	}
	return b
}

func (r Resharing) toml() resharingDoc {
	return resharingDoc{AnswerWithin: spanText(r.AnswerWithin), MaxDays: r.MaxDays}
}

// spanText writes a span of time as span reads it, such as 72h; empty for zero.
func spanText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	text := d.String() // such as 72h0m0s
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// span reads a span of time such as 72h; empty: none was given.
func (f *findings) span(path, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		f.add(path, "%q is no span of time; write hours, such as 72h", clip(text))
	}
	return d
}

func (d Date) toml() any {
	if d.IsZero() {
		return nil
	}
	return toml.LocalDate{Year: d.Year, Month: int(d.Month), Day: d.Day}
}

// docType returns the type that the document has at a key, and the keys that
// its innermost known table knows.
func docType(key []string) (t reflect.Type, siblings []string) {
	t = reflect.TypeFor[charterDoc]()
	for _, part := range key {
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return nil, nil
		}
		siblings = nil
		var found reflect.Type
		for _, field := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
			if name == "" {
				continue
			}
			siblings = append(siblings, name)
			if name == part {
				found = field.Type
			}
		}
		if found == nil {
			return nil, siblings
		}
		t = found
	}
	return t, siblings
}

func (f *findings) unknownKey(e *toml.DecodeError) {
	line, _ := e.Position()
	key := e.Key()
	hint := ""
	if len(key) > 0 {
		_, siblings := docType(key)
		if near := nearest(key[len(key)-1], siblings); near != "" {
			hint = "; did you mean " + strconv.Quote(near) + "?"
		}
	}
	f.add(clip(strings.Join(key, ".")), "line %d: a charter has no such key%s", line, hint)
}

func (f *findings) unreadable(err error) {
	var de *toml.DecodeError
	if !errors.As(err, &de) {
		f.add("charter", "%s", clip(err.Error()))
		return
	}
	line, column := de.Position()
	path := cmp.Or(clip(strings.Join(de.Key(), ".")), "charter")
	msg := strings.TrimPrefix(de.Error(), "toml: ")
	if got, ok := strings.CutPrefix(msg, "cannot decode TOML "); ok {
		got, _, _ = strings.Cut(got, " into ")
		t, _ := docType(de.Key())
		f.add(path, "line %d: expected %s, found %s", line, kindWords(t), got)
		return
	}
	f.add(path, "line %d, column %d: not TOML: %s", line, column, clip(msg))
}

func kindWords(t reflect.Type) string {
	if t == nil {
		return "another kind of value"
	}
	switch t.Kind() {
	case reflect.String:
		return "text in quotes"
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Pointer:
		return kindWords(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "a list of tables"
		}
		return "a list of texts"
	case reflect.Struct:
		return "a table"
	default:
		return "a date"
	}
}

// withTwoPerson adds the classes that need two approvals in every program.
func withTwoPerson(classes []ContentClass) []ContentClass {
	out := slices.Clone(classes)
	for _, c := range AllContentClasses {
		if c.NeedsTwoApprovals() && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, byRank)
	return out
}

// some makes an empty list nil, so that "absent" has one form.
func some[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func (t Terms) some() Terms {
	t.Kinds, t.Hats, t.Sectors = some(t.Kinds), some(t.Hats), some(t.Sectors)
	t.Jurisdictions, t.Regions = some(t.Jurisdictions), some(t.Regions)
	t.Products, t.Organisations = some(t.Products), some(t.Organisations)
	return t
}
