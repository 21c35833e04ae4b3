package stix

// class is the family of a type; families differ in the common properties they
// require (STIX 2.1 §3.2).
type class uint8

const (
	classDomain     class = iota // SDO and SRO: id, spec_version, created, modified
	classObservable              // SCO: id
	classMarking                 // marking-definition: id, spec_version, created
)

// rule is what the standard requires of one type.
type rule struct {
	name    string
	class   class
	section string
	all     set       // each is required
	any     []set     // at least one whole set of these is required
	also    set       // optional ones whose JSON type is checked
	implies [][2]prop // the first present requires the second
	anyOwn  bool      // at least one property beyond the common ones

	typed set // computed: the properties whose JSON type is checked
}

// rules are the types of STIX 2.1 chapters 4 to 7.
var rules = []rule{
	{name: "attack-pattern", section: "§4.1", all: of(pName)},
	{name: "campaign", section: "§4.2", also: of(pFirstSeen, pLastSeen), all: of(pName)},
	{name: "course-of-action", section: "§4.3", all: of(pName)},
	{name: "grouping", section: "§4.4", also: of(pName), all: of(pContext, pObjectRefs)},
	{name: "identity", section: "§4.5", all: of(pName)},
	{name: "incident", section: "§4.6", all: of(pName)},
	{name: "indicator", section: "§4.7", also: of(pName, pValidUntil), all: of(pPattern, pPatternType, pValidFrom)},
	{name: "infrastructure", section: "§4.8", also: of(pFirstSeen, pLastSeen), all: of(pName)},
	{name: "intrusion-set", section: "§4.9", also: of(pFirstSeen, pLastSeen), all: of(pName)},
	{
		name: "location", section: "§4.10", also: of(pName), any: []set{of(pRegion), of(pCountry), of(pLatitude, pLongitude)},
		implies: [][2]prop{{pLatitude, pLongitude}, {pLongitude, pLatitude}},
	},
	{name: "malware", section: "§4.11", also: of(pName, pFirstSeen, pLastSeen), all: of(pIsFamily)},
	{name: "malware-analysis", section: "§4.12", also: of(pSubmitted, pAnalysisStarted, pAnalysisEnded), all: of(pProduct), any: []set{of(pResult), of(pAnalysisRefs)}},
	{name: "note", section: "§4.13", all: of(pContent, pObjectRefs)},
	{
		name: "observed-data", section: "§4.14", all: of(pFirstObserved, pLastObserved, pNumberObserved),
		any: []set{of(pObjectRefs), of(pObjects)},
	},
	{name: "opinion", section: "§4.15", all: of(pOpinion, pObjectRefs)},
	{name: "report", section: "§4.16", all: of(pName, pPublished, pObjectRefs)},
	{name: "threat-actor", section: "§4.17", also: of(pFirstSeen, pLastSeen), all: of(pName)},
	{name: "tool", section: "§4.18", all: of(pName)},
	{name: "vulnerability", section: "§4.19", all: of(pName)},

	{name: "relationship", section: "§5.1", also: of(pStartTime, pStopTime), all: of(pRelationshipType, pSourceRef, pTargetRef)},
	{name: "sighting", section: "§5.2", also: of(pFirstSeen, pLastSeen), all: of(pSightingOfRef)},

	{
		name: "artifact", class: classObservable, section: "§6.1", any: []set{of(pPayloadBin), of(pURL)},
		implies: [][2]prop{{pURL, pHashes}},
	},
	{name: "autonomous-system", class: classObservable, section: "§6.2", also: of(pName), all: of(pNumber)},
	{name: "directory", class: classObservable, section: "§6.3", also: of(pCtime, pMtime, pAtime), all: of(pPath)},
	{name: "domain-name", class: classObservable, section: "§6.4", all: of(pValue)},
	{name: "email-addr", class: classObservable, section: "§6.5", all: of(pValue)},
	{name: "email-message", class: classObservable, section: "§6.6", also: of(pDate), all: of(pIsMultipart)},
	{name: "file", class: classObservable, section: "§6.7", also: of(pCtime, pMtime, pAtime), any: []set{of(pHashes), of(pName)}},
	{name: "ipv4-addr", class: classObservable, section: "§6.8", all: of(pValue)},
	{name: "ipv6-addr", class: classObservable, section: "§6.9", all: of(pValue)},
	{name: "mac-addr", class: classObservable, section: "§6.10", all: of(pValue)},
	{name: "mutex", class: classObservable, section: "§6.11", all: of(pName)},
	{name: "network-traffic", class: classObservable, section: "§6.12", also: of(pStart, pEnd), all: of(pProtocols), any: []set{of(pSrcRef), of(pDstRef)}},
	{name: "process", class: classObservable, section: "§6.13", also: of(pCreatedTime), anyOwn: true},
	{name: "software", class: classObservable, section: "§6.14", also: of(pVersion), all: of(pName)},
	{name: "url", class: classObservable, section: "§6.15", all: of(pValue)},
	{name: "user-account", class: classObservable, section: "§6.16", also: of(pAccountCreated, pAccountExpires, pCredentialChanged, pFirstLogin, pLastLogin), anyOwn: true},
	{name: "windows-registry-key", class: classObservable, section: "§6.17", also: of(pModifiedTime), anyOwn: true},
	{name: "x509-certificate", class: classObservable, section: "§6.18", also: of(pHashes, pNotBefore, pNotAfter), anyOwn: true},

	{name: "language-content", section: "§7.1", all: of(pObjectRef, pContents)},
	{
		name: "marking-definition", class: classMarking, section: "§7.2.1", also: of(pName), any: []set{of(pDefinition, pDefinitionType), of(pExtensions)},
		implies: [][2]prop{{pDefinition, pDefinitionType}, {pDefinitionType, pDefinition}},
	},
	{name: "extension-definition", section: "§7.3", all: of(pCreatedByRef, pName, pSchema, pVersion, pExtensionTypes)},
}

// commonAll are the common properties that a class requires besides type and id.
var commonAll = [...]set{
	classDomain:     of(pSpecVersion, pCreated, pModified),
	classObservable: {},
	classMarking:    of(pSpecVersion, pCreated),
}

var ruleByType = func() map[string]*rule {
	m := make(map[string]*rule, len(rules))
	for i := range rules {
		r := &rules[i]
		r.typed = commonProps.plus(r.all).plus(r.also)
		for _, s := range r.any {
			r.typed = r.typed.plus(s)
		}
		for _, p := range r.implies {
			r.typed = r.typed.plus(of(p[0], p[1]))
		}
		m[r.name] = r
	}
	return m
}()

// commonProps are those that any object may carry.
var commonProps = func() (s set) {
	for p := range props {
		if props[p].common {
			s.add(prop(p))
		}
	}
	return s
}()

// timeOrder are pairs of which the second may not be before the first, or, where
// strict, has to be later.
var timeOrder = []struct {
	from, to prop
	strict   bool
	section  string
}{
	{pCreated, pModified, false, "§3.2"},
	{pValidFrom, pValidUntil, true, "§4.7"},
	{pFirstSeen, pLastSeen, false, "§4"},
	{pFirstObserved, pLastObserved, false, "§4.14"},
	{pStartTime, pStopTime, true, "§5.1"},
	{pStart, pEnd, false, "§6.12"},
}

var orderedTimes = func() (s set) {
	for _, o := range timeOrder {
		s.add(o.to)
	}
	return s
}()
