package api

import (
	"github.com/danielgtaylor/huma/v2"

	room "github.com/forewarn-exchange/forewarn/internal/exchange/release"
)

const description = `The HTTP API of a Forewarn exchange.

Errors are problem details (RFC 9457); their types are explained under /problems/. What the caller may not know of is answered exactly as what does not exist. POST needs an Idempotency-Key. A change of something that has versions needs If-Match with its ETag. Lists are paged by the cursor in the Link header with rel=next. Times are RFC 3339 in UTC.`

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "me", Description: "Who is calling, and what they take part in."},
		{Name: "programs", Description: "Charters: why, with whom, by which rules, and how the result is measured."},
		{Name: "organisations", Description: "Legal entities that take part, and their people."},
		{Name: "jurisdictions", Description: "The register of compelled-disclosure duties."},
		{Name: "legal-bases", Description: "The register of legal bases, and how they stood for each share."},
		{Name: "people"},
		{Name: "tokens", Description: "Machine credentials."},
		{Name: "connections", Description: "The machines of an organisation that poll, one token each."},
		{Name: "members", Description: "Which organisation belongs to which program."},
		{Name: "agreement", Description: "What a signatory accepts before anything is given."},
		{Name: "releases", Description: "Who gets what when."},
		{Name: "artifacts", Description: "The parts of a release."},
		{Name: "objects", Description: "STIX objects in the caller's view of a program."},
		{Name: "outcome", Description: "What came of it, computed from recorded events."},
		{Name: "ledger", Description: "The log that proves the events."},
		{Name: "events", Description: "Every act, in the order in which it was committed."},
		{Name: "ledger", Description: "What proves the events: entries, receipts."},
		{Name: "evidence", Description: "What proves the events of a program and a period, for auditors."},
		{Name: "notices"},
		{Name: "search"},
		{Name: "stream", Description: "Server-sent events: what enters the caller's view, as it does."},
		{Name: "recalls", Description: "What was taken back, superseded, narrowed or has expired; who holds it, and what they did."},
		{Name: "webhooks", Description: "Signed messages to a receiver of the caller's: that something waits, and where."},
		{Name: "lookup", Description: "Which values the exchange knows, of those that the caller may see."},
		{Name: "reshares", Description: "Asking originators to pass something on, or to loosen its handling."},
		{Name: "sources", Description: "Names that stand for originators that must not be named."},
		{Name: "why", Description: "The decision on one item for one recipient, explained."},
	}
}

