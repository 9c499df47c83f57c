package main

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/load"
	"exactduck/load/spool"
)

// expected are all errors that the rooms can give, by package and name, with the exit code of each.
var expected = map[string]struct {
	err  error
	code int
}{
	"auth.ErrLoginRequired": {auth.ErrLoginRequired, exitLogin},
	"auth.ErrAppRefused":    {auth.ErrAppRefused, exitUsage},
	"auth.ErrCode":          {auth.ErrCode, exitUsage},
	"auth.LoginError":       {&auth.LoginError{Cause: auth.NoLogin}, exitLogin},
	"auth.UnavailableError": {&auth.UnavailableError{}, exitSource},
	"auth.BudgetError":      {&auth.BudgetError{}, exitQuota},
	"auth.StoreError":       {&auth.StoreError{Path: "login.json"}, exitMachine},
	"auth.BundleError":      {&auth.BundleError{Problem: "is damaged", Advice: "export it again"}, exitMachine},
	"auth.ErrKey":           {auth.ErrKey, exitUsage},

	"config.Error":           {&config.Error{Problems: []config.Problem{{Message: "wrong"}}}, exitUsage},
	"config.ReadError":       {&config.ReadError{Err: fs.ErrNotExist}, exitUsage},
	"config.SecretError":     {&config.SecretError{Variable: "X"}, exitUsage},
	"config.UnknownDivision": {&config.UnknownDivision{}, exitUsage},

	"schedule.Malformed": {&schedule.Malformed{Hint: "write five fields"}, exitUsage},
	"schedule.Damaged":   {&schedule.Damaged{Path: "book.json", Err: errors.New("cut")}, exitMachine},

	"extract.ErrUnauthorized": {extract.ErrUnauthorized, exitLogin},
	"extract.ErrBreaker":      {extract.ErrBreaker, exitPartial},
	"extract.ErrForeignHost":  {extract.ErrForeignHost, exitPartial},
	"extract.ErrUncounted":    {extract.ErrUncounted, exitPartial},
	"extract.ErrResume":       {extract.ErrResume, exitPartial},
	"extract.Refused":         {&extract.Refused{Status: 403}, exitPartial},
	"extract.QuotaError":      {&extract.QuotaError{}, exitQuota},
	"extract.Spent":           {&extract.Spent{Max: 3}, exitQuota},
	"extract.Unreachable":     {&extract.Unreachable{Err: errors.New("cut")}, exitSource},
	"extract.UnknownStream":   {&extract.UnknownStream{}, exitUsage},
	"extract.Blocked":         {&extract.Blocked{}, exitPartial},
	"extract.Malformed":       {&extract.Malformed{Err: errors.New("no list")}, exitPartial},

	"exactonline.NotPullable":   {&exactonline.NotPullable{}, exitUsage},
	"exactonline.NoVariant":     {&exactonline.NoVariant{}, exitUsage},
	"exactonline.BadParameter":  {&exactonline.BadParameter{}, exitUsage},
	"exactonline.BadFilter":     {&exactonline.BadFilter{}, exitUsage},
	"exactonline.BadDefinition": {&exactonline.BadDefinition{}, exitUsage},
	"exactonline.Undated":       {&exactonline.Undated{}, exitPartial},

	"load.Busy":       {&load.Busy{}, exitBusy},
	"load.Damaged":    {&load.Damaged{}, exitMachine},
	"load.NoRoom":     {&load.NoRoom{Path: "w.duckdb", Need: 10, Free: 3}, exitMachine},
	"load.Newer":      {&load.Newer{}, exitMachine},
	"load.Foreign":    {&load.Foreign{}, exitUsage},
	"load.Unnameable": {&load.Unnameable{}, exitUsage},
	"load.Shrink":     {&load.Shrink{Table: "crm.Accounts"}, exitPartial},
	"load.Untrue":     {&load.Untrue{Reason: "rows differ"}, exitUsage},
	"load.Broken":     {&load.Broken{Table: "crm.Accounts"}, exitContract},
	"load.TypeChange": {&load.TypeChange{}, exitPartial},
	"spool.Damaged":   {&spool.Damaged{}, exitMachine},
	"spool.Newer":     {&spool.Newer{}, exitMachine},
}

