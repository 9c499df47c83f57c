package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
)

func divisionsCommand() command {
	return command{
		name: "divisions", aliases: []string{"accounts"}, usage: "list the divisions, or at Exact Payments the accounts, that a login can reach",
		help: `
Asks the source, which costs one call, or two when a connection to Exact Online names no division. What
is archived, blocked or disabled is read only where pipelines.yaml lists its code or id.

   exactduck divisions
   exactduck accounts --connection payments
   exactduck divisions --connection books --output json`,
		flags: []cli.Flag{connectionFlag()},
		do:    doDivisions,
	}
}

func connectionFlag() cli.Flag {
	return &cli.StringFlag{Name: "connection", Usage: "the `NAME` of a connection; needed when there are several", EnvVars: env("connection")}
}

// division is one division or account, and the pipelines that read it.
type division struct {
	Code      string   `json:"code"`
	Name      string   `json:"name"`
	Active    bool     `json:"active"`
	Epoch     string   `json:"epoch"` // changes when Exact numbers the records anew
	Pipelines []string `json:"pipelines"`
}

func doDivisions(ctx context.Context, k *call) (*view, error) {
	name, err := k.connectionName()
	if err != nil {
		return nil, err
	}
	c, err := k.dial(ctx, name, "")
	if err != nil {
		return nil, err
	}
	places, err := c.source.Places(ctx)
	if err != nil {
		return nil, err
	}
	divisions, warnings := readBy(k.cfg, name, places)
	k.warnings = append(k.warnings, warnings...)
	return &view{data: divisions, text: func(out io.Writer) { printDivisions(out, k.vendorOn(name), divisions) }}, nil
}

// readBy tells of every place which pipelines of a connection read it. Where a pipeline names one
// that is not there, there is a warning.
func readBy(cfg *config.Config, connection string, places []extract.Place) (divisions []division, warnings []string) {
	divisions = make([]division, len(places))
	for i, p := range places {
		divisions[i] = division{Code: p.Code, Name: p.Name, Active: p.Active, Epoch: p.Epoch, Pipelines: []string{}}
	}
	for _, name := range cfg.PipelineNames() {
		p := cfg.Pipelines[name]
		if p.From != connection {
			continue
		}
		for _, wanted := range p.Divisions {
			chosen, err := config.Divisions{wanted}.Select(places)
			if unknown, ok := errors.AsType[*config.UnknownDivision](err); ok {
				warnings = append(warnings, fmt.Sprintf("pipeline %s reads %s %q, which this login cannot reach", name, vendorOf(p).words().place, unknown.Division))
			}
			for _, place := range chosen {
				i := slices.IndexFunc(places, func(p extract.Place) bool { return p.Scope == place.Scope })
				if !slices.Contains(divisions[i].Pipelines, name) {
					divisions[i].Pipelines = append(divisions[i].Pipelines, name)
				}
			}
		}
	}
	return divisions, warnings
}

func printDivisions(out io.Writer, v vendor, divisions []division) {
	t := newTable(out, v.words().place, "name", "active", "read by")
	for _, d := range divisions {
		active := "yes"
		if !d.Active {
			active = "no"
		}
		t.AppendRow([]any{shownScope(d.Code), printable(d.Name), active, strings.Join(d.Pipelines, ", ")})
	}
	t.Render()
}
