package exchange

import (
	"crypto/rand"
	"encoding/base32"
	"regexp"
	"strings"
)

// Identifiers are distinct types so that one cannot be passed for another.
// Programs and organisations carry readable slugs that their operator chooses;
// everything else carries a random identifier, because a running number would
// tell a reader how many items are still hidden (MAPP-09).
type (
	ProgramID  string
	OrgID      string
	PersonID   string
	TokenID    string
	ReleaseID  string
	ArtifactID string
	NoticeID   string
	FeedbackID string
	GroupID    string // of a group of organisations that a charter names
	BasisID    string // of a legal basis in the register
)

var slug = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidSlug reports whether s may name a program or an organisation: 1 to 63
// lower-case letters, digits and inner hyphens.
func ValidSlug(s string) bool { return slug.MatchString(s) }

var lower32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// RandomID returns prefix + "_" + 80 random bits in base 32, for instance
// "rel_c3v5kq2x7mzt4a6e".
func RandomID(prefix string) string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails; it aborts the program instead
	return prefix + "_" + lower32.EncodeToString(b[:])
}

// RandomSecret returns 256 random bits in base 32 (52 characters).
func RandomSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return lower32.EncodeToString(b[:])
}

// HasIDPrefix reports whether id was made by RandomID with this prefix.
func HasIDPrefix(id, prefix string) bool {
	rest, ok := strings.CutPrefix(id, prefix+"_")
	return ok && len(rest) == 16
}
