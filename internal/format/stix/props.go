package stix

import "math/bits"

// prop is a property that the rules know by name. Its number is its place in
// the checker's tables.
type prop uint8

const (
	pType prop = iota
	pID
	pSpecVersion
	pCreated
	pModified
	pRevoked
	pCreatedByRef
	pMarkingRefs
	pGranular
	pExtensions
	pName
	pLabels
	pConfidence
	pLang
	pExternalRefs
	pDefanged
	pPattern
	pPatternType
	pValidFrom
	pValidUntil
	pIsFamily
	pRelationshipType
	pSourceRef
	pTargetRef
	pPublished
	pObjectRefs
	pObjectRef
	pContent
	pContents
	pContext
	pOpinion
	pSightingOfRef
	pFirstSeen
	pLastSeen
	pStartTime
	pStopTime
	pFirstObserved
	pLastObserved
	pNumberObserved
	pObjects
	pProduct
	pResult
	pAnalysisRefs
	pSubmitted
	pAnalysisStarted
	pAnalysisEnded
	pSchema
	pVersion
	pExtensionTypes
	pDefinitionType
	pDefinition
	pRegion
	pCountry
	pLatitude
	pLongitude
	pValue
	pHashes
	pPath
	pNumber
	pIsMultipart
	pProtocols
	pSrcRef
	pDstRef
	pPayloadBin
	pURL
	pStart
	pEnd
	pCtime
	pMtime
	pAtime
	pDate
	pCreatedTime
	pModifiedTime
	pAccountCreated
	pAccountExpires
	pCredentialChanged
	pFirstLogin
	pLastLogin
	pNotBefore
	pNotAfter

	numProps
	noProp = numProps
)

// kind is the JSON form that a property has to have.
type kind uint8

const (
	kString kind = iota
	kBool
	kInteger
	kNumber
	kTime    // timestamp, STIX 2.1 §2.16
	kRef     // identifier, §2.9
	kRefs    // list of identifiers, not empty (§2.12)
	kList    // list, not empty
	kObject  // dictionary or object
	kMarking // object_marking_refs, §7.2.2
	kGranule // granular_markings, §7.2.3
)

