package web

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// handlingWords says all that a handling asks. It names who is on its lists, so
// it is for those alone who wrote them or run the program; what a reader has to
// do is policy.Obligations.
func handlingWords(h exchange.Handling) []string {
	var out []string
	say := func(before, what, after string) {
		if what != "" {
			out = append(out, before+what+after)
		}
	}
	if h.TLP != exchange.TLPUnset {
		out = append(out, h.TLP.String())
	}
	if h.PAP != exchange.PAPUnset {
		out = append(out, h.PAP.String())
	}
	for _, l := range h.AllowLists() {
		var who []string
		for _, s := range [3][2]string{{"", list(l.Organisations)}, {"groups ", list(l.Groups)}, {"sectors ", list(l.Sectors)}} {
			if s[1] != "" {
				who = append(who, s[0]+s[1])
			}
		}
		say("only ", strings.Join(who, "; "), "")
		if len(who) == 0 {
			out = append(out, "for no organisation: its lists have nobody in common")
		}
	}
	switch {
	case slices.Equal(h.Persons, []exchange.PersonID{exchange.Nobody}):
		out = append(out, "for no person: its lists have nobody in common")
	case len(h.Persons) > 0:
		out = append(out, "for "+page.Plural(int64(len(h.Persons)), "named person"))
	}
	if slices.Equal(h.Purposes, []string{exchange.NoPurpose}) {
		out = append(out, "for no purpose: its lists have none in common")
	} else {
		say("read for ", list(h.Purposes), " only")
	}
	say("never to ", list(h.NotOrgs), "")
	say("never to the cohorts ", list(h.NotCohorts), "")
	say("never to who acts as ", list(h.NotHats), "")
	say("never in ", list(h.NotIn), "")
	if !h.From.IsZero() {
		out = append(out, "from "+h.From.UTC().Format(time.RFC3339))
	}
	if !h.Expires.IsZero() {
		out = append(out, "until "+h.Expires.UTC().Format(time.RFC3339))
	}
	say("permitted actions: ", h.Actions.String(), "")
	say("encrypt in transit: ", h.Encrypt.Word(exchange.MustEncrypt), "")
	say("tell affected parties: ", h.Notify.Word(exchange.MustNotNotify), "")
	say("sell unchanged: ", h.Resale.Word(exchange.MustNotResell), "")
	say("name the provider: ", h.Attribution.String(), "")
	say("", h.Statement, "")
	say("after ", list(h.References), "")
	if len(out) == 0 {
		out = append(out, "no default handling: every artifact needs a label")
	}
	return out
}

// further is what a handling asks beyond its label and level.
func further(h exchange.Handling) string {
	h.TLP, h.PAP = exchange.TLPUnset, exchange.PAPUnset
	if reflect.DeepEqual(h, exchange.Handling{}) {
		return ""
	}
	return strings.Join(handlingWords(h), ", ")
}

// papOf is the PAP level that the obligations of an item name; they are of all
// that governs it, its markings included.
func papOf(obligations []string) string {
	for _, o := range obligations {
		if level, ok := strings.CutPrefix(o, "PAP:"); ok {
			level, _, _ = strings.Cut(level, ":")
			return "PAP:" + level
		}
	}
	return ""
}
