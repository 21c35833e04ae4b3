package policy

// Rules are what a program's charter takes away from what the fixed steps
// allow. They never permit what a fixed step denies.
type Rules interface {
	// Read reports whether the recipient may read the item, and which rule says so.
	Read(r *Recipient, i *Item) (allowed bool, why string)
}
