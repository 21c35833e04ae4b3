package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// weakness is one invented case of the demonstration's vendor.
type weakness struct {
	number  int    // EX-<year>-<number>
	product string // of Example
	before  string // first fixed version
	what    string // what the weakness is
	effect  string // what an attacker gains
	cause   string // where it lies
	sign    string // how an attack shows
	path    string // in the product's interface
	family  string // invented malware that would use it
}

func (w weakness) id(year int) string { return fmt.Sprintf("EX-%d-%04d", year, w.number) }

// weaknesses are the cases of the three releases, in order.
var weaknesses = [3][]weakness{
	{
		{38, "Lantern Gateway", "4.2.7", "missing check of the length of a session ticket", "run code on the gateway without signing in", "the ticket's length is read from the ticket and used before it is compared with the buffer", "requests whose ticket header is longer than 4,096 bytes", "/session/renew", "Tin Sparrow"},
		{39, "Lantern Gateway", "4.2.7", "path traversal in the download of logs", "read any file of the gateway", "the name is cleaned before it is decoded", "requests for logs that contain an encoded dot pair", "/logs/get", "Tin Sparrow"},
		{40, "Harbour Mail", "11.3", "an attachment preview that follows local references", "reach services inside the network", "the previewer resolves references that the document names", "preview processes that open connections to private addresses", "/preview", "Wet Match"},
	},
	{
		{44, "Quill Print Service", "9.0.4", "use of a job after it was freed", "take over the print server", "a cancelled job stays in the queue of the renderer", "two cancel requests for one job within a second", "/jobs/cancel", "Grey Bellows"},
		{45, "Lantern Gateway", "4.3.1", "default key in the cluster channel", "join a cluster as a node", "the key of the first start is derived from the serial number", "cluster joins from addresses that are no node", "/cluster/join", "Tin Sparrow"},
		{46, "Orchard Directory", "2.8", "confusion of two user names that differ in case", "sign in as an administrator", "names are compared before they are folded", "sign-ins of one person under two spellings within a minute", "/bind", "Paper Fox"},
	},
	{
		{51, "Harbour Mail", "11.4", "unlimited nesting of forwarded messages", "stop the mail service", "each level is parsed on the stack of the one before", "messages with more than 200 levels", "/inbound", "Wet Match"},
		{52, "Quill Print Service", "9.0.6", "unchecked name of a colour profile", "write files as the print service", "the profile's name becomes a file name", "profiles whose name contains a separator", "/profiles", "Grey Bellows"},
	},
}

// part is one artifact to hand in.
type part struct {
	class    exchange.ContentClass
	kind     exchange.ArtifactKind
	title    string
	filename string
	media    string
	public   bool // TLP:CLEAR: on the public page at T0
	body     []byte
}

// parts are the artifacts of a release with these cases.
func parts(ws []weakness, t0, created time.Time) []part {
	year := t0.Year()
	md := func(class exchange.ContentClass, name, title, body string, public bool) part {
		return part{class, exchange.ArtifactMarkdown, title, name + ".md", "text/markdown", public, []byte("# " + title + "\n\n" + body)}
	}
	first := ws[0]
	slug := strings.ToLower(first.id(year))
	return []part{
		md(exchange.AdvanceNote, "advance-note", "Advance note", advance(ws, t0), false),
		md(exchange.Summary, "advisory", "Advisory: "+names(ws, year), advisory(ws, year), true),
		{exchange.AffectedVersions, exchange.ArtifactCSAF, "", slug + ".csaf.json", "application/json", true, advisoryCSAF(ws, t0, created)},
		{exchange.DetectionGuidance, exchange.ArtifactSTIX, "Detection guidance (STIX)", slug + ".stix.json", "application/stix+json", false, bundle(ws, year, created)},
		{exchange.DetectionGuidance, exchange.ArtifactFile, "Detection rules (Sigma)", slug + ".sigma.yml", "application/yaml", false, sigma(ws, year)},
		md(exchange.RootCause, "root-cause", "Root cause", causes(ws, year), false),
		md(exchange.ReproSteps, "steps", "Steps to reproduce "+first.id(year), steps(first), false),
		{exchange.PoC, exchange.ArtifactFile, "Proof of concept for " + first.id(year), slug + ".poc.txt", "text/plain", false, poc(first, year)},
		md(exchange.Workaround, "workaround", "Workaround", workaround(ws, year), true),
	}
}

func names(ws []weakness, year int) string {
	var ids []string
	for _, w := range ws {
		ids = append(ids, w.id(year))
	}
	return strings.Join(ids, ", ")
}

func advance(ws []weakness, t0 time.Time) string {
	return fmt.Sprintf("On %s Example PSIRT publishes %d fixes, the first of them for %s. Plan for building and testing detections.\n",
		t0.UTC().Format("2 January 2006 at 15:04 UTC"), len(ws), ws[0].product)
}

