package spec

// The places of the common properties in every table of a type (§3.2).
const (
	PType = iota
	PID
	PSpecVersion
	PCreatedByRef
	PCreated
	PModified
	PRevoked
	PLabels
	PConfidence
	PLang
	PExternalReferences
	PObjectMarkingRefs
	PGranularMarkings
	PDefanged
	PExtensions
	NumCommon
)

const commonProps = `
	type                any
	id                  id
	spec_version        any
	created_by_ref      identifier to=identity
	created             timestamp form=millis
	modified            timestamp form=millis
	revoked             boolean
	labels              string list
	confidence          integer min=0 max=100
	lang                lang
	external_references embedded list of=external-reference
	object_marking_refs markings
	granular_markings   granular
	defanged            boolean
	extensions          extensions
`

// The common properties that a class requires, and those it has no use for.
var (
	requiredOf = map[Class]string{
		SDO: "type id spec_version created modified", SRO: "type id spec_version created modified", SCO: "type id",
		Meta: "type id spec_version created", Custom: "type id",
	}
	unusedOf = map[Class]string{
		SDO: "defanged", SRO: "defanged", Meta: "defanged lang",
		SCO: "created_by_ref created modified revoked labels confidence lang external_references",
	}
)

// RequiredOf are the common properties that every object of a class has.
func RequiredOf(c Class) uint64 { return required[c] }

var required = func() map[Class]uint64 {
	m := make(map[Class]uint64)
	for c, names := range requiredOf {
		m[c] = CustomType.set(names)
	}
	return m
}()

// ReservedNames may not be used by any content (§3.8).
var ReservedNames = []string{"severity", "username", "phone_number", "action"}

// All are the types of chapters 4 to 7, in the order of the standard.
var All = func() (all []*Table) {
	for _, list := range [][]source{domainObjects, relationshipObjects, observables, metaObjects} {
		for i := range list {
			t := build(&list[i], embedded)
			t.Number = len(all)
			all = append(all, t)
		}
	}
	return all
}()

// CustomType is the table of the types that the standard does not define.
var CustomType = build(&source{name: "custom object", section: "11.2", class: Custom}, embedded)

var byType = func() map[string]*Table {
	m := make(map[string]*Table, len(All))
	for _, t := range All {
		m[t.Name] = t
	}
	return m
}()

// embedded are the tables of what stands inside objects, each after those that
// it uses.
var embedded = func() map[string]*Table {
	m := make(map[string]*Table)
	for i := range embeddedObjects {
		s := &embeddedObjects[i]
		m[s.name] = build(s, m)
	}
	return m
}()

// EmbeddedType is the table of an embedded type or predefined extension.
func EmbeddedType(name string) *Table { return embedded[name] }
