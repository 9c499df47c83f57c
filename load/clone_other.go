//go:build !linux && !darwin

package load

import "errors"

// cloneFile fails: how files share blocks is known of Linux and macOS.
func cloneFile(string, string) error { return errors.ErrUnsupported }
