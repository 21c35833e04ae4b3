package tlp

// Extension is the id of the STIX extension by which a marking-definition
// carries a TLP 2.0 label.
const Extension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

const markingPrefix = "marking-definition--"

// version1 are the marking definitions that STIX 2.1 §7.2.1.4 predefines for
// TLP 1. They need not travel with the objects that refer to them.
var version1 = [...]string{
	Clear: "613f2e26-407d-48c7-9eca-b8e91df99dc9",
	Green: "34098fce-860f-48ae-8e50-ebd3cc5e41da",
	Amber: "f88d31f6-486f-44da-b317-01333bde0b82",
	Red:   "5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}

// version2 are the marking definitions of TLP 2.0 in the OASIS common object
// repository. STIX 2.1 does not predefine them, so they travel in the bundle.
var version2 = [...]string{
	Clear:       "94868c89-83c2-464b-929b-a1a8aa3c8487",
	Green:       "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
	Amber:       "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
	AmberStrict: "939a9414-2ddd-4d32-a0cd-375ea402b003",
	Red:         "e828b379-4e03-4974-9ac4-e53a884c97c1",
}

var byMarking = func() map[string]Label {
	m := make(map[string]Label, len(version1)+len(version2))
	for _, table := range [][]string{version1[:], version2[:]} {
		for l, id := range table {
			if id != "" {
				m[markingPrefix+id] = Label(l)
			}
		}
	}
	return m
}()

// FromMarkingID is the label of a well-known TLP 1 or TLP 2.0 marking
// definition, and whether id is one. The comparison is exact.
func FromMarkingID(id string) (Label, bool) {
	l, ok := byMarking[id]
	return l, ok
}

// MarkingID is the id of the TLP 2.0 marking definition of the label; "" for
// Unset.
func (l Label) MarkingID() string {
	if !l.Valid() {
		return ""
	}
	return markingPrefix + version2[l]
}

// MarkingID1 is the id of the predefined TLP 1 marking definition of the label;
// "" where TLP 1 has none (AMBER+STRICT).
func (l Label) MarkingID1() string {
	if !l.Valid() || version1[l] == "" {
		return ""
	}
	return markingPrefix + version1[l]
}

// tlp20 are the values of the extension's tlp_2_0 property.
var tlp20 = [...]string{"", "clear", "green", "amber", "amber+strict", "red"}

// MarkingObject is the STIX 2.1 marking-definition of the label in TLP 2.0, as
// JSON in one line; nil for Unset. The caller owns the bytes.
func MarkingObject(l Label) []byte {
	if !l.Valid() {
		return nil
	}
	return []byte(`{"type":"marking-definition","spec_version":"2.1","id":"` + l.MarkingID() +
		`","created":"2022-10-01T00:00:00.000Z","name":"` + l.String() +
		`","extensions":{"` + Extension +
		`":{"extension_type":"property-extension","tlp_2_0":"` + tlp20[l] + `"}}}`)
}
