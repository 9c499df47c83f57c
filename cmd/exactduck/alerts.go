package main

import (
	"context"

	"exactduck/cmd/exactduck/alert"
)

// herald tells the receivers of a configuration how things are. The zero value has none to tell.
type herald struct {
	desk *alert.Desk
}

// herald is the one of this configuration. Receivers whose address cannot be had are warned of and
// left out. tries is how often a delivery is tried in one go: more than once by a command that ends,
// once by one that will call again within a minute.
func (k *call) herald(tries int) (*herald, error) {
	return &herald{}, nil
}

// tell hands on what is wrong and what is well again. It never asks the source. What it returns is
// for a warning: that somebody could not be told says nothing about the books.
func (h *herald) tell(ctx context.Context, s standing) error {
	return nil
}
