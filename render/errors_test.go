package render

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead-dev/fairlead/internal/clean/cleantest"
)

// Charts, values and what serves them are foreign: errors about them control no
// terminal and no CI system.
func TestAttackErrorTexts(t *testing.T) {
	for name, text := range cleantest.Hostile {
		t.Run(name, func(t *testing.T) {
			for _, v := range []error{&Error{}, &SchemaError{}, &DuplicateError{}, &RemoteError{}, &LimitError{}} {
				v = cleantest.Fill(v, text, errors.New(text)).(error)
				cleantest.Check(t, fmt.Sprintf("%T", v), v.Error(), true)
			}
		})
	}
}