// routes is every operation of the interface.
func (s *server) routes() []registration {
	return []registration{
		on("GET /me", "whoami", "Who is calling", s.me),
		s.logbook(),

		on("GET /programs", "list-programs", "The programs that the caller may know", s.listPrograms),
		on("GET /programs/{program}", "read-program", "A program", s.readProgram),
		on("GET /programs/{program}/charter", "export-charter", "The charter as TOML", s.exportCharter, charterAnswer),
		on("PUT /programs/{program}/charter", "apply-charter", "Open a program, or change it", s.applyCharter, charterBody),
		on("GET /programs/{program}/witnesses", "read-witnesses", "How those who watch over the ledger stand to it", s.readWitnesses),
		on("POST /programs/{program}/witnesses/disagreements/{disagreement}/resolve", "resolve-disagreement", "Settle what a witness said against the ledger", s.resolveDisagreement),
		on("GET /programs/{program}/agreement", "read-agreement", "The agreement in force", s.readAgreement),
		on("POST /programs/{program}/agreement/acceptances", "accept-agreement", "Accept a version for the caller's organisation", s.acceptAgreement, created),
		on("GET /programs/{program}/members", "list-members", "The members of a program", s.listMembers),
		on("GET /programs/{program}/members/{organisation}", "read-member", "One membership", s.readMember),
		on("PUT /programs/{program}/members/{organisation}", "join-program", "Make an organisation a member", s.joinProgram),
		on("POST /programs/{program}/members/{organisation}/suspend", "suspend-member", "Cut off a member in every channel", s.suspendMember),
		on("POST /programs/{program}/members/{organisation}/resume", "resume-member", "End a member's suspension", s.resumeMember),
		on("POST /programs/{program}/members/{organisation}/hide", "hide-member", "Keep a membership from the other members", s.hideMember),
		on("POST /programs/{program}/members/{organisation}/unhide", "unhide-member", "Let the other members know of a membership again", s.unhideMember),
		on("POST /programs/{program}/members/{organisation}/leave", "leave-program", "End a membership", s.leaveProgram),

		on("GET /programs/{program}/held", "list-held", "What is held because a marking is not understood", s.listHeld),
		on("POST /programs/{program}/markings", "resolve-marking", "Say what a marking asks that nobody understands", s.resolveMarking),

		on("GET /organisations", "list-organisations", "The organisations that the caller may know", s.listOrganisations),
		on("POST /organisations", "add-organisation", "Add an organisation", s.addOrganisation, created),
		on("GET /organisations/{organisation}", "read-organisation", "An organisation", s.readOrganisation),
		on("PUT /organisations/{organisation}", "change-organisation", "Replace the attributes of an organisation", s.changeOrganisation, conditional),
		on("POST /organisations/{organisation}/suspend", "suspend-organisation", "Cut off an organisation everywhere", s.suspendOrganisation),
		on("POST /organisations/{organisation}/resume", "resume-organisation", "End an organisation's suspension", s.resumeOrganisation),
		on("GET /organisations/{organisation}/people", "list-people", "The people of an organisation", s.listPeople),
		on("POST /organisations/{organisation}/people", "add-person", "Add a person", s.addPerson, created),
		on("GET /organisations/{organisation}/tokens", "list-tokens", "The machine tokens of an organisation", s.listTokens),
		on("GET /jurisdictions", "list-jurisdictions", "The register of jurisdictions", s.listJurisdictions),
		on("PUT /jurisdictions/{code}", "set-jurisdiction", "Set one line of the register", s.setJurisdiction),
		on("GET /people/{person}", "read-person", "A person", s.readPerson),
		on("PUT /people/{person}", "change-person", "Change a person", s.changePerson, conditional),
		on("POST /people/{person}/suspend", "suspend-person", "Cut off a person", s.suspendPerson),
		on("POST /people/{person}/resume", "resume-person", "End a person's suspension", s.resumePerson),
		on("POST /people/{person}/links", "issue-link", "Issue a sign-in link, shown once", s.issueLink, created),
		on("POST /tokens", "issue-token", "Issue a machine token, shown once", s.issueToken, created),
		on("DELETE /tokens/{token}", "revoke-token", "Revoke a token", s.revokeToken),
		on("GET /connections", "list-connections", "The connections of an organisation", s.listConnections),
		on("POST /connections", "add-connection", "Connect a machine; its settings are shown once", s.addConnection, created),
		on("GET /connections/{connection}", "read-connection", "A connection, its polls, errors and warnings", s.readConnection),
		on("DELETE /connections/{connection}", "remove-connection", "End a connection and its token", s.removeConnection),
		on("POST /connections/{connection}/test", "test-connection", "Poll as the connection does; what is shown is recorded as given", s.testConnection),

		on("GET /programs/{program}/releases", "list-releases", "The releases that the caller runs, or holds something of", s.listReleases),
		on("POST /programs/{program}/releases", "create-release", "Begin a release", s.createRelease, created),
		on("GET /releases/{release}", "read-release", "A release as the caller sees it", s.readRelease),
		on("PATCH /releases/{release}", "edit-release", "Edit a release; approvals lapse", s.editRelease, conditional),
		on("GET /releases/{release}/preview", "preview-release", "Who gets what when, what is unusual, what blocks it", s.previewRelease),
		on("GET /releases/{release}/preview-as/{organisation}", "preview-as", "The release as that member will see it", s.previewAs),
		on("GET /releases/{release}/waves", "list-waves", "The waves of a release", s.listWaves),
		on("GET /releases/{release}/holders", "list-holders", "Who already holds what", s.listHolders),
		on("GET /releases/{release}/exposure", "list-exposure", "Who had which artifact when", s.listExposure),
		on("GET /releases/{release}/suspects", "list-suspects", "Who had everything that leaked", s.listSuspects),
		on("GET /releases/{release}/artifacts", "list-artifacts", "The parts of a release", s.listArtifacts),
		on("POST /releases/{release}/artifacts", "submit-artifact", "Hand in an artifact", s.submitArtifact, octets),
		on("POST /releases/{release}/send", "send-release", "Send to the approvers", s.sendRelease, conditional),
		on("POST /releases/{release}/approve", "approve-release", "Approve one revision", s.approveRelease),
		on("POST /releases/{release}/move", "move-release", "Move the public release", s.moveRelease, conditional),
		on("POST /releases/{release}/hold", "hold-waves", "Keep waves from opening", s.onWaves((*room.Service).Hold), conditional),
		on("POST /releases/{release}/resume", "resume-waves", "Put held waves back on the clock", s.onWaves((*room.Service).Resume), conditional),
		on("POST /releases/{release}/kill", "kill-waves", "Take waves out of the plan", s.onWaves((*room.Service).Kill), conditional),
		on("POST /releases/{release}/push", "push-waves", "Open approved waves now", s.onWaves((*room.Service).Push), conditional),
		on("POST /releases/{release}/withdraw", "withdraw-release", "Take a release back", s.withdrawRelease, conditional),
		on("POST /releases/{release}/contain", "contain-release", "Freeze a release in which a leak is suspected", s.containRelease, conditional),
		on("POST /releases/{release}/rearm", "rearm-release", "Open the case that follows an incomplete fix", s.rearmRelease, created),
		on("POST /releases/{release}/close", "close-release", "Make the outcome final", s.closeRelease, conditional),
		on("GET /releases/{release}/feedback", "list-feedback", "What recipients said", s.listFeedback),
		on("POST /releases/{release}/feedback", "give-feedback", "Say something about a release", s.giveFeedback, created),
		on("GET /releases/{release}/outcome", "release-outcome", "What came of a release", s.releaseOutcome),

		on("GET /artifacts/{artifact}", "read-artifact", "An artifact", s.readArtifact),
		on("GET /artifacts/{artifact}/content", "read-content", "The bytes of an artifact, or a range of them", s.readContent, bytesAnswer),
		on("GET /artifacts/{artifact}/lineage", "read-lineage", "What it was made from, and what was made from it", s.lineage),
		on("GET /artifacts/{artifact}/holders", "artifact-holders", "Who has an artifact, copy by copy", s.artifactHolders),
		on("GET /artifacts/{artifact}/simulate", "simulate-handling", "Who would gain and who would lose by another handling", s.simulateHandling),
		on("DELETE /artifacts/{artifact}", "remove-artifact", "Take an artifact out of a release before anybody holds it", s.removeArtifact),

		on("GET /programs/{program}/objects", "list-objects", "STIX objects in the caller's view, oldest first", s.listObjects, objectsAnswer),
		on("GET /programs/{program}/objects/count", "count-objects", "How many objects the caller sees, up to a cap", s.countObjects),
		on("GET /programs/{program}/objects/{object}", "read-object", "One object", s.readObject, objectAnswer),
		on("GET /programs/{program}/objects/{object}/holders", "object-holders", "Who has an object, copy by copy", s.objectHolders),
		on("GET /programs/{program}/sources/{source}", "read-source", "Who is shown under a name; that it was asked is recorded", s.readSource),
		on("GET /programs/{program}/stream", "open-stream", "What enters the caller's view, as server-sent events", s.openStream, eventsAnswer),
		on("GET /programs/{program}/search", "search", "Objects, artifacts and releases by text", s.search),
		on("GET /programs/{program}/why", "why", "Why a recipient is or is not given an item", s.why),
		on("GET /programs/{program}/outcome", "program-outcome", "What came of a program", s.programOutcome),

		on("GET /recalls", "list-recalls", "What was taken back and concerns the caller, newest first", s.listRecalls),
		on("POST /recalls", "issue-recall", "Recall, supersede, narrow or expire what the caller's organisation originated", s.issueRecall),
		on("GET /recalls/{recall}", "read-recall", "A recall: what is asked, or who holds it and what they did", s.readRecall),
		on("POST /recalls/{recall}/acknowledge", "acknowledge-recall", "Say what the caller's organisation did", s.answerRecall),
		on("POST /recalls/{recall}/remind", "remind-holders", "Tell the holders that are silent once more", s.remindRecall),

		on("GET /webhooks", "list-webhooks", "The webhooks that the caller may know of", s.listHooks),
		on("POST /webhooks", "add-webhook", "Add a webhook; a shared secret is shown once", s.addHook, created),
		on("GET /webhooks/{webhook}", "read-webhook", "A webhook, and why it is silent", s.readHook),
		on("DELETE /webhooks/{webhook}", "remove-webhook", "Remove a webhook", s.removeHook),
		on("POST /webhooks/{webhook}/pause", "pause-webhook", "Send nothing until it is resumed", s.pauseHook),
		on("POST /webhooks/{webhook}/resume", "resume-webhook", "Send again, from where it stopped", s.resumeHook),
		on("POST /webhooks/{webhook}/rotate", "rotate-webhook", "A new key; the old one signs beside it for a day", s.rotateHook),
		on("POST /webhooks/{webhook}/test", "test-webhook", "Send a test message", s.testHook, created),
		on("POST /webhooks/{webhook}/replay", "replay-webhook", "Announce anew what entered the view since an instant", s.replayHook),
		on("GET /webhooks/{webhook}/deliveries", "list-deliveries", "What was sent, newest first", s.listSendings),
		on("POST /webhooks/{webhook}/deliveries/{delivery}/send", "send-again", "Send a message once more, under the same id", s.sendAgain),
		s.lookups(),
		s.bases(),

		on("GET /reshares", "list-reshares", "The requests that the caller takes part in, newest first", s.listReshares),
		on("POST /reshares", "ask-reshare", "Ask the originators of an item", s.ask, created),
		on("GET /reshares/{reshare}", "read-reshare", "A request and its answers", s.readReshare),
		on("POST /reshares/{reshare}/answer", "answer-reshare", "Answer as an originator", s.answerReshare),
		on("POST /reshares/{reshare}/withdraw", "withdraw-reshare", "Take a request back", s.withdrawReshare),
		on("POST /reshares/{reshare}/revoke", "revoke-reshare", "End what was granted", s.revokeReshare),
		on("GET /reshares/{reshare}/copy", "copy-reshare", "What was granted, with the permission on it", s.copyReshare, copyAnswer),
		on("GET /programs/{program}/reshares/times", "reshare-times", "How long originators take to answer", s.answerTimes),

		on("GET /events", "list-events", "Events in commit order, one line of JSON each", s.listEvents, linesAnswer),
		on("GET /notices", "list-notices", "What the caller's organisation was told", s.listNotices),
		on("POST /notices/{notice}/read", "read-notice", "Mark a notice as read", s.readNotice),
		on("GET /notices/{notice}/signed", "read-signed-notice", "A notice, signed by the exchange", s.readSignedNotice, noteAnswer),
		on("GET /notice-key", "read-notice-key", "The public key that signs notices", s.readNoticeKey),
		s.ledgerRoutes(),
	}
}

// The operations that write their answer themselves are described by hand.

func content(media, description string, schema *huma.Schema) func(*huma.Operation) {
	return func(op *huma.Operation) {
		op.Responses = map[string]*huma.Response{"200": {
			Description: description, Content: map[string]*huma.MediaType{media: {Schema: schema}},
		}}
	}
}

func linesAnswer(op *huma.Operation) {
	content(linesType, "one line for each event: its number and its canonical bytes", &huma.Schema{Type: "string"})(op)
}

func eventsAnswer(op *huma.Operation) {
	content("text/event-stream", "events of the kind added: collection, added_after, last and count; with objects=1 also the objects", &huma.Schema{Type: "string"})(op)
}

func objectsAnswer(op *huma.Operation) {
	content("application/json", "a page", &huma.Schema{Ref: "#/components/schemas/ObjectsPage"})(op)
}

func objectAnswer(op *huma.Operation) {
	content("application/json", "the object", &huma.Schema{Ref: "#/components/schemas/Object"})(op)
}
