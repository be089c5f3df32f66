package chartfile

import (
	"cmp"
	"sync"

	"helm.sh/helm/v3/pkg/releaseutil"
)

// CompareInstall orders kinds as they are to be installed: what others need
// first, kinds that are not known last and by name.
func CompareInstall(a, b string) int { return compareKinds(installRanks(), a, b) }

// CompareUninstall orders kinds as they are to be removed.
func CompareUninstall(a, b string) int { return compareKinds(uninstallRanks(), a, b) }

var (
	installRanks   = sync.OnceValue(func() map[string]int { return ranks(releaseutil.InstallOrder) })
	uninstallRanks = sync.OnceValue(func() map[string]int { return ranks(releaseutil.UninstallOrder) })
)

func ranks(order releaseutil.KindSortOrder) map[string]int {
	m := make(map[string]int, len(order))
	for i, kind := range order {
		m[kind] = i
	}
	return m
}

func compareKinds(ranks map[string]int, a, b string) int {
	first, known := ranks[a]
	second, also := ranks[b]
	switch {
	case known && also:
		return cmp.Compare(first, second)
	case known:
		return -1
	case also:
		return 1
	}
	return cmp.Compare(a, b)
}
