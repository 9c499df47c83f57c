package sandbox

import (
	"fmt"
	"net/http"
	"slices"
)

// Revoke takes the rights on an endpoint or a stream away in the way that Exact sometimes does:
// its lists are empty, without an error. An empty path means everything in the division but the
// divisions themselves.
func (s *Sandbox) Revoke(division int, path string) error {
	return s.locked(step{Op: "revoke", Division: division, Path: path})
}

// Restore gives back what Revoke took, under the same path.
func (s *Sandbox) Restore(division int, path string) error {
	return s.locked(step{Op: "restore", Division: division, Path: path})
}

// Forbid lets an endpoint or stream answer 403 in all divisions, as one whose scope the app does
// not have; Allow ends that.
func (s *Sandbox) Forbid(path string) error { return s.locked(step{Op: "forbid", Path: path}) }

// Allow ends what Forbid began.
func (s *Sandbox) Allow(path string) error { return s.locked(step{Op: "allow", Path: path}) }

// Reasons are those with which Exact answers 403, as far as they are known.
var Reasons = []string{"BlockedUser", "InactiveUser", "BlockedCustomer", "LicenseExpired", "DivisionBlocked", "NoDivisionAccess"}

// ForbidIn is Forbid in one division, for one of the [Reasons]; "" is the scope that is missing. An
// empty path means everything in the division but the divisions themselves; in their lists it is
// blocked then.
func (s *Sandbox) ForbidIn(division int, path, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.division(division)
	if err != nil {
		return err
	}
	return s.do(step{Op: "forbid", Division: d.code, Path: path, Reason: reason})
}

// AllowIn ends what ForbidIn began, under the same path.
func (s *Sandbox) AllowIn(division int, path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.division(division)
	if err != nil {
		return err
	}
	return s.do(step{Op: "allow", Division: d.code, Path: path})
}

func (s *Sandbox) redoForbid(x step, _ stamp) error {
	if x.Reason != "" && !slices.Contains(Reasons, x.Reason) {
		return fmt.Errorf("%s is no reason for a 403 that is known", x.Reason)
	}
	if x.Division == 0 {
		s.forbidden[x.Path] = x.Reason
		return nil
	}
	d, err := s.division(x.Division)
	if err != nil {
		return err
	}
	d.refused[x.Path] = x.Reason
	s.remember()
	return nil
}

func (s *Sandbox) redoAllow(x step, _ stamp) error {
	if x.Division == 0 {
		delete(s.forbidden, x.Path)
		return nil
	}
	d, err := s.division(x.Division)
	if err != nil {
		return err
	}
	delete(d.refused, x.Path)
	s.remember()
	return nil
}

// barred is the 403 of an endpoint that must not be read in a division; nil: it may.
func (s *Sandbox) barred(v *view, d *division, asJSON bool) *reply {
	for _, list := range []map[string]string{d.refused, s.forbidden} {
		for path, reason := range list {
			switch {
			case !covers(path, v):
			case reason == "":
				return failure(http.StatusForbidden, "Forbidden: Application Scope Violated", "Forbidden - Application Scope Violated. Cannot read '"+v.endpoint.OAuthScope+"' scope.", asJSON)
			default:
				return failure(http.StatusForbidden, reason+": Forbidden", "Forbidden", asJSON)
			}
		}
	}
	return nil
}
