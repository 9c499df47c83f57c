package exactpay

import (
	"context"
	"errors"
	"net/http"

	"exactduck/extract"
	"exactduck/schema"
)

// address is a list that can be asked.
type address struct {
	scope          schema.Scope
	endpoint, link string
}

// get makes a request. A 401 may mean that the token is no good, or that it lacks the permission for
// this list: which of the two is seen from other lists, and a permission that lacks is a 403.
func (s *Source) get(ctx context.Context, to address) (*extract.Answer, error) {
	answer, err := s.caller.Get(ctx, to.scope, to.endpoint, to.link)
	if err == nil {
		s.answered(to)
		return answer, nil
	}
	refused, ok := errors.AsType[*extract.Refused](err)
	if !ok || refused.Status != http.StatusUnauthorized || !s.accepted(ctx, to) {
		return nil, err
	}
	lacking := *refused
	lacking.Status = http.StatusForbidden
	lacking.Message = "the token is good for other lists and lacks the permission for this one: " + lacking.Message
	return nil, &lacking
}

// answered keeps a list that the token is good for.
func (s *Source) answered(to address) {
	if e := named(to.endpoint); e == nil || e.Permission == "-" {
		return // it is open to everybody
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = to
}

// accepted asks other lists whether the token is good: the last one that answered, and then any.
func (s *Source) accepted(ctx context.Context, refused address) bool {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	if open.link != "" && open.endpoint != refused.endpoint {
		if _, err := s.caller.Get(ctx, open.scope, open.endpoint, open.link); err == nil {
			return true
		}
	}
	for _, e := range Endpoints() {
		name := Service + "/" + e.Name
		if e.Permission == "-" || e.Each != "" || name == refused.endpoint {
			continue
		}
		to := address{scope: refused.scope, endpoint: name}
		if e.Shared {
			to.scope = connection
		}
		var err error
		if to.link, err = s.link(e, to.scope, "$limit=1", ""); err != nil {
			continue
		}
		if _, err = s.caller.Get(ctx, to.scope, to.endpoint, to.link); err == nil {
			s.answered(to)
			return true
		}
	}
	return false
}
