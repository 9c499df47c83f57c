package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/extract/exactpay"
	"exactduck/load"
	"exactduck/load/spool"
)

// The exit codes that scripts rely on.
const (
	exitBug         = 1
	exitUsage       = 2
	exitPartial     = 3
	exitLogin       = 4
	exitSource      = 5
	exitDifferent   = 6
	exitQuota       = 7
	exitContract    = 8
	exitBusy        = 9
	exitMachine     = 10
	exitInterrupted = 130
)

// precedence says which code is reported when several apply. A wrong command line or configuration
// and an interruption come alone: nothing else is looked at then.
var precedence = []int{exitInterrupted, exitUsage, exitLogin, exitMachine, exitBusy, exitContract, exitSource, exitQuota, exitPartial, exitDifferent}

// fault says what a kind of error means to the person who sees it: whose move it is, and which.
type fault struct {
	is   func(error) bool
	code int
	hint func(error) string
}

// faults is the one table from errors to exit codes and hints. Of several that fit under one code
// the first gives the hint. What fits none is a bug of ours.
var faults = []fault{
	{is(context.Canceled), exitInterrupted, say("")},
	{is(context.DeadlineExceeded), exitInterrupted, say("the time limit has passed; the next run goes on from here")},

	{as[*usageError], exitUsage, func(err error) string { return find[*usageError](err).hint }},
	{as[*notInPipeline], exitUsage, say("--streams can only narrow what the pipeline reads; add the stream to pipelines.yaml")},
	{as[*config.Error], exitUsage, configHint},
	{as[*config.ReadError], exitUsage, say(`"exactduck init" writes a configuration; --config names another one`)},
	{as[*config.SecretError], exitUsage, secretHint},
	{as[*config.UnknownDivision], exitUsage, divisionHint},
	{as[*extract.UnknownStream], exitUsage, say(`"exactduck endpoints" lists the streams`)},
	{as[*exactonline.NotPullable], exitUsage, say(`"exactduck endpoints" lists the streams`)},
	{as[*exactpay.BadIdentity], exitUsage, say("copy organization: and accounts: from Exact Payments: 24 hexadecimal digits in lower case")},
	{as[*schedule.Malformed], exitUsage, func(err error) string { return find[*schedule.Malformed](err).Hint }},
	{as[*exactonline.BadParameter], exitUsage, say("write params: and as: in pipelines.yaml as Exact's page of the function says")},
	{as[*exactonline.BadFilter], exitUsage, say("a filter is OData: Type eq 20 and startswith(Name,'A') and Modified ge datetime'2024-01-31'")},
	{as[*exactonline.BadDefinition], exitUsage, say("an endpoint of your own needs path: and types: in pipelines.yaml, and key: unless it is read whole")},
	{as[*exactonline.NoVariant], exitUsage, say("leave the prefix out, or use one that the stream has")},
	{as[*queryError], exitUsage, queryHint},
	{as[*load.Unnameable], exitUsage, say("give the file under to: duckdb: another name")},
	{as[*load.Untrue], exitUsage, say("nothing was changed; export the state of this very warehouse, or let the next run read anew: exactduck state reset")},
	{as[*load.Foreign], exitUsage, say("move that file away, or publish to another one under to: in pipelines.yaml")},

	{is(auth.ErrAppRefused), exitUsage, loginHint},
	{func(err error) bool { b := find[*auth.BundleError](err); return b != nil && b.Person }, exitUsage, bundleHint},
	{is(auth.ErrCode), exitUsage, say(`run "exactduck auth login" again, and paste the whole address that the browser ends at`)},
	{is(auth.ErrKey), exitUsage, say(`"exactduck auth key" makes a key; what is encrypted already needs the one it was encrypted with`)},

	{as[*auth.LoginError], exitLogin, loginHint},
	{is(auth.ErrLoginRequired), exitLogin, say(`run "exactduck auth login"`)},
	{is(extract.ErrUnauthorized), exitLogin, explained(`run "exactduck auth login"`)},

	{as[*load.Newer], exitMachine, newerHint},
	{as[*newerState], exitMachine, say("install the newer exactduck that wrote it")},
	{as[*spool.Newer], exitMachine, say("install the newer exactduck that wrote it, or delete that file: its read is made again")},
	{as[*load.Damaged], exitMachine, damagedHint},
	{as[*schedule.Damaged], exitMachine, scheduleHint},
	{as[*spool.Damaged], exitMachine, say("delete that file; its read is made again")},
	{as[*auth.StoreError], exitMachine, storeHint},
	{as[*auth.BundleError], exitMachine, bundleHint},
	{as[*listenError], exitMachine, listenHint},
	{as[*notServing], exitMachine, say("start it with \"exactduck serve\", or name its address with --listen")},
	{as[*load.NoRoom], exitMachine, roomHint},
	{is(syscall.ENOSPC, syscall.EDQUOT), exitMachine, say("free some space and run again; nothing is lost")},
	{is(fs.ErrPermission, syscall.EROFS), exitMachine, say("check who owns that folder and what may write to it")},
	{as[*stateError], exitMachine, stateHint},
	{as[*engineError], exitMachine, say("ask for less at once, or free some memory and disk space")},
	{is(fs.ErrNotExist), exitMachine, say("check that path: something on it is not there")},
	{is(syscall.ENOTDIR, syscall.EISDIR, syscall.EEXIST), exitMachine, say("check that path: a file stands where a folder is needed, or the other way round")},
	{is(syscall.EIO), exitMachine, say("the disk cannot be read or written; look into the log of the system")},
	{as[*fs.PathError], exitMachine, say("check that path")},
	{as[*os.LinkError], exitMachine, say("check these paths")},

	{as[*serving], exitBusy, say(`stop the other one first, or leave it: "exactduck schedule list" says what it does`)},
	{as[*load.Busy], exitBusy, say("wait for the other run, or let this one wait with --wait")},

	{as[*auth.UnavailableError], exitSource, say("the login is kept; run again later. Should the server have renewed it and the answer be lost, the next run says so")},
	{as[*unanswered], exitSource, say("check the network, the proxy and base_url; run again later")},
	{as[*extract.Unreachable], exitSource, explained("run again later; what was read is kept")},

	{as[*extract.QuotaError], exitQuota, say("run again after that; the run goes on where it stopped")},
	{as[*extract.Spent], exitQuota, say("run again: it goes on where it stopped. --max-calls says how many calls a run may make")},
	{as[*auth.BudgetError], exitQuota, say("run again after that")},

	{as[*unmended], exitPartial, unmendedHint},
	{as[*load.Shrink], exitPartial, shrinkHint},
	{as[*notFresh], exitPartial, say("\"exactduck status\" shows which runs brought what, \"exactduck runs --failed\" what was in the way")},
	{as[*vanished], exitPartial, vanishedHint},
	{as[*extract.Blocked], exitPartial, blockedHint},
	{as[*exactonline.Undated], exitPartial, say("leave since out for this stream")},
	{remembered, exitPartial, rememberedHint},
	{as[*extract.Refused], exitPartial, explained("check the rights of the user and the scopes of the app, or leave the stream out")},
	{is(extract.ErrBreaker), exitPartial, say("run again in an hour")},
	{is(extract.ErrUncounted), exitPartial, say("leave --count out: the source does not say how many records there are")},
	{is(extract.ErrResume), exitPartial, say("run again: the read begins anew")},
	{as[*load.Broken], exitContract, contractHint},
	{as[*load.TypeChange], exitPartial, say("the keys that are stored do not fit; load into another file (to: duckdb:), or give the stream another name")},
	{as[*extract.Malformed], exitPartial, say("run again; if it stays, please report it")},
	{is(extract.ErrForeignHost), exitPartial, say("nothing was sent there; check base_url")},
	{as[*nobodyTold], exitPartial, say("check that address or command; an address is where the secret comes from: echo $VARIABLE, or look into the file")},
	{as[*partial], exitPartial, say("run again; what was read is kept")},

	{as[*different], exitDifferent, differentHint},
}

