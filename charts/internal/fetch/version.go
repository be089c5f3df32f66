package fetch

import (
	"fmt"

	"github.com/Masterminds/semver/v3"
)

// maxRange is how long a range of versions may be: each version is compared with
// each of its parts.
const maxRange = 1000

// newest picks the index of the version that is wanted: the exact one, else the newest that the range takes.
func newest(versions []string, wanted string) (int, error) {
	for i, version := range versions {
		if wanted != "" && version == wanted {
			return i, nil
		}
	}
	expression := wanted
	if expression == "" {
		expression = "*"
	}
	if len(expression) > maxRange {
		return 0, fmt.Errorf("%w: a range of versions of %d bytes is too long", ErrNoVersion, len(expression))
	}
	constraint, err := semver.NewConstraint(expression)
	if err != nil {
		return 0, fmt.Errorf("version %q: %w", wanted, err)
	}
	best := -1
	var bestVersion, newestOfAll *semver.Version
	for i, version := range versions {
		v, err := semver.NewVersion(version)
		if err != nil {
			continue
		}
		if newestOfAll == nil || v.GreaterThan(newestOfAll) {
			newestOfAll = v
		}
		if constraint.Check(v) && (bestVersion == nil || v.GreaterThan(bestVersion)) {
			best, bestVersion = i, v
		}
	}
	switch {
	case best >= 0:
		return best, nil
	case newestOfAll == nil:
		return 0, fmt.Errorf("%w as %q: there are none at all", ErrNoVersion, expression)
	default:
		return 0, fmt.Errorf("%w as %q: there are %d, the newest is %s", ErrNoVersion, expression, len(versions), newestOfAll.Original())
	}
}
