package spec

import (
	"slices"
	"strings"
	"testing"
)

// The types of the standard, by chapter.
var standard = map[Class]string{
	SDO: `attack-pattern campaign course-of-action grouping identity incident indicator infrastructure intrusion-set location malware
		malware-analysis note observed-data opinion report threat-actor tool vulnerability`,
	SRO: "relationship sighting",
	SCO: `artifact autonomous-system directory domain-name email-addr email-message file ipv4-addr ipv6-addr mac-addr mutex network-traffic
		process software url user-account windows-registry-key x509-certificate`,
	Meta: "language-content marking-definition extension-definition",
}

func TestTypes(t *testing.T) {
	n := 0
	for class, names := range standard {
		for i, name := range strings.Fields(names) {
			n++
			typ := Type([]byte(name))
			if typ == nil || typ.Class != class || ClassOf([]byte(name)) != class || All[typ.Number] != typ {
				t.Errorf("%s: %+v", name, typ)
				continue
			}
			if class == SDO || class == SCO { // the chapters list them in this order
				if want := map[Class]string{SDO: "§4.", SCO: "§6."}[class] + itoa(i+1); typ.Section != want {
					t.Errorf("%s is in %s, want %s", name, typ.Section, want)
				}
			}
		}
	}
	if n != len(All) {
		t.Errorf("%d tables, %d types", len(All), n)
	}
	if Type([]byte("x-any")) != nil || ClassOf([]byte("x-any")) != Custom {
		t.Error("a custom type has a table")
	}
}

func itoa(n int) string {
	if n >= 10 {
		return "1" + string(rune('0'+n-10))
	}
	return string(rune('0' + n))
}

// Every table is found by the names of its properties, and refers to types that
// exist.
func TestTables(t *testing.T) {
	tables := slices.Clone(All)
	for _, e := range embeddedObjects {
		tables = append(tables, EmbeddedType(e.name))
	}
	for _, table := range tables {
		for i := range table.Props {
			p := &table.Props[i]
			if table.Find([]byte(p.Name)) != i {
				t.Errorf("%s.%s is not found", table.Name, p.Name)
			}
			if (p.Kind == Enum || p.Kind == Open) != (p.Vocab != nil) || p.Vocab != nil && p.Vocab.Closed != (p.Kind == Enum) {
				t.Errorf("%s.%s: its vocabulary does not fit its kind", table.Name, p.Name)
			}
			if p.Kind == Ref != (p.Types != nil || p.Classes != 0) || p.Kind == Embedded != (p.Sub != nil) {
				t.Errorf("%s.%s lacks its targets or its table", table.Name, p.Name)
			}
			if p.Kind == Ref && p.List != strings.HasSuffix(p.Name, "_refs") {
				t.Errorf("%s.%s: a list of references ends in _refs (§3.1)", table.Name, p.Name)
			}
			if p.Kind == Hex && !strings.HasSuffix(p.Name, "_hex") || p.Kind == Binary && !strings.HasSuffix(p.Name, "_bin") {
				t.Errorf("%s.%s lacks its suffix (§3.1)", table.Name, p.Name)
			}
			for _, to := range p.Types {
				if Type([]byte(to)) == nil {
					t.Errorf("%s.%s refers to %s", table.Name, p.Name, to)
				}
			}
		}
		for _, name := range []string{"", "x", "nam", "namee", "\x00", "typ"} {
			if table.Find([]byte(name)) >= 0 {
				t.Errorf("%s finds %q", table.Name, name)
			}
		}
		if table.Class == SCO && table.Name != "process" && len(table.IDProps) == 0 {
			t.Errorf("%s has no contributing properties", table.Name)
		}
	}
}

func TestCommonPlaces(t *testing.T) {
	for _, table := range All {
		for name, at := range map[string]int{
			"type": PType, "id": PID, "spec_version": PSpecVersion, "created_by_ref": PCreatedByRef, "created": PCreated, "modified": PModified,
			"revoked": PRevoked, "granular_markings": PGranularMarkings, "defanged": PDefanged, "extensions": PExtensions,
		} {
			if table.Props[at].Name != name {
				t.Errorf("%s: %s is at another place than %d", table.Name, name, at)
			}
		}
	}
}

func TestRelated(t *testing.T) {
	var buf []byte
	for _, r := range relations {
		f := strings.Fields(r)
		if Type([]byte(f[0])) == nil {
			t.Errorf("%s: no such source", r)
		}
		for _, to := range f[2:] {
			if strings.HasPrefix(to, "@") {
				to = "mutex"
			}
			var ok bool
			if ok, buf = Related([]byte(f[0]), []byte(f[1]), []byte(to), buf); !ok || Type([]byte(to)) == nil {
				t.Errorf("%s to %s is not defined", r, to)
			}
			if ok, buf = Related([]byte(f[0]), []byte(f[1]), []byte("note"), buf); ok {
				t.Errorf("%s to note is defined", r)
			}
		}
	}
}

// FuzzForms looks for texts that a form cannot stand.
func FuzzForms(f *testing.F) {
	for _, s := range []string{"en-a-bbb-x-a", "1.2.3.4/32", "::1", "a@b", "http://a/%20", "a.b.", "HKLM\\", "DE-BE", "3:a:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := []byte(s)
		for form := NoForm; form <= Decoded; form++ {
			form.Check(b)
		}
		ValidLang(b)
		ValidBase64(b)
		CheckHex(b)
		for _, a := range []string{"MD5", "SSDEEP", "TLSH", "x"} {
			ValidHash([]byte(a), b)
		}
		if string(b) != s {
			t.Fatal("the text was changed")
		}
	})
}