// as matches an error type anywhere in the tree of an error.
func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

func find[T error](err error) (found T) {
	errors.As(err, &found)
	return found
}

// is matches any of some sentinel errors.
func is(targets ...error) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
}

func say(hint string) func(error) string { return func(error) string { return hint } }

// exitCode is what the process ends with for an error; 0 for none.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	code, _ := judge(err)
	return code
}

// hint says what to type next; it may be empty.
func hint(err error) string {
	_, text := judge(err)
	return text
}

func judge(err error) (int, string) {
	for _, code := range precedence {
		for _, f := range faults {
			if f.code == code && f.is(err) {
				return code, f.hint(err)
			}
		}
	}
	return exitBug, "this is a bug of ours: please report it with what you typed"
}

func configHint(err error) string {
	var lines []string
	for _, p := range find[*config.Error](err).Problems {
		lines = append(lines, fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, cmp.Or(p.Hint, p.Message)))
	}
	return strings.Join(lines, "\n")
}

func secretHint(err error) string {
	if name := find[*config.SecretError](err).Variable; name != "" {
		return fmt.Sprintf("type: export %s=…", name)
	}
	return "check that file"
}

func divisionHint(err error) string {
	e := find[*config.UnknownDivision](err)
	word := cmp.Or(e.Place, "division")
	if len(e.Have) == 0 {
		return "this login can open no " + word + "; check its rights there"
	}
	return `it can read ` + strings.Join(e.Have[:min(len(e.Have), 5)], ", ") + `; "exactduck ` + word + `s" lists them all`
}

func vanishedHint(err error) string {
	word := placeWord(find[*vanished](err).division.Scope)
	return "check the rights of the user there, or take the " + word + " out of " + word + "s: in pipelines.yaml"
}

