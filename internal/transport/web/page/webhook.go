package page

// Webhooks lists the webhooks that the reader may know of.
type Webhooks struct {
	Frame
	Lines    []WebhookLine
	Programs []Option // in which one can be added
	URL      string   // as it was typed
}

// Name is the template's name.
func (Webhooks) Name() string { return "webhooks" }

// WebhookLine is one webhook in a list.
type WebhookLine struct {
	ID, Href, URL, Program string
	State                  State
	Waiting                int
}

// Webhook is one webhook and what became of its messages.
type Webhook struct {
	Frame
	Heading string
	Base    string
	State   State
	Reason  string // why it is disabled, or silent
	Active  bool   // may be paused and tested
	Facts   []Fact
	Told    Moment // up to where the receiver was told
	Expires Moment
	Failing Moment // since when nothing was taken
	Since   string // of a replay, as it was typed
	Sent    []SendingLine
	Next    string
}

// Name is the template's name.
func (Webhook) Name() string { return "webhook" }

// SendingLine is one message and what became of it last.
type SendingLine struct {
	ID, What string
	State    State
	Queued   Moment
	Attempts int
	SentAt   Moment
	Answer   string // status, or the class of failure in words
	Took     string
	NextAt   Moment
	Again    bool
}
