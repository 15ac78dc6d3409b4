package main

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/loader"
)

// root is the path that the native tool is given: it becomes part of what is compiled.
const root = "."

// capabilities are those of the call, or everything that this version has.
func (c *call) capabilities() (*ast.Capabilities, error) {
	if c.Capabilities == "" {
		return ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(ast.RegoV1)), nil
	}
	return ast.LoadCapabilitiesJSON(strings.NewReader(c.Capabilities))
}

func (c *call) fileSystem() fstest.MapFS {
	files := make(fstest.MapFS, len(c.Files))
	for name, text := range c.Files {
		files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return files
}

func (c *call) load(capabilities *ast.Capabilities) (*bundle.Bundle, error) {
	return loader.NewFileLoader().
		WithFS(c.fileSystem()).
		WithRegoVersion(ast.RegoV1).
		WithProcessAnnotation(true).
		WithCapabilities(capabilities).
		WithSkipBundleVerification(true).
		AsBundle(root)
}

// check finds what the native `check --strict` finds.
func check(c *call) (any, error) {
	capabilities, err := c.capabilities()
	if err != nil {
		return nil, err
	}
	loaded, err := c.load(capabilities)
	if err != nil {
		return nil, err
	}
	compiler := ast.NewCompiler().
		SetErrorLimit(ast.CompileErrorLimitDefault).
		WithCapabilities(capabilities).
		WithEnablePrintStatements(true).
		WithStrict(true).
		WithUseTypeCheckAnnotations(true)
	if len(loaded.Data) > 0 {
		compiler = compiler.WithPathConflictsCheck(holds(loaded.Data))
	}
	if compiler.Compile(maps.Clone(loaded.ParsedModules(""))); compiler.Failed() {
		return nil, compiler.Errors
	}
	return true, nil
}

// holds says whether a path of the data has a value, so that a rule may not stand there too.
func holds(data map[string]any) func([]string) (bool, error) {
	return func(path []string) (bool, error) {
		var node any = data
		for _, name := range path {
			object, isObject := node.(map[string]any)
			if !isObject {
				return true, nil
			}
			next, isThere := object[name]
			if !isThere {
				return false, nil
			}
			node = next
		}
		return len(path) > 0, nil
	}
}

// formatAll answers with the files that are not in the one format.
func formatAll(c *call) (any, error) {
	capabilities, err := c.capabilities()
	if err != nil {
		return nil, err
	}
	changed := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		if !strings.HasSuffix(name, ".rego") {
			continue
		}
		options := format.Opts{RegoVersion: ast.RegoV1, Capabilities: capabilities}
		formatted, err := format.SourceWithOpts(name, []byte(c.Files[name]), options)
		if err != nil {
			return nil, err
		}
		if string(formatted) != c.Files[name] {
			changed[name] = string(formatted)
		}
	}
	return changed, nil
}

// build answers with the bundle that the native `build -t wasm` writes.
func build(c *call) (any, error) {
	capabilities, err := c.capabilities()
	if err != nil {
		return nil, err
	}
	var written bytes.Buffer
	compiler := compile.New().
		WithFS(c.fileSystem()).
		WithPaths(root).
		WithAsBundle(true).
		WithTarget(compile.TargetWasm).
		WithCapabilities(capabilities).
		WithRegoVersion(ast.RegoV1).
		WithRegoAnnotationEntrypoints(true).
		WithRevision(c.Revision).
		WithOutput(&written)
	if err := compiler.Build(context.Background()); err != nil {
		return nil, err
	}
	return written.Bytes(), nil
}
