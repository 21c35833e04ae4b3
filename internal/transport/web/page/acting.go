package page

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
