// Package extract fetches pages politely. It holds what every source of books has in common: the
// words in which a source is described ([Source], [Stream], [Read]), and one GET that keeps to the
// rules of a vendor ([Caller]): it waits for the quota, sends nothing that is known to fail,
// retries what a retry can cure, and names what it cannot.
//
// Begin with [Source] to see what a source promises, and with [Caller.Get] to write one; [Kind] is what
// its package says of it beside. The sources themselves are sub-packages.
package extract
