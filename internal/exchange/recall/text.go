package recall

import (
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// readable is how instants stand in notices.
const readable = "2006-01-02 15:04 UTC"

// Path is the address of an act, under that of the exchange.
func (r Recall) Path() string { return "/recalls/" + string(r.ID) }

// what names what an act is about. What is TLP:RED is not named in a notice,
// which everybody of an organisation reads.
func (r Recall) what() string {
	switch {
	case r.TLP == exchange.TLPRed:
		return "Something that named people of your organisation were given"
	case r.Object != "":
		return "The STIX object " + r.Object
	}
	return "“" + r.Title + "”"
}

func (r Recall) why() string {
	if r.TLP == exchange.TLPRed {
		return ""
	}
	out := " Reason: " + strings.TrimRight(r.Reason, ". ") + "."
	if r.Message != "" {
		out += " " + r.Message
	}
	return out
}

// verb says what happened.
func (r Recall) verb() string {
	switch r.Kind {
	case Superseded:
		return " was corrected: what takes its place is in your collection where you may have it"
	case Narrowed:
		return " may be had by fewer from now on"
	case Expired:
		if r.Effective.After(r.At) {
			return " expires at " + r.Effective.UTC().Format(readable)
		}
		return " has expired"
	}
	return " was recalled"
}

// asks is the notice to those who lose it.
func (r Recall) asks() string {
	return r.what() + r.verb() + ". Delete what you hold of it, in your tools as well, and say what you did: " + r.Path() + "." + r.why()
}

// says is the notice to those who keep it.
func (r Recall) says() string {
	text := r.what() + r.verb() + ". "
	if r.Kind == Narrowed {
		text += "You keep it, under its new handling: "
	}
	return text + r.Path() + "." + r.why()
}

// gone is the answer to who asks for what was taken back.
func (r Recall) gone(h Holder) error {
	return &exchange.Error{Kind: exchange.Gone, Public: "it was taken back on " + r.Effective.UTC().Format(readable) + " (" + string(r.Kind) +
		", notice " + string(h.Notice) + "): delete what you hold of it, and say what you did at " + r.Path()}
}