// props is indexed by prop. common marks what every object may carry, which
// is checked for types that the rules do not know as well.
var props = [numProps]struct {
	name   string
	kind   kind
	common bool
}{
	pType: {"type", kString, true}, pID: {"id", kString, true}, pSpecVersion: {"spec_version", kString, true},
	pCreated: {"created", kTime, true}, pModified: {"modified", kTime, true}, pRevoked: {"revoked", kBool, true},
	pCreatedByRef: {"created_by_ref", kRef, true}, pMarkingRefs: {"object_marking_refs", kMarking, true},
	pGranular: {"granular_markings", kGranule, true}, pExtensions: {"extensions", kObject, true},
	pName: {"name", kString, false}, pLabels: {"labels", kList, true}, pConfidence: {"confidence", kInteger, true},
	pLang: {"lang", kString, true}, pExternalRefs: {"external_references", kList, true}, pDefanged: {"defanged", kBool, true},

	pPattern: {"pattern", kString, false}, pPatternType: {"pattern_type", kString, false},
	pValidFrom: {"valid_from", kTime, false}, pValidUntil: {"valid_until", kTime, false},
	pIsFamily: {"is_family", kBool, false}, pRelationshipType: {"relationship_type", kString, false},
	pSourceRef: {"source_ref", kRef, false}, pTargetRef: {"target_ref", kRef, false},
	pPublished: {"published", kTime, false}, pObjectRefs: {"object_refs", kRefs, false}, pObjectRef: {"object_ref", kRef, false},
	pContent: {"content", kString, false}, pContents: {"contents", kObject, false}, pContext: {"context", kString, false},
	pOpinion: {"opinion", kString, false}, pSightingOfRef: {"sighting_of_ref", kRef, false},
	pFirstSeen: {"first_seen", kTime, false}, pLastSeen: {"last_seen", kTime, false},
	pStartTime: {"start_time", kTime, false}, pStopTime: {"stop_time", kTime, false},
	pFirstObserved: {"first_observed", kTime, false}, pLastObserved: {"last_observed", kTime, false},
	pNumberObserved: {"number_observed", kInteger, false}, pObjects: {"objects", kObject, false},
	pProduct: {"product", kString, false}, pResult: {"result", kString, false}, pAnalysisRefs: {"analysis_sco_refs", kRefs, false},
	pSubmitted: {"submitted", kTime, false}, pAnalysisStarted: {"analysis_started", kTime, false}, pAnalysisEnded: {"analysis_ended", kTime, false},
	pSchema: {"schema", kString, false}, pVersion: {"version", kString, false}, pExtensionTypes: {"extension_types", kList, false},
	pDefinitionType: {"definition_type", kString, false}, pDefinition: {"definition", kObject, false},
	pRegion: {"region", kString, false}, pCountry: {"country", kString, false},
	pLatitude: {"latitude", kNumber, false}, pLongitude: {"longitude", kNumber, false},

	pValue: {"value", kString, false}, pHashes: {"hashes", kObject, false}, pPath: {"path", kString, false}, pNumber: {"number", kInteger, false},
	pIsMultipart: {"is_multipart", kBool, false}, pProtocols: {"protocols", kList, false},
	pSrcRef: {"src_ref", kRef, false}, pDstRef: {"dst_ref", kRef, false}, pPayloadBin: {"payload_bin", kString, false},
	pURL: {"url", kString, false}, pStart: {"start", kTime, false}, pEnd: {"end", kTime, false},
	pCtime: {"ctime", kTime, false}, pMtime: {"mtime", kTime, false}, pAtime: {"atime", kTime, false}, pDate: {"date", kTime, false},
	pCreatedTime: {"created_time", kTime, false}, pModifiedTime: {"modified_time", kTime, false},
	pAccountCreated: {"account_created", kTime, false}, pAccountExpires: {"account_expires", kTime, false},
	pCredentialChanged: {"credential_last_changed", kTime, false},
	pFirstLogin:        {"account_first_login", kTime, false}, pLastLogin: {"account_last_login", kTime, false},
	pNotBefore: {"validity_not_before", kTime, false}, pNotAfter: {"validity_not_after", kTime, false},
}

// set is a set of properties.
type set [2]uint64

func of(ps ...prop) (s set) {
	for _, p := range ps {
		s.add(p)
	}
	return s
}

func (s *set) add(p prop)         { s[p/64] |= 1 << (p % 64) }
func (s set) has(p prop) bool     { return s[p/64]&(1<<(p%64)) != 0 }
func (s set) plus(t set) set      { return set{s[0] | t[0], s[1] | t[1]} }
func (s set) and(t set) set       { return set{s[0] & t[0], s[1] & t[1]} }
func (s set) minus(t set) set     { return set{s[0] &^ t[0], s[1] &^ t[1]} }
func (s set) contains(t set) bool { return t.minus(s) == set{} }
func (s set) empty() bool         { return s == set{} }

// all yields the members in the order of the table.
func (s set) all(yield func(prop) bool) {
	for w, bitsLeft := range s {
		for ; bitsLeft != 0; bitsLeft &= bitsLeft - 1 {
			if !yield(prop(w*64 + bits.TrailingZeros64(bitsLeft))) {
				return
			}
		}
	}
}

// byName finds a property by its name. The buckets keep the look-up of the many
// names that no rule knows to a comparison or two.
var byName = func() (t [256][]prop) {
	for p := range props {
		h := nameHash([]byte(props[p].name))
		t[h] = append(t[h], prop(p))
	}
	return t
}()

func nameHash(b []byte) uint8 {
	n := len(b)
	return uint8(n)*31 + b[0]*7 + b[n-1]*3 + b[n/2]
}

func lookup(name []byte) prop {
	if len(name) == 0 {
		return noProp
	}
	for _, p := range byName[nameHash(name)] {
		if props[p].name == string(name) {
			return p
		}
	}
	return noProp
}
