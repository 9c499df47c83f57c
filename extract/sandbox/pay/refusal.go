package pay

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"

	"exactduck/extract/sandbox/internal/wire"
)

const plainText = "text/plain; charset=utf-8"

// manners are how a path refuses: five shapes of errors, and plain text.
type manners uint8

const (
	plainly   manners = iota // text, and {issues} where a body is wrong
	customary                // text, and {messages} where a query is wrong
	boarding                 // text, {issues}, and {type, message} for what went wrong inside
	paying                   // {type, code, message, requestId}, and pathIssues where a query is wrong
	ordering                 // the same with metadata in pathIssues' stead
)

// formal paths have no plain text, and answer 403 to what others answer 401 to.
func (m manners) formal() bool { return m == paying || m == ordering }

// jsonReply answers with an object, a list of them, or anything that JSON knows.
func jsonReply(status int, v any) *wire.Reply { return wire.JSON(status, onWire(v)) }

// plain is a status in words.
func (v *visit) plain(status int) *wire.Reply {
	return wire.Text(status, plainText, http.StatusText(status))
}

// formally is an error of payments or orders.
func (v *visit) formally(status int, kind, code, message string, more object) *wire.Reply {
	o := object{"type": kind, "code": code, "message": message, "requestId": v.requestID}
	maps.Copy(o, more)
	return jsonReply(status, o)
}

// noun is what codes of errors begin with.
func (m manners) noun() string {
	if m == ordering {
		return "order"
	}
	return "payments"
}

// forbidden is how payments and orders refuse whoever may not ask.
func (v *visit) forbidden(message string) *wire.Reply {
	return v.formally(http.StatusForbidden, "authorization-error", v.manners.noun()+"-forbidden-error", message, nil)
}

const noPermission = "You do not have permission to access this resource"

// stranger answers whoever has no token that is good.
func (v *visit) stranger() *wire.Reply {
	if v.manners.formal() && !v.sandbox.switches.Payments401 {
		return v.forbidden(noPermission)
	}
	return v.plain(http.StatusUnauthorized)
}

// lacking answers a token that has not the permission.
func (v *visit) lacking() *wire.Reply {
	if v.manners.formal() {
		return v.forbidden(noPermission)
	}
	if v.sandbox.switches.Lacking == http.StatusForbidden {
		return v.plain(http.StatusForbidden)
	}
	return v.plain(http.StatusUnauthorized)
}

// foreign answers a token that does not reach so far.
func (v *visit) foreign() *wire.Reply {
	if v.manners.formal() {
		return v.forbidden("Account not found")
	}
	return v.lacking()
}

// nowhere answers for what is not there.
func (v *visit) nowhere(message string) *wire.Reply {
	switch v.manners {
	case paying:
		return v.formally(http.StatusNotFound, "resource-not-found-error", "payments-not-found-error", message, nil)
	case ordering:
		return v.formally(http.StatusNotFound, "api-error", "order-validation-error", "Failed to get order details.",
			object{"metadata": object{"message": object{"messages": []any{"Unable to find specified order."}}}})
	}
	return v.plain(http.StatusNotFound)
}

// castError is how an id that is none breaks the service.
func (v *visit) castError(id string) *wire.Reply {
	switch {
	case v.manners.formal():
		return v.formally(http.StatusInternalServerError, "system-error", "unhandled",
			fmt.Sprintf(`CastError: Cast to ObjectId failed for value %q (type string) at path "_id" for model "Transaction"`, id), nil)
	case v.manners == boarding:
		return jsonReply(http.StatusInternalServerError, object{"type": "system-error", "message": "Cast Error"})
	}
	return v.plain(http.StatusInternalServerError)
}

// invalid answers a query that makes no sense.
func (v *visit) invalid(parameter, message string) *wire.Reply {
	switch v.manners {
	case paying:
		return v.formally(http.StatusBadRequest, "invalid-request-error", "validation-error", "Client request query failed validation",
			object{"pathIssues": []any{object{"field": parameter, "type": "invalidType", "details": []any{message}}}})
	case ordering:
		return v.formally(http.StatusBadRequest, "invalid-request-error", "order-validation-error", message,
			object{"metadata": object{"type": "order-search-failed", "message": message}})
	case customary:
		return jsonReply(http.StatusBadRequest, object{"messages": []any{parameter + ": " + message}})
	}
	return zodError([]issue{{"code": "invalid_type", "path": []any{parameter}, "message": message}})
}

// issue is one thing that is wrong with a body.
type issue map[string]any

func zodError(issues []issue) *wire.Reply {
	return jsonReply(http.StatusBadRequest, map[string]any{"issues": issues, "name": "ZodError"})
}

func missing(field, kind string) issue {
	return issue{"code": "invalid_type", "path": []any{field}, "message": "Required", "expected": kind, "received": "undefined"}
}

func tooSmall(field, kind string) issue {
	return issue{"code": "too_small", "path": []any{field}, "message": "Must contain at least 1", "type": kind, "minimum": 1, "inclusive": true}
}

// required finds what is wrong with a text that has to be there.
func required(field string, text *string) []issue {
	switch {
	case text == nil:
		return []issue{missing(field, "string")}
	case *text == "":
		return []issue{tooSmall(field, "string")}
	}
	return nil
}

// read reads the body of a request as JSON.
func (v *visit) read(into any) []issue {
	if err := json.Unmarshal(v.body, into); err != nil {
		return []issue{{"code": "invalid_type", "path": []any{}, "message": "Expected object", "expected": "object", "received": "string"}}
	}
	return nil
}

// unhandled answers for what the sandbox itself could not do.
func (v *visit) unhandled(err error) *wire.Reply {
	v.sandbox.log.ErrorContext(v.request.Context(), "the sandbox failed", slog.Any("error", err))
	return v.plain(http.StatusInternalServerError)
}
