package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/basis"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
)

// The legal bases that the charters name. The acts are invented, and the code
// XA is user-assigned in ISO 3166-1.
const (
	warningAct  exchange.BasisID = "warning-act"
	supplyOrder exchange.BasisID = "supply-order"
)

// bases enters one instrument that is in force, and one that lapsed ten days ago.
func (t *story) bases(at time.Time) {
	began := t.d.start.AddDate(-1, 0, 0)
	for _, l := range []basis.Line{
		{
			Basis: warningAct, Jurisdiction: "XA", Instrument: "Act on the Exchange of Warnings, section 4", InForce: true, From: began, KnownFrom: began,
			Conditions: "personal information is removed first", Source: "Official Journal of XA 12/3 (invented for this demonstration)",
		},
		{
			Basis: supplyOrder, Jurisdiction: "XA", Instrument: "Order on the Supply of Networks", InForce: true, From: began, To: t.d.now.AddDate(0, 0, -10).Truncate(time.Hour), KnownFrom: began,
			Source: "Official Journal of XA 14/9 (invented for this demonstration)",
		},
	} {
		t.agenda.add(at, "entering a legal basis", func(ctx context.Context, x *core.Exchange) error {
			_, err := x.Bases.Add(ctx, exchange.System(), l)
			return err
		})
	}
}

// control shows what an originator can still do about what it shared: a recall
// that one holder has answered and another has not, parts that only some are
// given, a marking that nobody understands, and a request to pass something on.
func (t *story) control() {
	ago := func(d time.Duration) time.Time { return t.d.now.Add(-d) }
	hour := time.Hour
	for _, org := range []string{"glimmerwick", "copperleaf-ids"} {
		p := t.of(org)
		t.agenda.add(ago(60*hour), "reading "+string(Community), func(ctx context.Context, x *core.Exchange) error {
			_, err := x.Delivery.Page(ctx, p.machine(exchange.ChannelTAXII), Community, delivery.Query{Limit: delivery.MaxLimit})
			return err
		})
	}
	t.takesBack(ago(30 * hour))
	t.post(Community, "glimmerwick", ago(16*hour), marked(ago(16*hour)))
	t.post(Community, "tumblebrook", ago(10*hour), unknown(ago(10*hour)))
	t.agenda.add(ago(5*hour), "asking to re-share", func(ctx context.Context, x *core.Exchange) error {
		_, err := x.Reshares.Ask(ctx, t.of("copperleaf-ids").web(), reshare.Question{
			Program: Community, Item: found("glimmerwick", "invoice-desk.example"), Kind: reshare.Reshare,
			To: []exchange.OrgID{"old-mill-bank"}, Outside: []string{"the bank's mail provider"},
			Why: "The bank sees the same invoices, and its provider filters its mail.",
		})
		return err
	})
}

// takesBack lets a CERT recall what it wrote, and one of two holders answer.
func (t *story) takesBack(at time.Time) {
	var id recall.ID
	t.agenda.add(at, "recalling", func(ctx context.Context, x *core.Exchange) error {
		done, err := x.Recalls.Issue(ctx, t.of("cert-northmoor").web(), recall.Act{
			Kind: recall.Recalled, Program: Community, Object: found("cert-northmoor", "198.51.100.41"),
			Reason:  "The address belongs to a research project that had announced its scans.",
			Message: "Please take it off your block lists today.",
		})
		id = done.ID
		return err
	})
	t.agenda.add(at.Add(2*time.Hour), "answering a recall", func(ctx context.Context, x *core.Exchange) error {
		_, err := x.Recalls.Acknowledge(ctx, t.of("glimmerwick").web(), id, recall.Deleted, "Off the list since 14:00, and out of the next rule package.")
		return err
	})
}

// found is the identifier of the indicator that contribute writes.
func found(org, value string) string { return "indicator--" + uuid("indicator", org, value) }

