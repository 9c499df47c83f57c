package exactpay

import (
	"context"
	"errors"
	"iter"

	"exactduck/extract"
	"exactduck/schema"
)

type habits struct{}

var errSkeleton = errors.New("exact payments cannot be read yet")

func Manners(o extract.Options) extract.Options { return o }

func (s *Source) Places(ctx context.Context) ([]extract.Place, error) { return nil, errSkeleton }
func (s *Source) Pages(ctx context.Context, r extract.Read) iter.Seq2[*schema.Page, error] {
	return func(yield func(*schema.Page, error) bool) { yield(nil, errSkeleton) }
}
func (s *Source) Discover(context.Context, schema.Scope, *extract.Variant) ([]string, error) {
	return nil, nil
}
func (s *Source) Count(context.Context, extract.Read) (int64, error)   { return 0, extract.ErrUncounted }
func (s *Source) Know(variant string, refused []string, filtered bool) {}
func (s *Source) Known(variant string) ([]string, bool)                { return nil, false }
func (s *Source) Probe(ctx context.Context, scope schema.Scope, v *extract.Variant) (int, error) {
	return 0, errSkeleton
}
func Convert(v *schema.Vector, value []byte) (added, exact bool) { return false, false }
func Describe(p schema.Position) string                          { return "the beginning" }

// Explanation says in plain words what an answer of the API means, and what to do.
type Explanation struct{ Means, Do string }

func Explain(err error) (Explanation, bool) { return Explanation{}, false }
