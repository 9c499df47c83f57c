package exactpay

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"exactduck/extract"
	"exactduck/schema"
)

// address is a list that can be asked.
type address struct {
	scope          schema.Scope
	endpoint, link string
}

// get makes a request. A 401 may mean that the token is no good, or that it lacks the permission for
// this list, and payments and orders answer either with a 403: which of the two is seen from other lists.
// In the end a permission that lacks is a 403, and a token that is no good a 401.
func (s *Source) get(ctx context.Context, to address) (*extract.Answer, error) {
	answer, err := s.caller.Get(ctx, to.scope, to.endpoint, to.link)
	if err == nil {
		s.answered(to)
		return answer, nil
	}
	refused, ok := errors.AsType[*extract.Refused](err)
	if !ok {
		return nil, err
	}
	meant := *refused
	switch {
	case refused.Status == http.StatusUnauthorized && s.token(ctx, to) == good:
		meant.Status = http.StatusForbidden
		meant.Message = "the token is good for other lists and lacks the permission for this one: " + meant.Message
	case refused.Status == http.StatusForbidden && s.doubtful(refused) && s.token(ctx, to) == bad:
		meant.Status = http.StatusUnauthorized
	default:
		return nil, err
	}
	return nil, &meant
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

// doubtful tells of a 403 whether it may be about the token as a whole: no list has taken the token yet, and
// it is not the account that is refused.
func (s *Source) doubtful(r *extract.Refused) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open.link == "" && strings.HasSuffix(r.Reason, forbiddenCode) && !isAccountUnknown(r)
}

// standing is what lists make of the token.
type standing uint8

const (
	untried standing = iota
	good             // some list answers
	bad              // none does, and one does not accept the token
)

// token asks other lists whether the token is good: the last one that answered, and then any.
func (s *Source) token(ctx context.Context, refused address) standing {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	if open.link != "" && open.endpoint != refused.endpoint {
		if _, err := s.caller.Get(ctx, open.scope, open.endpoint, open.link); err == nil {
			return good
		}
	}
	found := untried
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
			return good
		}
		if errors.Is(err, extract.ErrUnauthorized) {
			found = bad
		}
	}
	return found
}
