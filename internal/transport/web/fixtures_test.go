package web_test

import (
	"fmt"
	"html/template"
	"reflect"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// all is every page. A page that is missing here is found by TestEveryTemplate.
func all() []page.Page {
	return []page.Page{
		&page.Dashboard{}, &page.Home{}, &page.Notices{}, &page.Programs{}, &page.Program{}, &page.Held{}, &page.Outcome{},
		&page.Releases{}, &page.Compose{}, &page.Operate{}, &page.Read{}, &page.Library{}, &page.Object{}, &page.Lookup{},
		&page.Artifact{}, &page.Organisations{}, &page.Organisation{}, &page.Suspend{}, &page.Secret{},
		&page.SignIn{}, &page.Keys{}, &page.Fault{}, &page.Public{}, &page.PublicRelease{},
		&page.Acting{}, &page.Connections{}, &page.Settings{}, &page.Connection{}, &page.TestPoll{}, &page.Webhooks{}, &page.Webhook{}, &page.Bases{},
		&page.Recalls{}, &page.RecallForm{}, &page.Recall{},
		&page.AskReshare{}, &page.Reshares{}, &page.Reshare{},
		&page.Why{}, &page.Holders{},
		&page.Ledger{}, &page.Entry{}, &page.Checked{}, &page.Evidence{},
	}
}

// texts are what every text of a view is filled with. %s is a number, so that
// what must differ differs.
var texts = map[string]string{
	"full":    "Nordwall spooler %s",
	"untrue":  "Nordwall spooler %s",
	"hostile": `"><script>alert(%[1]s)</script><img src=x onerror=alert(%[1]s) style="color:red"> {{.}} javascript:alert(1) ` + "\u202e\u0000",
	"long":    strings.Repeat("Überaus", 40) + "%s " + strings.Repeat("wortreich ", 60),
	"rtl":     "مشاركة الإنذار المبكر %s \u202eabc",
}

// filler fills views by reflection, so that a new field is covered without a
// new line here.
type filler struct {
	text  string
	empty bool // no lists, no parts, nothing true
	// untrue leaves every bool false, which shows the other branches.
	untrue bool
	n      int
}

// addresses are the fields that the handlers fill with addresses of their own,
// never with foreign text; codes are the fields that stand in id or name.
var (
	addresses = []string{"Href", "Action", "Back", "Base", "Content", "Next", "First", "Older", "Newer", "Evidence", "Ledger", "Checkpoint", "ObjectsAll", "MembersMore", "Nonce", "TakeBack", "Ask"}
	codes     = []string{"ID", "Field", "Class", "Value", "Path", "Key"}
)

func (f *filler) fill(v reflect.Value, name string) {
	switch t := v.Addr().Interface().(type) {
	case *page.Moment:
		if f.empty {
			return
		}
		*t = page.Clock{Now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), Zone: time.FixedZone("Europe/Berlin", 3600)}.
			At(time.Date(2026, 11, 24, 18, f.n%60, 0, 0, time.UTC))
		return
	case *page.State:
		f.n++
		*t = page.State{Text: f.string(), Kind: []string{page.Ok, page.Warn, page.Danger, page.Plain}[f.n%4]}
		return
	case *template.HTML:
		if f.empty {
			return
		}
		*t = page.Markdown("# Head\n\n" + f.string() + "\n\n- one\n- [two](https://example.org)\n")
		return
	case *exchange.TLP:
		if f.empty {
			return
		}
		f.n++
		*t = exchange.TLP(f.n%5 + 1)
		return
	case **page.Chart:
		if f.empty {
			return
		}
		*t = chart(f.string)
		return
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Pointer, reflect.Bool, reflect.Int, reflect.Int64:
		if f.empty {
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			f.fill(v.Index(i), name)
		}
	case reflect.Bool:
		v.SetBool(!f.untrue)
	case reflect.Int, reflect.Int64:
		f.n++
		v.SetInt(int64(f.n * 1000))
	case reflect.String:
		v.SetString(f.named(name))
	}
}

func (f *filler) named(name string) string {
	for _, suffix := range addresses {
		if strings.HasSuffix(name, suffix) {
			f.n++
			return fmt.Sprintf("/x/%d", f.n)
		}
	}
	for _, code := range codes {
		if name == code {
			f.n++
			return fmt.Sprintf("c%d", f.n)
		}
	}
	switch name {
	case "SHA256":
		return strings.Repeat("ab", 32)
	case "Exact":
		return "2026-11-24 18:00:00.000000"
	case "Zones":
		return "Europe/Berlin UTC"
	}
	return f.string()
}

func (f *filler) string() string {
	f.n++
	return strings.ReplaceAll(strings.ReplaceAll(f.text, "%[1]s", "%s"), "%s", fmt.Sprint(f.n))
}

func chart(text func() string) *page.Chart {
	t0 := time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC)
	at := func(h int) time.Time { return t0.Add(time.Duration(h) * time.Hour) }
	return page.NewChart("coverage", text(), page.ChartSpan{From: at(-336), To: at(48), T0: t0}, []page.Series{
		{Label: text(), Points: []page.Point{{At: at(-300), Share: .2}, {At: at(-200), Share: .7}, {At: at(-10), Share: .9}}},
		{Label: text(), Points: []page.Point{{At: at(-100), Share: .3}, {At: at(2), Share: .88}}},
		{Label: text(), Points: nil},
	})
}

// fixtures are every page with every kind of text, and empty.
func fixtures() map[string]page.Page {
	out := map[string]page.Page{}
	for kind, text := range texts {
		for _, p := range all() {
			f := filler{text: text, untrue: kind == "untrue"}
			f.fill(reflect.ValueOf(p).Elem(), "")
			if d, ok := p.(*page.Dashboard); ok {
				d.Empty = page.Empty{}
			}
			out[p.Name()+"/"+kind] = p
		}
	}
	for _, p := range all() {
		f := filler{text: "Empty %s", empty: true}
		f.fill(reflect.ValueOf(p).Elem(), "")
		out[p.Name()+"/empty"] = p
	}
	return out
}
