package main

import (
	"context"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// The clock of a test does not interrupt it here: nothing runs beside it. The host ends the whole call instead.
const testTimeout = time.Hour

type report struct {
	Tests    []*tester.Result `json:"tests"`
	Coverage *cover.Report    `json:"coverage,omitempty"`
}

// test runs every test once more for its coverage, as the native tool does: tracing changes what a test prints.
func test(c *call) (any, error) {
	out := report{}
	var err error
	if out.Tests, _, err = c.runTests(nil); err != nil || !c.Coverage || !allPass(out.Tests) {
		return out, err
	}
	covered := cover.New()
	_, loaded, err := c.runTests(covered)
	if err != nil {
		return nil, err
	}
	found := covered.Report(loaded.ParsedModules(root))
	out.Coverage = &found
	return out, nil
}

func allPass(results []*tester.Result) bool {
	for _, result := range results {
		if !result.Pass() && !result.Skip {
			return false
		}
	}
	return true
}

func (c *call) runTests(covered *cover.Cover) ([]*tester.Result, *bundle.Bundle, error) {
	ctx := context.Background()
	capabilities, err := c.capabilities()
	if err != nil {
		return nil, nil, err
	}
	loaded, err := c.load(capabilities)
	if err != nil {
		return nil, nil, err
	}
	store := inmem.NewWithOpts(inmem.OptRoundTripOnWrite(false))
	transaction, err := store.NewTransaction(ctx, storage.WriteParams)
	if err != nil {
		return nil, nil, err
	}
	defer store.Abort(ctx, transaction)
	compiler := ast.NewCompiler().
		WithCapabilities(capabilities).
		WithEnablePrintStatements(true).
		WithUseTypeCheckAnnotations(true).
		WithPathConflictsCheck(storage.NonEmpty(ctx, store, transaction))
	runner := tester.NewRunner().
		SetCompiler(compiler).
		SetStore(store).
		SetBundles(map[string]*bundle.Bundle{root: loaded}).
		CapturePrintOutput(true).
		SetTimeout(testTimeout).
		SetParallel(1)
	if covered != nil {
		runner = runner.SetCoverageQueryTracer(covered)
	}
	running, err := runner.RunTests(ctx, transaction)
	if err != nil {
		return nil, nil, err
	}
	results := []*tester.Result{}
	for result := range running {
		results = append(results, result)
	}
	return results, loaded, nil
}
