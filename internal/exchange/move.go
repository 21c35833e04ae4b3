package exchange

// Move is an organisation that changes audience in a program. An empty cohort
// means that no rule matches it.
type Move struct {
	Org  OrgID
	From Audience
	To   Audience
}
