// Package authtest is the suite that every auth.Store has to pass. Begin with [TestStore].
package authtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/auth"

	"github.com/google/go-cmp/cmp"
)

// TestStore checks what [auth.Store] promises. fresh makes a new, empty place for one login and
// returns what opens a store on it: each call of that stands for another process.
func TestStore(t *testing.T, fresh func(t *testing.T) (open func() auth.Store)) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, func() auth.Store){
		"empty is the zero state":       emptyIsZero,
		"what is saved is loaded":       savedIsLoaded,
		"what is not saved is not kept": unsavedIsLost,
		"errors pass through":           errorsPass,
		"one at a time":                 oneAtATime,
		"waiting ends with the context": waitingEnds,
		"a panic frees the lock":        panicFrees,
		"remove forgets":                removeForgets,
		"saved again and again":         reusable,
	} {
		t.Run(name, func(t *testing.T) { check(t, fresh(t)) })
	}
}

// full is a state in which every field is set, with the characters that codecs trip over.
func full() auth.State {
	at := time.Date(2026, 11, 21, 3, 4, 5, 678901000, time.UTC)
	by := auth.Process{PID: 42, Command: "exactduck sync", Machine: "böx"}
	pair := func(n string) *auth.Token {
		return &auth.Token{
			Access: auth.Secret("gAAAA%21!+/=\"\\<&>" + n), Refresh: auth.Secret(strings.Repeat("Y2MN!I", 700) + n),
			AskedAt: at.Add(-time.Second), ObtainedAt: at, Life: 600 * time.Second, By: by,
		}
	}
	return auth.State{
		Host: "https://start.exactonline.nl", ClientID: "{4f6e}", Now: pair("now"), Previous: pair("before"),
		Attempt:   &auth.Attempt{Pair: "ab12", First: at, Last: at.Add(time.Minute), Tries: 2, Outcome: "answered HTTP 500", By: by},
		Broken:    &auth.Broken{Cause: auth.Reused, Detail: "Old refresh token used.", At: at, Sent: at},
		NotBefore: at.Add(time.Hour), LoggedInAt: at, Calls: auth.Calls{Day: "2026-11-21", Count: 7},
		Sealed:   &auth.Move{ID: "SEALED", At: at, File: "/media/usb/login.age", By: by},
		Imported: &auth.Move{ID: "IMPORTED", At: at, File: "login.age", By: by},
	}
}

func save(t *testing.T, s auth.Store, state auth.State) {
	t.Helper()
	if err := s.Locked(t.Context(), func(slot auth.Slot) error { return slot.Save(state) }); err != nil {
		t.Fatal("save:", err)
	}
}

func load(t *testing.T, s auth.Store) auth.State {
	t.Helper()
	var state auth.State
	err := s.Locked(t.Context(), func(slot auth.Slot) (err error) {
		state, err = slot.Load()
		return err
	})
	if err != nil {
		t.Fatal("load:", err)
	}
	return state
}

func same(t *testing.T, want, got auth.State) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("state differs (-want +got):", diff)
	}
}

func emptyIsZero(t *testing.T, open func() auth.Store) { same(t, auth.State{}, load(t, open())) }

func savedIsLoaded(t *testing.T, open func() auth.Store) {
	here := open()
	save(t, here, full())
	same(t, full(), load(t, here))
	same(t, full(), load(t, open()))

	small := auth.State{Host: "https://start.exactonline.be", ClientID: "b"}
	err := open().Locked(t.Context(), func(slot auth.Slot) error {
		if err := slot.Save(small); err != nil {
			return err
		}
		got, err := slot.Load()
		same(t, small, got)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, small, load(t, here))
}

func unsavedIsLost(t *testing.T, open func() auth.Store) {
	s := open()
	save(t, s, full())
	_ = s.Locked(t.Context(), func(slot auth.Slot) error {
		state, err := slot.Load()
		if err == nil {
			state.Now.Refresh, state.Calls.Count = "changed", 99
		}
		return err
	})
	same(t, full(), load(t, s))
}

func errorsPass(t *testing.T, open func() auth.Store) {
	s, mine := open(), errors.New("mine")
	err := s.Locked(t.Context(), func(slot auth.Slot) error { return errors.Join(slot.Save(full()), mine) })
	if !errors.Is(err, mine) {
		t.Errorf("Locked returned %v, want what f returned", err)
	}
	same(t, full(), load(t, open()))
}

func oneAtATime(t *testing.T, open func() auth.Store) {
	const users, times = 8, 10
	var all sync.WaitGroup
	for range users {
		s := open()
		all.Go(func() {
			for range times {
				err := s.Locked(t.Context(), func(slot auth.Slot) error {
					state, err := slot.Load()
					if err != nil {
						return err
					}
					state.Calls.Count++
					return slot.Save(state)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := load(t, open()).Calls.Count; got != users*times {
		t.Errorf("%d of %d changes survived", got, users*times)
	}
}

func waitingEnds(t *testing.T, open func() auth.Store) {
	holder, waiters := open(), []auth.Store{open()}
	waiters = append(waiters, holder)
	for _, waiter := range waiters {
		err := holder.Locked(t.Context(), func(auth.Slot) error {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			err := waiter.Locked(ctx, func(auth.Slot) error {
				t.Error("two inside the lock at once")
				return nil
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting ended with %v, want the context's error", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	same(t, auth.State{}, load(t, waiters[0]))
}

func panicFrees(t *testing.T, open func() auth.Store) {
	s := open()
	func() {
		defer func() { _ = recover() }()
		_ = s.Locked(t.Context(), func(auth.Slot) error { panic("in f") })
	}()
	save(t, open(), full())
	same(t, full(), load(t, s))
}

func removeForgets(t *testing.T, open func() auth.Store) {
	s := open()
	save(t, s, full())
	for range 2 {
		if err := s.Locked(t.Context(), auth.Slot.Remove); err != nil {
			t.Fatal("remove:", err)
		}
		same(t, auth.State{}, load(t, open()))
	}
	save(t, s, full())
	same(t, full(), load(t, open()))
}

func reusable(t *testing.T, open func() auth.Store) {
	s := open()
	for n := range 5 {
		state := full()
		state.Calls.Count = n
		save(t, s, state)
		same(t, state, load(t, s))
	}
}