func advisory(ws []weakness, year int) string {
	var b strings.Builder
	for _, w := range ws {
		fmt.Fprintf(&b, "## %s: %s\n\n**%s** before version %s has a weakness: %s. Who uses it can %s.\n\nInstall version %s.\n\n",
			w.id(year), w.product, w.product, w.before, w.what, w.effect, w.before)
	}
	b.WriteString("Products and cases are invented for this demonstration.\n")
	return b.String()
}

func causes(ws []weakness, year int) string {
	var b strings.Builder
	for _, w := range ws {
		fmt.Fprintf(&b, "- **%s** (%s): %s.\n", w.id(year), w.product, w.cause)
	}
	return b.String()
}

func steps(w weakness) string {
	return fmt.Sprintf("1. Install %s, a version before %s, on a machine without a network.\n2. Send a request to `%s` that shows this: %s.\n3. Watch the service end.\n",
		w.product, w.before, w.path, w.sign)
}

func workaround(ws []weakness, year int) string {
	var b strings.Builder
	for _, w := range ws {
		fmt.Fprintf(&b, "- **%s**: until version %s of %s is installed, block `%s` for everyone outside the management network.\n", w.id(year), w.before, w.product, w.path)
	}
	return b.String()
}

func poc(w weakness, year int) []byte {
	return fmt.Appendf(nil, "Proof of concept for %s\n\nThe product is invented, so this does nothing. A real one would stand here:\nit would send to %s of %s what causes this: %s.\n",
		w.id(year), w.path, w.product, w.cause)
}

func sigma(ws []weakness, year int) []byte {
	var b bytes.Buffer
	for i, w := range ws {
		if i > 0 {
			b.WriteString("---\n")
		}
		fmt.Fprintf(&b, `title: %s, %s
id: %s
status: test
description: Shows %s.
logsource:
  category: webserver
  product: %s
detection:
  selection:
    cs-uri-stem|startswith: '%s'
  condition: selection
falsepositives:
  - Health checks of load balancers
level: high
`, w.id(year), w.product, uuid("sigma", w.id(year)), w.sign, strings.ToLower(strings.ReplaceAll(w.product, " ", "-")), w.path)
	}
	return b.Bytes()
}

// uuid is a version 4 UUID that follows from words, so that the same content
// has the same id.
func uuid(words ...string) string {
	h := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	h[6], h[8] = h[6]&0x0F|0x40, h[8]&0x3F|0x80
	s := hex.EncodeToString(h[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// advisoryCSAF is the release as a CSAF 2.0 security advisory.
func advisoryCSAF(ws []weakness, t0, created time.Time) []byte {
	type m = map[string]any
	type l = []any
	var branches, vulnerabilities l
	for i, w := range ws {
		fixed, affected := fmt.Sprintf("fixed-%d", i+1), fmt.Sprintf("affected-%d", i+1)
		version := func(category, name, id string) m {
			return m{"category": category, "name": name, "product": m{"name": w.product + " " + name, "product_id": id}}
		}
		branches = append(branches, m{"category": "product_name", "name": w.product, "branches": l{
			version("product_version_range", "<"+w.before, affected), version("product_version", w.before, fixed),
		}})
		vulnerabilities = append(vulnerabilities, m{
			"ids":            l{m{"system_name": "Example PSIRT", "text": w.id(t0.Year())}},
			"title":          w.what,
			"notes":          l{m{"category": "description", "text": "Who uses it can " + w.effect + "."}},
			"product_status": m{"known_affected": l{affected}, "fixed": l{fixed}},
			"remediations":   l{m{"category": "vendor_fix", "details": "Install version " + w.before + ".", "product_ids": l{affected}}},
		})
	}
	at := created.UTC().Format(time.RFC3339)
	doc := m{
		"document": m{
			"category": "csaf_security_advisory", "csaf_version": "2.0", "lang": "en",
			"distribution": m{"tlp": m{"label": "WHITE", "url": "https://www.first.org/tlp/"}},
			"notes":        l{m{"category": "summary", "text": "Products and cases are invented for a demonstration."}},
			"publisher":    m{"category": "vendor", "name": "Example PSIRT", "namespace": "https://psirt.example.org"},
			"title":        "Advisory " + names(ws, t0.Year()),
			"tracking": m{
				"current_release_date": at, "initial_release_date": at, "id": "ESA-" + ws[0].id(t0.Year()), "status": "final", "version": "1",
				"revision_history": l{m{"date": at, "number": "1", "summary": "First version"}},
			},
		},
		"product_tree":    m{"branches": l{m{"category": "vendor", "name": "Example", "branches": branches}}},
		"vulnerabilities": vulnerabilities,
	}
	return marshal(doc)
}

func marshal(v any) []byte {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil { // texts and numbers alone
		panic(fmt.Errorf("writing the demonstration's content: %w", err))
	}
	return append(b, '\n')
}
