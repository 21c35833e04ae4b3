package membership_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func TestAddOrganisation(t *testing.T) {
	w := newWorld(t)
	fresh := testkit.Organisation("fresh")
	for name, tt := range map[string]struct {
		actor exchange.Actor
		org   exchange.Organisation
		kind  exchange.Kind
	}{
		"signatory":       {w.signatory, fresh, exchange.Denied},
		"approver":        {w.approver, fresh, exchange.Denied},
		"nobody":          {exchange.Public(), fresh, exchange.Denied},
		"taken":           {w.operator, testkit.Organisation("alpha"), exchange.Conflict},
		"bad id":          {w.operator, testkit.Organisation("Not A Slug"), exchange.Invalid},
		"own client":      {w.operator, testkit.Organisation("me", func(o *exchange.Organisation) { o.ClientOf = "me" }), exchange.Invalid},
		"unknown country": {w.operator, testkit.Organisation("me", func(o *exchange.Organisation) { o.Jurisdictions = []string{"Germany"} }), exchange.Invalid},
	} {
		_, err := w.room.AddOrganisation(t.Context(), tt.actor, tt.org)
		if exchange.KindOf(err) != tt.kind {
			t.Errorf("%s: %v, want %s", name, err, tt.kind)
		}
	}
	if got := w.recorded(t, ""); len(got) > 0 {
		t.Errorf("recorded %v", got)
	}
	o, err := w.room.AddOrganisation(t.Context(), w.operator, fresh)
	if err != nil || o.Revision != 1 || !o.CreatedAt.Equal(testkit.Start) {
		t.Fatalf("%+v, %v", o, err)
	}
	read, err := w.room.Organisation(t.Context(), w.admin, "fresh")
	if diff := cmp.Diff(o, read); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	list, err := w.room.ListOrganisations(t.Context(), w.operator, "beta", 2)
	if err != nil || len(list) != 2 || list[0].ID != testkit.Owner || list[1].ID != "fresh" {
		t.Errorf("%v, %v", list, err)
	}
	_, err = w.room.ListOrganisations(t.Context(), w.signatory, "", 0)
	wantKind(t, err, exchange.Denied)
	_, err = w.room.Organisation(t.Context(), w.signatory, "fresh")
	wantMissing(t, err)
}

