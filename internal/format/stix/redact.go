package stix

import "errors"

// Redaction says what is withheld of an object from one reader.
type Redaction struct {
	// Fields are the selectors of the parts that are withheld (STIX 2.1 §7.2.3.1).
	Fields []string
	// Ref answers, for an object that is referred to, under which identifier the
	// reader knows it; ok is false when the reference is withheld. nil: all
	// references stay as they are. It is not asked about created_by_ref, nor about
	// markings.
	Ref func(id string) (as string, ok bool)
	// By is the identifier of the identity that makes redacted copies.
	By string
}

// Redacted is an object as one reader has it.
type Redacted struct {
	ID      string // of the copy: derived from the object's id, its modified and what is withheld
	Raw     []byte // its bytes; the object's own where nothing is withheld
	Changed bool
	Dropped bool   // a required property is withheld: there is nothing to give
	Why     string // which property, when it is dropped
}

// Redact makes the copy of an object for one reader.
func Redact(raw []byte, r Redaction) (Redacted, error) {
	return Redacted{}, errors.New("redaction is not there yet")
}
