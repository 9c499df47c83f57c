package main

import "exactduck/extract/exactonline"

type connection struct{ source *exactonline.Source }

const (
	exitPartial     = 3
	exitQuota       = 7
	exitInterrupted = 130
)

func exitCode(err error) int {
	if err != nil {
		return 3
	}
	return 0
}

func main() {}
