// Package connection connects the machines of an organisation and watches over
// them: one connection is one machine token, with the settings of one product
// that polls by TAXII 2.1, and what is known of its polls.
//
// A connection is seen by whoever sees its token, and by nobody else: to
// everybody else it does not exist. It goes from made to removed; removing it
// ends its token. It may lapse in between, when the token expires or is revoked.
//
// What polls do is noted in memory and written down every few seconds, never
// while a request waits. The room never keeps the secret, never decides what a
// connection may have (delivery does), and never lets a person see through a
// connection more than their own credential covers.
package connection
