package tlp_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/format/tlp"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]tlp.Label{
		"TLP:CLEAR": tlp.Clear, "clear": tlp.Clear, "TLP:WHITE": tlp.Clear, "white": tlp.Clear,
		"tlp:green": tlp.Green, "GREEN": tlp.Green, "Amber": tlp.Amber, "TLP:AMBER": tlp.Amber,
		"TLP:AMBER+STRICT": tlp.AmberStrict, "tlp:amber+strict": tlp.AmberStrict, "AMBER+STRICT": tlp.AmberStrict,
		"TLP:RED": tlp.Red, "red": tlp.Red,
	} {
		if got, err := tlp.Parse(in); err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "TLP:", "TLP: RED", " red", "AMBER STRICT", "AMBER+", "TLP:TLP:RED", "ORANGE", "STRICT", "rouge", "reD ", "AMBER+ſTRICT"} {
		if got, err := tlp.Parse(in); !errors.Is(err, tlp.ErrLabel) || got != tlp.Unset {
			t.Errorf("Parse(%q) = %v, %v; want no label", in, got, err)
		}
	}
	for _, l := range tlp.Labels {
		if got, err := tlp.Parse(l.String()); err != nil || got != l {
			t.Errorf("Parse(%v.String()) = %v, %v", l, got, err)
		}
	}
}

func TestOrder(t *testing.T) {
	if !(tlp.Unset < tlp.Clear && tlp.Clear < tlp.Green && tlp.Green < tlp.Amber && tlp.Amber < tlp.AmberStrict && tlp.AmberStrict < tlp.Red) {
		t.Fatal("labels are out of order")
	}
	if got := tlp.Max(tlp.Green, tlp.AmberStrict, tlp.Unset, tlp.Amber); got != tlp.AmberStrict {
		t.Errorf("Max = %v", got)
	}
	if got := tlp.Max(); got != tlp.Unset {
		t.Errorf("Max() = %v, want Unset", got)
	}
	if got := tlp.Label(9).String(); got != "TLP:RED" {
		t.Errorf("an unknown value reads %q, want TLP:RED", got)
	}
	if tlp.Label(9).Valid() || tlp.Unset.Valid() {
		t.Error("Unset and unknown values are not labels")
	}
}

// The ids stand in several public places, two of them wrong. These are the
// ones of STIX 2.1 §7.2.1.4 and of oasis-open/cti-stix-common-objects.
func TestMarkingIDs(t *testing.T) {
	const p = "marking-definition--"
	for id, want := range map[string]tlp.Label{
		p + "613f2e26-407d-48c7-9eca-b8e91df99dc9": tlp.Clear,
		p + "34098fce-860f-48ae-8e50-ebd3cc5e41da": tlp.Green,
		p + "f88d31f6-486f-44da-b317-01333bde0b82": tlp.Amber,
		p + "5e57c739-391a-4eb3-b6be-7d15ca92d5ed": tlp.Red,
		p + "94868c89-83c2-464b-929b-a1a8aa3c8487": tlp.Clear,
		p + "bab4a63c-aed9-4cf5-a766-dfca5abac2bb": tlp.Green,
		p + "55d920b0-5e8b-4f79-9ee9-91f868d9b421": tlp.Amber,
		p + "939a9414-2ddd-4d32-a0cd-375ea402b003": tlp.AmberStrict,
		p + "e828b379-4e03-4974-9ac4-e53a884c97c1": tlp.Red,
	} {
		got, ok := tlp.FromMarkingID(id)
		if !ok || got != want {
			t.Errorf("FromMarkingID(%s) = %v, %v; want %v", id, got, ok, want)
		}
		if id != want.MarkingID() && id != want.MarkingID1() {
			t.Errorf("%v has neither as TLP 2.0 nor as TLP 1 id %s", want, id)
		}
	}
	for _, id := range []string{"", p, "613f2e26-407d-48c7-9eca-b8e91df99dc9", p + "00000000-0000-4000-8000-000000000000", "MARKING-DEFINITION--613f2e26-407d-48c7-9eca-b8e91df99dc9"} {
		if got, ok := tlp.FromMarkingID(id); ok || got != tlp.Unset {
			t.Errorf("FromMarkingID(%q) = %v, %v; want none", id, got, ok)
		}
	}
	if got := tlp.AmberStrict.MarkingID1(); got != "" {
		t.Errorf("TLP 1 has no AMBER+STRICT, got %q", got)
	}
}

func TestMarkingObject(t *testing.T) {
	for _, l := range tlp.Labels {
		var o struct {
			Type, ID, Created, Name string
			SpecVersion             string `json:"spec_version"`
			Extensions              map[string]map[string]string
		}
		if err := json.Unmarshal(tlp.MarkingObject(l), &o); err != nil {
			t.Fatalf("%v: %v", l, err)
		}
		ext := o.Extensions["extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"]
		if o.Type != "marking-definition" || o.SpecVersion != "2.1" || o.Name != l.String() ||
			o.Created != "2022-10-01T00:00:00.000Z" || ext["extension_type"] != "property-extension" ||
			"TLP:"+strings.ToUpper(ext["tlp_2_0"]) != l.String() {
			t.Errorf("%v: %+v", l, o)
		}
		if got, ok := tlp.FromMarkingID(o.ID); !ok || got != l {
			t.Errorf("%v carries the id of %v", l, got)
		}
	}
	if got := tlp.MarkingObject(tlp.Unset); got != nil {
		t.Errorf("Unset has a marking: %s", got)
	}
}

func TestCSAF(t *testing.T) {
	for l, want := range map[tlp.Label][2]string{
		tlp.Unset: {"", ""}, tlp.Clear: {"WHITE", ""}, tlp.Green: {"GREEN", ""}, tlp.Amber: {"AMBER", ""},
		tlp.AmberStrict: {"AMBER", "TLP:AMBER+STRICT"}, tlp.Red: {"RED", ""},
	} {
		label, text := l.CSAF20()
		if label != want[0] || text != want[1] {
			t.Errorf("%v.CSAF20() = %q, %q", l, label, text)
		}
		if l == tlp.Unset {
			continue
		}
		if got, err := tlp.FromCSAF(label, text); err != nil || got != l {
			t.Errorf("FromCSAF(%q, %q) = %v, %v; want %v", label, text, got, err, l)
		}
	}
	if got, err := tlp.FromCSAF("RED", "TLP:AMBER+STRICT"); err != nil || got != tlp.Red {
		t.Errorf("a text loosened RED to %v, %v", got, err)
	}
	if _, err := tlp.FromCSAF("PURPLE", ""); err == nil {
		t.Error("PURPLE was accepted")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"TLP:AMBER+STRICT", "white", "TLP:", "tlp:İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := tlp.Parse(s)
		if (err == nil) != l.Valid() {
			t.Fatalf("Parse(%q) = %v, %v", s, l, err)
		}
	})
}