func TestChangeOrganisationKnowsItsRevision(t *testing.T) {
	w := newWorld(t)
	o, err := w.room.Organisation(t.Context(), w.signatory, "alpha")
	if err != nil {
		t.Fatal(err)
	}
	o.Name = "Alpha, renamed"
	for _, a := range []exchange.Actor{w.operator, w.signatory} {
		_, err = w.room.ChangeOrganisation(t.Context(), a, o, 0)
		wantKind(t, err, exchange.Denied)
	}
	_, err = w.room.ChangeOrganisation(t.Context(), w.stranger, testkit.Organisation("no-such"), 0)
	wantMissing(t, err)
	next, err := w.room.ChangeOrganisation(t.Context(), w.admin, o, 1)
	if err != nil || next.Revision != 2 {
		t.Fatalf("%+v, %v", next, err)
	}
	if again, err := w.room.ChangeOrganisation(t.Context(), w.admin, next, 2); err != nil || again.Revision != 2 {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	_, err = w.room.ChangeOrganisation(t.Context(), w.admin, o, 1)
	wantKind(t, err, exchange.Precondition)
	if got := w.recorded(t, "alpha"); len(got) != 1 || got[0] != exchange.EventOrgChanged {
		t.Errorf("recorded %v", got)
	}
}

// Nobody gives, or gets hold of, more authority than their own standing allows.
func TestAuthorityOverPeople(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha")
	w.put(t, testkit.Organisation("unjoined"))
	scoped := w.admin
	scoped.Token, scoped.Verbs, scoped.Program = "fw_x", []exchange.Verb{exchange.VerbOperate}, testkit.Program
	tests := []struct {
		name  string
		actor exchange.Actor
		org   exchange.OrgID
		role  exchange.Role
		kind  exchange.Kind // empty: done
	}{
		{"administrator gives any role", w.admin, "alpha", exchange.RoleAdmin, ""},
		{"administrator's token for one program", scoped, "alpha", exchange.RoleAnalyst, exchange.NotFound},
		{"operator brings a member's signatory in", w.operator, "alpha", exchange.RoleSignatory, ""},
		{"operator before the organisation joins", w.operator, "unjoined", exchange.RoleSignatory, ""},
		{"operator gives no admin", w.operator, "alpha", exchange.RoleAdmin, exchange.Denied},
		{"operator gives no operator", w.operator, "alpha", exchange.RoleOperator, exchange.Denied},
		{"operator makes no second approver", w.operator, testkit.Owner, exchange.RoleApprover, exchange.Denied},
		{"operator adds nobody at home", w.operator, testkit.Owner, exchange.RoleAnalyst, exchange.Denied},
		{"operator of another program", w.stranger, "alpha", exchange.RoleAnalyst, exchange.NotFound},
		{"operator in another owner's organisation", w.operator, "other", exchange.RoleAnalyst, exchange.NotFound},
		{"signatory", w.signatory, "alpha", exchange.RoleAnalyst, ""},
		{"signatory gives no operator", w.signatory, "alpha", exchange.RoleOperator, exchange.Denied},
		{"signatory elsewhere", w.signatory, "beta", exchange.RoleAnalyst, exchange.NotFound},
		{"analyst", w.analyst, "alpha", exchange.RoleAnalyst, exchange.Denied},
		{"nobody", exchange.Public(), "alpha", exchange.RoleAnalyst, exchange.NotFound},
	}
	for i, tt := range tests {
		p := testkit.Person(tt.org, string(rune('a'+i))+"-new", tt.role)
		_, err := w.room.AddPerson(t.Context(), tt.actor, p)
		if exchange.KindOf(err) != tt.kind || (err == nil) != (tt.kind == "") {
			t.Errorf("%s: %v, want %q", tt.name, err, string(tt.kind))
		}
	}
	if got := count(w.recorded(t, ""), exchange.EventPersonAdded); got != 4 {
		t.Errorf("%d people added, want 4", got)
	}
	for _, e := range w.entries(t) {
		if strings.Contains(string(e.Body), ".example") {
			t.Errorf("%s carries an e-mail address", e.Kind)
		}
	}

	// Who is a member of a second owner's program is managed by neither operator.
	w.put(t, testkit.Member("foreign", "alpha", exchange.Audience{}, 0))
	_, err := w.room.AddPerson(t.Context(), w.operator, testkit.Person("alpha", "late", exchange.RoleAnalyst))
	wantMissing(t, err)
	_, err = w.room.IssueLink(t.Context(), w.operator, w.signatory.Person, false, time.Hour)
	wantMissing(t, err)
}

func TestLoginIsUnique(t *testing.T) {
	w := newWorld(t)
	p := testkit.Person("beta", "x", exchange.RoleAnalyst)
	p.Login = w.analyst.Name
	_, err := w.room.AddPerson(t.Context(), w.admin, p)
	wantKind(t, err, exchange.Conflict)
	for _, bad := range []string{"", "x", "Upper@case", "fw_abc", "a b@c"} {
		p.Login = bad
		if _, err := w.room.AddPerson(t.Context(), w.admin, p); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestChangePerson(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha")
	read := func() exchange.Person {
		p, err := w.room.Person(t.Context(), w.signatory, w.analyst.Person)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := read()
	p.Name, p.Login, p.Org = "New Name", "other@login", "beta"
	if _, err := w.room.ChangePerson(t.Context(), w.analyst, p, 1); err != nil {
		t.Fatal(err)
	}
	if got := read(); got.Name != "New Name" || got.Login != w.analyst.Name || got.Org != "alpha" {
		t.Errorf("%+v", got)
	}
	p = read()
	p.Roles = []exchange.Role{exchange.RoleAnalyst, exchange.RoleSignatory}
	_, err := w.room.ChangePerson(t.Context(), w.analyst, p, 0)
	wantKind(t, err, exchange.Denied)
	_, err = w.room.ChangePerson(t.Context(), w.signatory, p, 1)
	wantKind(t, err, exchange.Precondition)
	if got, err := w.room.ChangePerson(t.Context(), w.signatory, p, 2); err != nil || !got.Has(exchange.RoleSignatory) {
		t.Errorf("%+v, %v", got, err)
	}
	p.Roles = []exchange.Role{exchange.RoleOperator}
	_, err = w.room.ChangePerson(t.Context(), w.signatory, p, 0)
	wantKind(t, err, exchange.Denied)
	_, err = w.room.ChangePerson(t.Context(), w.stranger, p, 0)
	wantMissing(t, err)
	_, err = w.room.Person(t.Context(), w.stranger, p.ID)
	wantMissing(t, err)
	_, err = w.room.People(t.Context(), w.stranger, "alpha")
	wantMissing(t, err)
}

func TestSuspendPersonAndOrganisation(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha")
	wantKind(t, w.room.SuspendPerson(t.Context(), w.signatory, w.signatory.Person), exchange.Conflict)
	wantKind(t, w.room.SuspendPerson(t.Context(), w.analyst, w.signatory.Person), exchange.Denied)
	wantMissing(t, w.room.SuspendPerson(t.Context(), w.stranger, w.signatory.Person))
	wantMissing(t, w.room.SuspendPerson(t.Context(), w.stranger, "per_unknown"))
	for range 2 {
		if err := w.room.SuspendPerson(t.Context(), w.signatory, w.analyst.Person); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.room.IssueLink(t.Context(), w.admin, w.analyst.Person, false, time.Hour)
	wantKind(t, err, exchange.Conflict)
	for range 2 {
		if err := w.room.ResumePerson(t.Context(), w.signatory, w.analyst.Person); err != nil {
			t.Fatal(err)
		}
	}

	_, err = w.room.SuspendOrganisation(t.Context(), w.operator, "alpha", "x")
	wantKind(t, err, exchange.Denied)
	_, err = w.room.SuspendOrganisation(t.Context(), w.stranger, "no-such", "x")
	wantMissing(t, err)
	_, err = w.room.SuspendOrganisation(t.Context(), w.admin, "alpha", "")
	wantKind(t, err, exchange.Invalid)
	_, err = w.room.SuspendOrganisation(t.Context(), w.admin, "registrar", "x")
	wantKind(t, err, exchange.Conflict)
	for range 2 {
		o, err := w.room.SuspendOrganisation(t.Context(), w.admin, "alpha", "breach")
		if err != nil || !o.SuspendedAt.Equal(testkit.Start) || o.SuspendReason != "breach" {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	_, err = w.room.Join(t.Context(), w.operator, testkit.Program, "alpha")
	wantKind(t, err, exchange.Conflict)
	if o, err := w.room.ResumeOrganisation(t.Context(), w.admin, "alpha"); err != nil || !o.SuspendedAt.IsZero() || o.SuspendReason != "" {
		t.Errorf("%+v, %v", o, err)
	}
	want := []exchange.EventKind{
		exchange.EventMemberJoined, exchange.EventMemberMoved, exchange.EventPersonSuspended, exchange.EventPersonResumed,
		exchange.EventOrgSuspended, exchange.EventOrgResumed,
	}
	if diff := cmp.Diff(want, w.recorded(t, "alpha")); diff != "" {
		t.Error(diff)
	}
}

func TestTokensAreShownOnceAndBounded(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha")
	good := membership.TokenRequest{
		Person: w.analyst.Person, Name: "siem-prod", Verbs: []exchange.Verb{exchange.VerbRead},
		Program: testkit.Program, Ceiling: exchange.TLPAmber, Machine: true, TTL: 24 * time.Hour,
	}
	secret, token, err := w.room.IssueToken(t.Context(), w.analyst, good)
	if err != nil {
		t.Fatal(err)
	}
	if prefix := string(token.ID) + "_"; len(secret) != 68 || !strings.HasPrefix(secret, prefix) || !strings.HasPrefix(secret, "fw_") {
		t.Errorf("the token has %d characters", len(secret))
	}
	want := exchange.Token{
		ID: token.ID, Person: w.analyst.Person, Org: "alpha", Name: "siem-prod", Verbs: good.Verbs,
		Program: testkit.Program, Ceiling: exchange.TLPAmber, Machine: true,
		CreatedAt: testkit.Start, ExpiresAt: testkit.Start.Add(24 * time.Hour),
	}
	list, err := w.room.Tokens(t.Context(), w.signatory, "alpha")
	if diff := cmp.Diff([]exchange.Token{want}, list); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	w.absent(t, secret, secret[len(token.ID)+1:])

	bad := map[string]func(*membership.TokenRequest){
		"no name":         func(r *membership.TokenRequest) { r.Name = "" },
		"no verb":         func(r *membership.TokenRequest) { r.Verbs = nil },
		"unknown verb":    func(r *membership.TokenRequest) { r.Verbs = []exchange.Verb{"all"} },
		"no end":          func(r *membership.TokenRequest) { r.TTL = 0 },
		"too long":        func(r *membership.TokenRequest) { r.TTL = membership.MaxTokenTTL + time.Second },
		"foreign program": func(r *membership.TokenRequest) { r.Program = "foreign" },
		"unknown program": func(r *membership.TokenRequest) { r.Program = "no-such" },
	}
	answers := map[string]string{}
	for name, change := range bad {
		r := good
		change(&r)
		_, _, err := w.room.IssueToken(t.Context(), w.analyst, r)
		wantKind(t, err, exchange.Invalid)
		answers[name] = err.Error()
	}
	if answers["foreign program"] != answers["unknown program"] {
		t.Error("a program of others can be told from one that does not exist")
	}
	if got := count(w.recorded(t, ""), exchange.EventTokenIssued); got != 1 {
		t.Errorf("%d tokens issued, want 1", got)
	}
}

func TestWhoIssuesAndRevokesTokens(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha")
	request := membership.TokenRequest{Person: w.analyst.Person, Name: "x", Verbs: []exchange.Verb{exchange.VerbRead}, TTL: time.Hour}
	reader := w.analyst
	reader.Token, reader.Verbs = "fw_reader", []exchange.Verb{exchange.VerbRead}
	narrow := w.analyst
	narrow.Token, narrow.Verbs, narrow.Program, narrow.Ceiling = "fw_narrow", []exchange.Verb{exchange.VerbOperate}, testkit.Program, exchange.TLPGreen
	for name, tt := range map[string]struct {
		actor exchange.Actor
		kind  exchange.Kind
	}{
		"self":                     {w.analyst, ""},
		"signatory":                {w.signatory, ""},
		"operator of the program":  {w.operator, ""},
		"administrator":            {w.admin, ""},
		"approver":                 {w.approver, exchange.NotFound},
		"another owner's operator": {w.stranger, exchange.NotFound},
		"a token that reads":       {reader, exchange.Denied},
		"a narrower token":         {narrow, exchange.Invalid},
		"nobody":                   {exchange.Public(), exchange.NotFound},
	} {
		_, _, err := w.room.IssueToken(t.Context(), tt.actor, request)
		if exchange.KindOf(err) != tt.kind || (err == nil) != (tt.kind == "") {
			t.Errorf("%s: %v, want %q", name, err, string(tt.kind))
		}
	}
	for name, a := range map[string]exchange.Actor{
		"a member's signatory": w.signatory, "operator": w.operator,
		"the owner's signatory": testkit.Actor(testkit.Person(testkit.Owner, "signatory", exchange.RoleSignatory)),
	} {
		r := request
		r.Person = w.approver.Person
		if _, _, err := w.room.IssueToken(t.Context(), a, r); err == nil {
			t.Errorf("%s made a token of an approver", name)
		}
	}

	// With a token that operates, an administrator could approve as somebody else.
	operate := []exchange.Verb{exchange.VerbFeedback, exchange.VerbOperate}
	for name, tt := range map[string]struct {
		actor  exchange.Actor
		person exchange.PersonID
		verbs  []exchange.Verb
		kind   exchange.Kind
	}{
		"administrator for an approver":        {w.admin, w.approver.Person, operate, exchange.Denied},
		"administrator for an operator":        {w.admin, w.operator.Person, operate, exchange.Denied},
		"administrator, to read":               {w.admin, w.approver.Person, []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}, ""},
		"administrator for a member's analyst": {w.admin, w.analyst.Person, operate, ""},
		"the approver":                         {w.approver, w.approver.Person, operate, ""},
		"the operator":                         {w.operator, w.operator.Person, operate, ""},
		"on the exchange's own machine":        {exchange.System(), w.approver.Person, operate, ""},
	} {
		before := count(w.recorded(t, ""), exchange.EventTokenIssued)
		_, _, err := w.room.IssueToken(t.Context(), tt.actor, membership.TokenRequest{Person: tt.person, Name: "x", Verbs: tt.verbs, TTL: time.Hour})
		issued := count(w.recorded(t, ""), exchange.EventTokenIssued) - before
		if exchange.KindOf(err) != tt.kind || (err == nil) != (issued == 1) {
			t.Errorf("%s: %v, %d issued, want %q", name, err, issued, string(tt.kind))
		}
	}

	_, token, err := w.room.IssueToken(t.Context(), w.signatory, membership.TokenRequest{
		Person: w.signatory.Person, Name: "x", Verbs: []exchange.Verb{exchange.VerbRead}, TTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, w.room.RevokeToken(t.Context(), w.analyst, token.ID), exchange.Denied)
	wantMissing(t, w.room.RevokeToken(t.Context(), w.stranger, token.ID))
	wantMissing(t, w.room.RevokeToken(t.Context(), w.signatory, "fw_unknown"))
	for range 2 {
		if err := w.room.RevokeToken(t.Context(), w.signatory, token.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := count(w.recorded(t, ""), exchange.EventTokenRevoked); got != 1 {
		t.Errorf("%d revocations recorded, want 1", got)
	}
	own, err := w.room.Tokens(t.Context(), w.analyst, "alpha")
	if err != nil || len(own) == 0 {
		t.Fatal(own, err)
	}
	for _, o := range own {
		if o.Person != w.analyst.Person {
			t.Errorf("an analyst sees the token of %s", o.Person)
		}
	}
	_, err = w.room.Tokens(t.Context(), w.stranger, "alpha")
	wantMissing(t, err)
}

func TestLinks(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha")
	code, err := w.room.IssueLink(t.Context(), w.signatory, w.analyst.Person, false, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w.absent(t, code)
	_, err = w.room.IssueLink(t.Context(), w.signatory, w.analyst.Person, true, time.Hour)
	wantKind(t, err, exchange.Denied)
	for _, ttl := range []time.Duration{0, -1, membership.MaxLinkTTL + 1} {
		_, err = w.room.IssueLink(t.Context(), w.signatory, w.analyst.Person, false, ttl)
		wantKind(t, err, exchange.Invalid)
	}
	narrow := w.analyst
	narrow.Token, narrow.Verbs, narrow.Ceiling = "fw_narrow", []exchange.Verb{exchange.VerbOperate}, exchange.TLPGreen
	_, err = w.room.IssueLink(t.Context(), narrow, w.analyst.Person, false, time.Hour)
	wantKind(t, err, exchange.Denied)
	if _, err := w.room.IssueLink(t.Context(), exchange.System(), w.analyst.Person, true, 1000*time.Hour); err != nil {
		t.Error(err)
	}
}
