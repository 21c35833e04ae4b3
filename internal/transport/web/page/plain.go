package page

import "html/template"

// SignIn says how one signs in.
type SignIn struct {
	Frame
	Failed bool // a link was used that is not valid (any more)
}

// Name is the template's name.
func (SignIn) Name() string { return "signin" }

// Keys lists the keyboard shortcuts.
type Keys struct{ Frame }

// Name is the template's name.
func (Keys) Name() string { return "keys" }

// Fault is every answer that is not the page asked for: what happened, what was
// not done, the next step. What is missing and what is withheld look the same.
type Fault struct {
	Frame
	Heading string
	Text    string
	Next    Link
	Request string
}

// Name is the template's name.
func (Fault) Name() string { return "fault" }

// Public lists what is public.
type Public struct {
	Frame
	Lines []ReleaseLine
}

// Name is the template's name.
func (Public) Name() string { return "public" }

// PublicRelease is the public part of a release.
type PublicRelease struct {
	Frame
	Heading string
	Program string
	Since   Moment
	Prose   template.HTML
	Items   []ItemLine
}

// Name is the template's name.
func (PublicRelease) Name() string { return "publicrelease" }

// Acting is where one chooses a hat of the organisation and a purpose.
type Acting struct {
	Frame
	Heading  string // name of the organisation
	Hats     []Option
	Purpose  string
	Purposes []string // that programs name
}

// Name is the template's name.
func (Acting) Name() string { return "acting" }
