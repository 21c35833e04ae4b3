package delivery

import "strings"

// As names a recipient (an organisation's id, or a person's login) who acts in a
// hat and reads for a purpose, as Why takes recipients. An empty hat is all of
// the organisation's; whether it has the hat is not asked.
func As(recipient, hat, purpose string) string {
	if hat == "" && purpose == "" {
		return recipient
	}
	return strings.Join([]string{recipient, hat, purpose}, "\n")
}

// asked is what As was made of.
func asked(recipient string) (name, hat, purpose string) {
	name, rest, _ := strings.Cut(recipient, "\n")
	hat, purpose, _ = strings.Cut(rest, "\n")
	return name, hat, purpose
}
