// Package sandbox is a simulated Exact Online: the same addresses, the same rules, the same
// refusals, over companies that do not exist. The demo and the tests run against it, and so can
// anybody who wants to see what a client does before it meets the real thing.
//
// Begin with [New]. A [Sandbox] is an [http.Handler], and [Sandbox.Transport] carries requests to
// it without sockets. [Sandbox.Change] is the work of people in a company between two reads,
// [Sandbox.Fault] what can go wrong on the way, and [Sandbox.Records] the truth to compare with.
// [Sandbox.Answers] and [Sandbox.Errors] tell what a client did.
//
// Everything follows from Options.Seed and from what was done since. Companies are generated when
// they are first asked for, set by set. With a StateFile, what was done and who is logged in survive
// a restart; faults do not.
//
// Package pay, below, is a simulated Exact Payments of the same kind.
//
// # What is not known
//
// Where no source says how Exact answers, the sandbox has chosen, and these choices prove nothing
// about the real API. Where the choice can matter to a client it is a switch, see [Options] and
// [Manual]. The others:
//
//   - An endpoint over its error limit answers 429 without headers. The tenth error of an hour blocks
//     it for one hour, the next block lasts two, and so on to sixteen; a day in peace ends that.
//   - A code that was spent or is too old is an invalid_grant.
//   - $select=* where it is not supported is refused with the text for a missing $select.
//   - A function that returns a single value answers {"d":{"Name":value}}. That Exact says no more
//     than "Error in query syntax" to a parameter that is missing or wrong has been seen once.
//   - A function whose parameters no source names takes none.
//   - A link to a next page that has lapsed answers 400.
//   - Deleting a header deletes its lines, and sync/Deleted tells of each unless it is switched off.
//   - An archived division can be read, one that is blocked answers 403.
//   - A move numbers all row versions by the same distance. What else a move changes is not known.
//
// # Steering it
//
// What can be done to a running sandbox has a method, a POST under /_sandbox/ for a process on the
// same machine, and a step of a [Scenario], all by the names that [Manual] lists:
//
//	POST /_sandbox/change?division=123456&entity=crm/Accounts&insert=3&update=2&delete=1&late=1
//	POST /_sandbox/forbid?division=123456&path=payroll/Employees&reason=LicenseExpired
//	POST /_sandbox/set?others=30&skip_token_life=10m
//	GET  /_sandbox/calls       requests seen, by path
//	GET  /_sandbox/errors      answers that count towards the error limit, by division and path
//	GET  /_sandbox/divisions   the companies that there are
package sandbox
