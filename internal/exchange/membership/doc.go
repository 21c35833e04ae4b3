// Package membership keeps organisations, people, credentials, memberships and
// the agreements that gate them.
//
// An organisation takes part in a program as a member: active, suspended or
// left. Its cohort follows from the charter's rules over its attributes and is
// computed anew whenever one of them changes (Place). What suspends a person,
// an organisation or a membership takes effect with the transaction: sessions
// end, and credentials and verdicts that are remembered elsewhere lapse with
// the generation.
//
// Who may do what:
//
//   - administrators manage organisations, people and jurisdictions;
//   - operators bring members into the programs that their organisation owns,
//     and manage the people of organisations that are members there and nowhere
//     else: otherwise the operator of one program could sign in as a member of
//     another;
//   - signatories accept agreements for their organisation and manage its
//     people, except those with more authority than a signatory;
//   - everybody issues tokens for themselves, never wider than the credential
//     with which they ask;
//   - nobody issues a token with which an operator or approver operates, but
//     that person, or whoever runs the exchange's own machine.
//
// It never decides who may see an item; that is policy. Application, vetting
// and passkeys come later.
package membership
