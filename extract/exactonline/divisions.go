package exactonline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"exactduck/extract"
	"exactduck/schema"

	"github.com/google/uuid"
)

// User is who is logged in.
type User struct {
	ID             uuid.UUID
	Name, FullName string
	Division       schema.Scope // the one that is open; its books may still be out of bounds
	// ServerOffset is how far the service's wall clock is from UTC; false: it did not say.
	ServerOffset      time.Duration
	ServerOffsetKnown bool
}

// Me asks who is logged in. It costs a call.
func (s *Source) Me(ctx context.Context) (User, error) {
	columns := []string{"UserID", "UserName", "FullName", "CurrentDivision", "ServerUtcOffset"}
	for row, err := range s.rows(ctx, "system/Me", columns) {
		if err != nil {
			return User{}, err
		}
		u := User{ID: row.column("UserID").UUIDs[row.at], Name: row.text("UserName"), FullName: row.text("FullName")}
		if n, ok := row.integer("CurrentDivision"); ok {
			u.Division = scopeOf(n)
			s.caller.Charge(ctx, u.Division) // whose quota it was
		}
		if v := row.column("ServerUtcOffset"); v.Valid[row.at] {
			u.ServerOffset, u.ServerOffsetKnown = time.Duration(v.Floats[row.at]*float64(time.Second)), true
		}
		s.compareZone(ctx, u)
		return u, nil
	}
	return User{}, errors.New("the service does not say who is logged in")
}

// compareZone warns when the service's wall clock is not in the zone that we were told. Cursors
// by Modified would then be off.
func (s *Source) compareZone(ctx context.Context, u User) {
	_, offset := s.caller.Now().In(s.zone).Zone()
	if u.ServerOffsetKnown && u.ServerOffset != time.Duration(offset)*time.Second {
		s.log.WarnContext(ctx, "the service's clock is in another time zone than configured",
			"zone", s.zone.String(), "zone_offset", time.Duration(offset)*time.Second, "service_offset", u.ServerOffset)
	}
}

// anyDivision is a division to put into addresses that need one and do not look at it.
func (s *Source) anyDivision(ctx context.Context) (schema.Scope, error) {
	s.mu.Lock()
	known := s.division
	s.mu.Unlock()
	if known != "" {
		return known, nil
	}
	u, err := s.Me(ctx)
	if err != nil {
		return "", err
	}
	if u.Division == "" {
		return "", errors.New("the user has no division open: name one")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.division = u.Division
	return u.Division, nil
}

const (
	statusActive   = 1 // of Status; 0 is inactive, 2 archived
	notBlocked     = 0 // of BlockingStatus
	moved          = "DivisionMoveDate"
	linked         = "DivisionHRLinkUnlinkDate"
	divisionStream = "system/Divisions"
)

// Places lists the divisions that the user granted to the app, by number. The epoch is made of the
// two dates after which Exact gives every record another Timestamp.
//
// They are asked for through one of them, which changes nothing about the answer: one that is known,
// or else the one that the user has open. Should that be out of bounds, any number will do, as Exact's
// own support says; nobody else has confirmed it, so it is not where we begin. What belongs to the
// login and has a division in its address is then asked for through the first of the list, whatever
// the user clicks on.
func (s *Source) Places(ctx context.Context) ([]extract.Place, error) {
	places, err := s.places(ctx)
	for _, next := range []schema.Scope{"", anyNumber} {
		if !outOfBounds(err) || !s.leave(next) {
			continue
		}
		s.log.WarnContext(ctx, "the division to ask through cannot be used, asking through another", "error", err)
		var again error
		if places, again = s.places(ctx); again == nil || next == "" {
			err = again
		}
	}
	if err == nil {
		s.settle(places)
	}
	return places, err
}

// anyNumber stands for no division.
const anyNumber schema.Scope = "1"

func outOfBounds(err error) bool {
	refused, ok := errors.AsType[*extract.Refused](err)
	return ok && slices.Contains([]int{403, 404}, refused.Status)
}

// leave asks through another division from now on; "" is the one that the user has open. It is of no
// use to leave that for itself.
func (s *Source) leave(next schema.Scope) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next == "" && (s.config.Division == "" || s.division != s.config.Division) {
		return false
	}
	s.division = next
	return true
}

// settle asks through the first active division from now on, unless the one that was configured can
// be used.
func (s *Source) settle(places []extract.Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.division == s.config.Division && s.division != "" {
		return
	}
	s.division = ""
	if at := slices.IndexFunc(places, func(p extract.Place) bool { return p.Active }); at >= 0 {
		s.division = places[at].Scope
	}
}

func (s *Source) places(ctx context.Context) ([]extract.Place, error) {
	var places []extract.Place
	columns := []string{"Code", "Description", "Currency", "Status", "BlockingStatus", moved, linked}
	for row, err := range s.rows(ctx, divisionStream, columns) {
		if err != nil {
			return nil, err
		}
		code, ok := row.integer("Code")
		if !ok {
			return nil, fmt.Errorf("%s: a division without a code", divisionStream)
		}
		status, hasStatus := row.integer("Status")
		blocking, _ := row.integer("BlockingStatus")
		places = append(places, extract.Place{
			Scope: scopeOf(code), Code: strconv.FormatInt(code, 10), Name: strings.TrimSpace(row.text("Description")),
			Currency: strings.TrimSpace(row.text("Currency")), Epoch: row.epoch(), Active: (!hasStatus || status == statusActive) && blocking == notBlocked,
		})
	}
	slices.SortFunc(places, func(a, b extract.Place) int {
		return len(a.Code) - len(b.Code) + strings.Compare(a.Code, b.Code)
	})
	return slices.CompactFunc(places, func(a, b extract.Place) bool { return a.Scope == b.Scope }), nil
}

func scopeOf(code int64) schema.Scope { return schema.Scope(strconv.FormatInt(code, 10)) }

// Discover asks for one record with everything it has. Endpoints that insist on $select cannot be
// asked: no call is made, and nothing found.
func (s *Source) Discover(ctx context.Context, scope schema.Scope, v *extract.Variant) ([]string, error) {
	e := EndpointOf(v)
	if e == nil {
		return nil, fmt.Errorf("discover: %q is not in the catalogue", v.Name)
	}
	if e.SelectRequired || e.Keyless {
		return nil, nil
	}
	condition := ""
	if ill := s.ailment(v); ill.filtered {
		condition = everything(e, v, ill)
	}
	link, pays, err := s.link(ctx, e, scope, queryOf(v, "$top=1", filtering(condition)))
	if err != nil {
		return nil, err
	}
	answer, err := s.caller.Get(ctx, pays, v.Name, link)
	if err != nil {
		return nil, err
	}
	page, _, err := newDecoder(v.Table, scope).decode(answer.Body)
	if err != nil {
		return nil, &extract.Malformed{Endpoint: v.Name, Scope: scope, Err: err}
	}
	return slices.DeleteFunc(page.Unknown, func(name string) bool {
		return slices.ContainsFunc(e.Properties, func(p Property) bool { return strings.EqualFold(p.Name, name) })
	}), nil
}
