package testcluster_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// processesOf returns the ids of the processes whose arguments name the folder,
// by the process table in /proc.
func processesOf(t *testing.T, folder string) []int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Skip("there is no /proc to look for processes in")
	}
	var ids []int
	for _, line := range lines {
		args, err := os.ReadFile(line)
		if err != nil || !bytes.Contains(args, []byte(folder)) {
			continue // the process has probably ended
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(line)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}