// tearLine hands in what may be said of the root cause of a release, made from it.
func (t *story) tearLine(e *edition, at time.Time) {
	t.agenda.add(at, "handing in a tear-line", func(ctx context.Context, x *core.Exchange) error {
		if e.rootCause == "" {
			return fmt.Errorf("there is no root cause to make it from")
		}
		w := e.weaknesses[0]
		text := fmt.Sprintf("# What may be said of %s\n\n%s has a weakness in how it reads what it is sent. A fix follows.\n", w.id(e.t0.Year()), w.product)
		_, err := x.Submissions.Submit(ctx, t.operator(), submission.Input{
			Release: e.id, Class: exchange.Summary, Kind: exchange.ArtifactMarkdown, Title: "Tear-line of the root cause", Filename: "tear-line.md",
			MediaType: "text/markdown", DerivedFrom: []string{string(e.rootCause)}, Relation: "tear-line",
		}, bytes.NewReader([]byte(text)))
		return err
	})
}

// post lets a member write objects into a program, as a machine does.
func (t *story) post(program exchange.ProgramID, org string, at time.Time, objects []any) {
	t.agenda.add(at, "writing into "+string(program), func(ctx context.Context, x *core.Exchange) error {
		b, err := json.Marshal(map[string]any{"objects": objects})
		if err != nil {
			return err
		}
		s, err := x.Contributions.Add(ctx, t.of(org).machine(exchange.ChannelTAXII), program, bytes.NewReader(b))
		switch {
		case exchange.KindOf(err) == exchange.Unavailable:
			return nil
		case err == nil && s.Failure > 0:
			err = fmt.Errorf("%+v", s.Failures)
		}
		return err
	})
}

type properties = map[string]any

// markingExtension is the extension of docs/guide/mark.md.
const markingExtension = "extension-definition--6acce358-1e61-51f9-a562-95780c94d109"

func markingOf(what, when, extension string, asks properties) properties {
	asks["extension_type"] = "property-extension"
	return properties{
		"type": "marking-definition", "spec_version": "2.1", "id": "marking-definition--" + uuid("marking", what), "created": when,
		"name": what, "extensions": properties{extension: asks},
	}
}

// marked are an indicator of which a part is kept from one cohort, a server that
// one organisation alone may see, and the relationship between them, which
// nobody else may then see either.
func marked(at time.Time) []any {
	when := at.UTC().Truncate(time.Second).Format(stixTime)
	responders := markingOf("For responders", when, markingExtension, properties{"not_cohorts": []string{"members"}})
	one := markingOf("For Brass Owl alone", when, markingExtension, properties{"organisations": []string{"brass-owl"}})
	by := "identity--" + uuid("identity", "glimmerwick")
	indicator, server := "indicator--"+uuid("indicator", "second wave"), "infrastructure--"+uuid("infrastructure", "second wave")
	return []any{
		responders, one,
		properties{
			"type": "indicator", "spec_version": "2.1", "id": indicator, "created": when, "modified": when, "created_by_ref": by,
			"name": "the loader, second wave", "description": "Seen first at a customer in shipping, whose name we keep.",
			"indicator_types": []string{"malicious-activity"}, "pattern": "[domain-name:value = 'freight-desk.example']", "pattern_type": "stix", "valid_from": when,
			"granular_markings": []any{properties{"marking_ref": responders["id"], "selectors": []string{"description"}}},
		},
		properties{
			"type": "infrastructure", "spec_version": "2.1", "id": server, "created": when, "modified": when, "created_by_ref": by,
			"name": "where the loader reports to", "infrastructure_types": []string{"command-and-control"}, "object_marking_refs": []any{one["id"]},
		},
		properties{
			"type": "relationship", "spec_version": "2.1", "id": "relationship--" + uuid("relationship", "second wave"), "created": when, "modified": when,
			"created_by_ref": by, "relationship_type": "indicates", "source_ref": indicator, "target_ref": server,
		},
	}
}

// unknown is an indicator under a marking that the exchange does not
// understand: it waits for those who run the program.
func unknown(at time.Time) []any {
	when := at.UTC().Truncate(time.Second).Format(stixTime)
	label := markingOf("House rule 7 of a feed", when, "extension-definition--"+uuid("extension", "house rules"), properties{"house_rule": 7})
	return []any{label, properties{
		"type": "indicator", "spec_version": "2.1", "id": "indicator--" + uuid("indicator", "house rule"), "created": when, "modified": when,
		"name": "a host from a feed with house rules", "indicator_types": []string{"anomalous-activity"},
		"pattern": "[ipv4-addr:value = '203.0.113.77']", "pattern_type": "stix", "valid_from": when, "object_marking_refs": []any{label["id"]},
	}}
}