// TestEveryErrorHasARow takes the errors from the source of the rooms, so that a new one without a
// row fails.
func TestEveryErrorHasARow(t *testing.T) {
	t.Parallel()
	var found []string
	for _, room := range []string{"../../auth", "config", "schedule", "../../extract", "../../extract/exactonline", "../../load", "../../load/spool"} {
		found = append(found, exportedErrors(t, filepath.FromSlash(room))...)
	}
	for _, name := range found {
		want, listed := expected[name]
		if !listed {
			t.Errorf("%s: no code is expected of it", name)
			continue
		}
		deep := fmt.Errorf("sync: %w", errors.Join(nil, fmt.Errorf("crm/Accounts: %w", want.err)))
		if code := exitCode(deep); code != want.code {
			t.Errorf("%s: exit code %d, want %d", name, code, want.code)
		}
		if hint(deep) == "" {
			t.Errorf("%s: no hint", name)
		}
	}
	for name := range expected {
		if !slices.Contains(found, name) {
			t.Errorf("%s is not there any more", name)
		}
	}
}

// exportedErrors are the exported types with a method Error and the exported variables Err….
func exportedErrors(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no source, %v", dir, err)
	}
	var found []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			for _, name := range errorsOf(d) {
				if ast.IsExported(name) {
					found = append(found, file.Name.Name+"."+name)
				}
			}
		}
	}
	return found
}

func errorsOf(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || d.Name.Name != "Error" {
			return nil
		}
		receiver := d.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		if name, ok := receiver.(*ast.Ident); ok {
			return []string{name.Name}
		}
	case *ast.GenDecl:
		var names []string
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
				for _, name := range v.Names {
					if strings.HasPrefix(name.Name, "Err") {
						names = append(names, name.Name)
					}
				}
			}
		}
		return names
	}
	return nil
}

func TestFaultsOfTheMachine(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, fs.ErrPermission, fs.ErrNotExist, syscall.ENOTDIR, syscall.EISDIR, syscall.EIO,
		&fs.PathError{Op: "open", Path: "x", Err: syscall.ELOOP},
		&os.LinkError{Op: "rename", Old: "x", New: "y", Err: syscall.EXDEV},
	} {
		wrapped := fmt.Errorf("publish: %w", err)
		if code := exitCode(wrapped); code != exitMachine || hint(wrapped) == "" {
			t.Errorf("%v: exit code %d, hint %q", err, code, hint(wrapped))
		}
	}
}

// TestTheFirstOfSeveralCodesCounts follows the order that the contract gives.
func TestTheFirstOfSeveralCodesCounts(t *testing.T) {
	t.Parallel()
	order := []error{
		context.Canceled, &usageError{"no", "do"}, auth.ErrLoginRequired, syscall.ENOSPC, &load.Busy{},
		&extract.Unreachable{Err: errors.New("cut")}, &extract.QuotaError{}, &extract.Refused{Status: 403},
	}
	for i, first := range order {
		for _, second := range order[i+1:] {
			for _, both := range []error{errors.Join(first, second), errors.Join(second, first)} {
				if exitCode(both) != exitCode(first) {
					t.Errorf("%v and %v: exit code %d, want %d", first, second, exitCode(both), exitCode(first))
				}
			}
		}
	}
	if exitCode(nil) != 0 || exitCode(errors.New("what nobody foresaw")) != exitBug {
		t.Error("nothing is 0, and what nobody foresaw is a bug of ours")
	}
}

func TestLoginWarnings(t *testing.T) {
	t.Parallel()
	for left, want := range map[int]string{30: "", 15: "", 14: "14 days", 8: "14 days", 7: "7 days", 3: "7 days", 2: "2 days", 0: "2 days"} {
		got := loginWarning(auth.Status{LoggedIn: true, DaysLeft: left})
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%d days left: %q", left, got)
		}
	}
	if got := loginWarning(auth.Status{}); got != "" {
		t.Errorf("without a login: %q", got)
	}
}
