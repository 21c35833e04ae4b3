package demo

import (
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Owner is the organisation that owns the demonstration's program, and Program
// that program. All organisations and people are invented.
const (
	Owner   exchange.OrgID     = "example-psirt"
	Program exchange.ProgramID = "patch-day"
)

// habit is how a member behaves when it is given something.
type habit string

const (
	quick    habit = "quick"    // fetches within the hour, ready early, live at T0, with evidence
	steady   habit = "steady"   // ready in good time, live at T0
	tester   habit = "tester"   // as quick, and reports a false positive
	hasty    habit = "hasty"    // as steady, and tries to go live before T0
	late     habit = "late"     // ready and live on the day after T0
	slow     habit = "slow"     // live three days after T0
	asker    habit = "asker"    // asks, protects nothing
	unharmed habit = "unharmed" // says that it is not affected
	watcher  habit = "watcher"  // acknowledges, and reports a sighting after T0
	reader   habit = "reader"   // opens the page, says nothing
	fetcher  habit = "fetcher"  // its machine fetches, nobody says anything
	silent   habit = "silent"   // nothing at all
)

// standing is what is special about a membership.
type standing string

const (
	unsigned  standing = "unsigned"  // has never accepted the agreement
	newcomer  standing = "newcomer"  // joined two days ago
	suspended standing = "suspended" // its membership is suspended
)

// member is one organisation of the cast.
type member struct {
	id, name, kind                string
	hats, sectors, where, regions string // words with commas between them
	products                      string
	customers                     int64
	person                        string // its signatory and analyst
	habit                         habit
	standing                      standing
}

func (m member) organisation() exchange.Organisation {
	return exchange.Organisation{
		ID: exchange.OrgID(m.id), Name: m.name, Kind: m.kind, Hats: split(m.hats), Sectors: split(m.sectors),
		Jurisdictions: split(m.where), Regions: split(m.regions), Products: split(m.products), Customers: m.customers,
	}
}

func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

// login is a given name at the organisation.
func login(name, org string) string { return strings.ToLower(name) + "@" + org }

// zones are where the people of a jurisdiction read a clock. The user-assigned
// codes XA and XB stand for no country.
var zones = map[string]string{
	"DE": "Europe/Berlin", "FR": "Europe/Paris", "NL": "Europe/Amsterdam", "FI": "Europe/Helsinki", "GB": "Europe/London",
	"US": "America/New_York", "CA": "America/Toronto", "BR": "America/Sao_Paulo", "JP": "Asia/Tokyo", "IN": "Asia/Kolkata",
	"AU": "Australia/Sydney", "SG": "Asia/Singapore", "ZA": "Africa/Johannesburg", "KE": "Africa/Nairobi",
}

// members are the forty members, by the cohort that the charter's rules give
// them: five validate, ten early, fifteen standard, ten at-release.
var members = []member{
	{"glimmerwick", "Glimmerwick Endpoint", "security-vendor", "validation-partner", "it", "DE", "eu", "edr,av", 420_000, "Alva", quick, ""},
	{"brass-owl", "Brass Owl Network Defence", "security-vendor", "validation-partner", "it", "US", "na", "ids,ips", 910_000, "Benno", tester, ""},
	{"mossgate", "Mossgate Detection", "security-vendor", "validation-partner", "it", "JP", "apac", "ids", 150_000, "Cara", steady, ""},
	{"paper-kite", "Paper Kite Research", "researcher", "validation-partner", "research", "NL", "eu", "", 0, "Dario", asker, ""},
	{"twelve-bells", "Twelve Bells Cloud", "cloud-provider", "validation-partner", "it", "US", "na,eu", "waf,ids", 1_300_000, "Elin", quick, ""},

	{"thistledown", "Thistledown Sensors", "security-vendor", "", "it", "FR", "eu", "ids,edr", 230_000, "Femi", steady, ""},
	{"copperleaf-ids", "Copperleaf Inspection", "security-vendor", "", "it", "GB", "eu", "ids,ips", 310_000, "Greta", quick, ""},
	{"saltmarsh", "Saltmarsh Security", "security-vendor", "", "it", "US", "na", "edr", 760_000, "Hugo", late, ""},
	{"nine-lanterns", "Nine Lanterns", "security-vendor", "", "it", "JP", "apac", "edr,av", 540_000, "Imke", steady, ""},
	{"quarrystone", "Quarrystone Shield", "security-vendor", "", "it", "IN", "apac", "waf,ips", 120_000, "Juno", hasty, ""},
	{"wintergreen-waf", "Wintergreen Edge", "security-vendor", "", "it", "CA", "na", "waf", 95_000, "Kalle", quick, ""},
	{"amber-heron", "Amber Heron Cloud", "cloud-provider", "", "it", "SG", "apac", "waf,ids", 680_000, "Leona", steady, ""},
	{"driftwood-edr", "Driftwood Response", "security-vendor", "", "it", "BR", "latam", "edr", 88_000, "Milo", slow, ""},
	{"seventh-tide", "Seventh Tide", "security-vendor", "", "it", "AU", "apac", "ids", 60_000, "Nele", fetcher, ""},
	{"high-orchard", "High Orchard Defence", "security-vendor", "", "it", "XA", "other", "ids,edr", 270_000, "Oskar", quick, ""},

	{"tumblebrook", "Tumblebrook Antivirus", "security-vendor", "", "it", "FI", "eu", "av", 340_000, "Pia", steady, ""},
	{"larkspur-mail", "Larkspur Mail Guard", "security-vendor", "", "it", "US", "na", "mail-filter", 190_000, "Quinn", late, ""},
	{"stonebridge-siem", "Stonebridge Analytics", "security-vendor", "", "it", "GB", "eu", "siem", 45_000, "Rosa", steady, ""},
	{"velvet-anchor", "Velvet Anchor", "security-vendor", "", "it", "NL", "eu", "av", 52_000, "Sami", late, ""},
	{"plum-harbour", "Plum Harbour Software", "security-vendor", "", "it", "XB", "other", "siem", 130_000, "Tessa", asker, ""},
	{"cert-northmoor", "CERT Northmoor", "cert", "csirt", "government", "GB", "eu", "", 0, "Udo", watcher, ""},
	{"cert-isles", "CERT of the Far Isles", "cert", "csirt", "government", "AU", "apac", "", 0, "Vera", watcher, ""},
	{"cert-lowlake", "CERT Lowlake", "cert", "csirt", "government", "DE", "eu", "", 0, "Wim", reader, ""},
	{"isac-rail", "Rail Sharing Centre", "isac", "defender", "transport", "FR", "eu", "", 0, "Xenia", watcher, ""},
	{"isac-water", "Water Sharing Centre", "isac", "defender", "water", "US", "na", "", 0, "Yara", reader, ""},
	{"isac-harvest", "Harvest Sharing Centre", "isac", "defender", "food", "BR", "latam", "", 0, "Zeno", silent, ""},
	{"office-weather", "Office for Network Weather", "government", "regulator", "government", "KE", "africa", "", 0, "Anouk", reader, ""},
	{"agency-bridges", "Agency for Bridges and Networks", "government", "defender", "government", "NL", "eu", "", 0, "Bjarne", watcher, suspended},
	{"gale-hosting", "Gale Hosting", "cloud-provider", "", "it", "ZA", "africa", "mail-filter", 70_000, "Cosima", unharmed, newcomer},
	{"rowan-backup", "Rowan Backup", "security-vendor", "", "it", "DE", "eu", "siem", 30_000, "Dimo", silent, unsigned},

	{"ferry-line", "Ferry Line Operations", "operator", "defender", "transport", "FI", "eu", "", 12_000, "Enna", watcher, ""},
	{"moonlit-power", "Moonlit Power", "operator", "defender", "energy", "DE", "eu", "", 2_100_000, "Falk", watcher, ""},
	{"deep-well-water", "Deep Well Water", "operator", "defender", "water", "US", "na", "", 640_000, "Gesa", reader, ""},
	{"green-valley-care", "Green Valley Hospitals", "operator", "defender", "health", "CA", "na", "", 310_000, "Hedda", unharmed, ""},
	{"old-mill-bank", "Old Mill Bank", "operator", "defender", "finance", "GB", "eu", "", 880_000, "Ivo", fetcher, ""},
	{"pebble-telecom", "Pebble Telecom", "operator", "defender", "telecommunications", "IN", "apac", "", 5_200_000, "Jorin", watcher, ""},
	{"tall-pines-grid", "Tall Pines Grid", "operator", "defender", "energy", "XA", "other", "", 1_500_000, "Kaja", reader, ""},
	{"cloudberry-rail", "Cloudberry Rail", "operator", "defender", "transport", "JP", "apac", "", 930_000, "Lasse", silent, ""},
	{"night-shift-lab", "Night Shift Lab", "researcher", "", "research", "FR", "eu", "", 0, "Mette", asker, ""},
	{"lone-lighthouse", "Lone Lighthouse", "researcher", "", "research", "SG", "apac", "", 0, "Nils", reader, ""},
}

// staff are the people of the program's owner.
var staff = []struct {
	account, name string
	role          exchange.Role
}{
	{"operator", "Ines", exchange.RoleOperator},
	{"approver", "Jonas", exchange.RoleApprover},
	{"approver-2", "Mira", exchange.RoleApprover},
	{"auditor", "Otto", exchange.RoleAuditor},
	{"admin", "Runa", exchange.RoleAdmin},
}

// accounts names the members that get an account of the demonstration: two of
// each cohort, and those who are special.
var accounts = []struct{ account, org, note string }{
	{"validate", "glimmerwick", ""},
	{"validate-2", "brass-owl", ""},
	{"early", "thistledown", ""},
	{"early-2", "copperleaf-ids", ""},
	{"early-compelled", "high-orchard", "its jurisdiction compels disclosure: it never gets proofs of concept or reproduction steps"},
	{"standard", "tumblebrook", ""},
	{"standard-2", "cert-northmoor", ""},
	{"at-release", "moonlit-power", ""},
	{"at-release-2", "night-shift-lab", ""},
	{"unsigned", "rowan-backup", "has not accepted the agreement"},
	{"suspended", "agency-bridges", "its membership is suspended"},
}

// register is the demonstration's register of compelled disclosure. The codes
// XA and XB are user-assigned in ISO 3166-1: no country is judged here.
var register = []exchange.Jurisdiction{
	{Code: "XA", Compelled: true, Within: "48h", Source: "Act on the Notification of Weaknesses, section 7 (invented for this demonstration)"},
	{Code: "XB", Compelled: true, Within: "5d", Source: "Network Order 12/3 (invented for this demonstration)"},
}