func loginHint(err error) string {
	e := find[*auth.LoginError](err)
	if e == nil { // a bare auth.ErrAppRefused
		return "check client_id, client_secret and redirect_url against the app registration"
	}
	switch e.Cause {
	case auth.WrongClient:
		return "check client_id and client_secret against the app registration, and region or base_url: was the app registered in another region than " + e.Host + "?"
	case auth.Reused, auth.BrokenChain:
		return "run \"exactduck auth login\"; so that it does not happen again give every installation an app registration of its own,\n" +
			"and move a login with \"exactduck auth export\" and \"auth import\", not by copying its file"
	case auth.Unclear:
		return "check client_id and client_secret against the app registration, then run \"exactduck auth login\""
	case auth.WrongRedirect:
		return "redirect_url must be the app registration's, to the letter"
	case auth.WrongState, auth.Denied:
		return `run "exactduck auth login" again and use the newest link`
	case auth.WrongPassword:
		return `run "exactduck auth login" again; after five wrong passwords the user is locked`
	case auth.PasswordExpired:
		return `choose another password at Exact Payments, then run "exactduck auth login"`
	case auth.LockedOut:
		return `have a manager unlock the user at Exact Payments, then run "exactduck auth login"`
	case auth.NoSuchApplication:
		return "check application: and organization: in pipelines.yaml, and the e-mail address"
	case auth.NotAllowed:
		return `have a user log in who may make application tokens: "exactduck auth login"; "exactduck auth logout --local" only forgets the login here`
	case auth.BadToken:
		return "check where token: in pipelines.yaml leads: it must be one line of letters and digits"
	case auth.Sealed:
		return `use the machine that imported it; here, "exactduck auth import" of its bundle takes it back, if nobody else has imported it, and "exactduck auth login" begins a new one`
	}
	return `run "exactduck auth login"`
}

// endpointOf is the endpoint that an error of the API is about; "": it does not say.
func endpointOf(err error) string {
	if refused := find[*extract.Refused](err); refused != nil {
		return refused.Endpoint
	}
	if gone := find[*extract.Unreachable](err); gone != nil {
		return gone.Endpoint
	}
	return ""
}

// explained is what is known of the answer of the API that an error is about.
func explained(otherwise string) func(error) string {
	return func(err error) string {
		if e, known := vendorNamed(endpointOf(err)).kind().Explain(err); known {
			return e.Means + "\n" + e.Do
		}
		return otherwise
	}
}

// remembered is a refusal of an earlier day, for which nobody was asked.
func remembered(err error) bool {
	e := find[*extract.Refused](err)
	return e != nil && !e.Remembered.IsZero()
}

func blockedHint(err error) string {
	return "wait until then: " + vendorNamed(find[*extract.Blocked](err).Endpoint).words().patience
}

func rememberedHint(err error) string {
	return explained("check the rights of the user and the scopes of the app, or leave the stream out")(err) +
		"\n" + vendorNamed(endpointOf(err)).words().name + " said so on " + find[*extract.Refused](err).Remembered.UTC().Format(time.DateOnly) +
		`. It is asked again a week later, after "exactduck auth login", or at once by "exactduck sync --streams NAME" or "exactduck state reset --refusals"`
}

func storeHint(err error) string {
	e := find[*auth.StoreError](err)
	return cmp.Or(e.Advice, "check "+e.Path+" and the folder that it is in")
}

func bundleHint(err error) string { return find[*auth.BundleError](err).Advice }

func damagedHint(err error) string {
	return fmt.Sprintf("move %s away and run again: the published file, if there is one, takes its place, else everything is loaded anew",
		find[*load.Damaged](err).Path)
}

func scheduleHint(err error) string {
	return "move " + find[*schedule.Damaged](err).Path + " away: schedules then begin anew, and nothing is paused"
}

// newerHint speaks of the copy in the older format, as long as there is one.
func newerHint(err error) string {
	e := find[*load.Newer](err)
	text := "install the newer exactduck that wrote it"
	if older := load.OlderCopy(e.Path, e.Known); older != "" {
		text += "; to go back, move " + older + " over it, and what was synced since is read again"
	}
	return text
}

// contractHint names the streams whose contracts are broken.
func contractHint(err error) string {
	var streams []string
	if p := find[*partial](err); p != nil {
		for _, failure := range p.failures {
			if s := find[*streamError](failure); s != nil && as[*load.Broken](failure) && !slices.Contains(streams, s.stream) {
				streams = append(streams, s.stream)
			}
		}
	}
	names := cmp.Or(strings.Join(streams, ","), "NAME")
	return "nothing of it was applied; look: exactduck schema diff --streams " + names + "\nand take it over: exactduck schema accept " + names
}

func roomHint(err error) string {
	e := find[*load.NoRoom](err)
	return fmt.Sprintf("free at least %s more (%d bytes) on the disk of %s and run again; nothing is lost",
		bytesInWords(e.Missing()), e.Missing(), e.Path)
}

func shrinkHint(err error) string {
	return "check the rights of the user there; if it is true, run \"exactduck sync --accept-shrink " +
		find[*load.Shrink](err).Stream + "\""
}
