// Package pay is a simulated Exact Payments: the addresses, rules and refusals that its specification
// has, over merchants that do not exist. It is made from the same published text as whoever reads
// from it, so it proves that the two agree with that text, and nothing about the service.
//
// Begin with [New]. A [Sandbox] is an [http.Handler], and [Sandbox.Transport] carries requests to it
// without sockets. [Sandbox.Credentials] are what to log in with, [Sandbox.Token] is a way around
// that. [Sandbox.Change] is what happens to payments between two reads, [Sandbox.Fault] what can go
// wrong on the way, and [Sandbox.Records] the truth to compare with.
//
// It can be read from: tokens can be made, listed and deleted, everything else can only be asked for.
// Everything follows from Options.Seed and from what was done since. With a StateFile, what was done
// and the tokens survive a restart; faults do not.
//
// # What is not known
//
// Where no source says what the service does, or several say it differently, the sandbox has chosen,
// and these choices prove nothing. Where the choice can matter to a client it is a switch, see
// [Switches]. The others:
//
//   - A token without the permission is refused before a malformed id breaks anything, and an account
//     that there is not is told from one that the token does not reach.
//   - Giving a token more permissions than its maker has is refused with a 401. An organization lists
//     and deletes the tokens of its accounts too.
//   - Five logins in a row may fail, the sixth locks the user, until [Sandbox.Unlock].
//   - Operators other than $eq, $ne, $gt and $gte are no filters, and neither are parameters that
//     nobody knows. What a row does not have, an orders' date for one, meets no filter but $ne.
//   - $limit is capped at 100 for customers too, although one page speaks of 1000; 0 is no rows.
//   - Captures have ids and no rows of their own; refunds and voids are payments of their type.
//   - A declined payment has the status "declined". A partial capture can be followed by another.
//   - Everything that the organization's token reaches is what it gets where no account is named.
//   - Orders are in a window by the time they were made; "to" is included. Without a window it is the
//     month before now, and if only "to" is given, "from" is still a month before now. One of more than
//     six months, or a date that is none, is a 400.
//   - A disabled account can be read by its organization, its own tokens are refused.
//   - Limits count requests by token in a minute of the clock, and answer 429 in plain text.
//   - Paths that nobody documented, and writes, answer 404.
//
// # Steering it
//
// What can be done to a running sandbox has a method, and a POST under /_sandbox/pay/ for a process
// on the same machine, by the names that [Manual] lists:
//
//	POST /_sandbox/pay/change?resource=payments&insert=3&refund=2&settle=10
//	POST /_sandbox/pay/set?filters=ignored&natural=newest
//	GET  /_sandbox/pay/calls      requests seen, by path
//	GET  /_sandbox/pay/accounts   the merchants' accounts
//	GET  /_sandbox/pay/login      what to log in with
package pay
