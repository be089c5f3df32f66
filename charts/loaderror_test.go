package charts

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead-dev/fairlead/internal/clean/cleantest"
)

// Registries and repositories are foreign: errors about them are one line that
// controls no terminal and no CI system.
func TestAttackErrorTexts(t *testing.T) {
	for name, text := range cleantest.Hostile {
		t.Run(name, func(t *testing.T) {
			for _, v := range []error{&LoadError{}, &DependencyError{}} {
				v = cleantest.Fill(v, text, errors.New(text)).(error)
				cleantest.Check(t, fmt.Sprintf("%T", v), v.Error(), false)
			}
		})
	}
}
