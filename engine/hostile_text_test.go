package engine

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean/cleantest"
)

// Whatever a cluster, a chart, the history or a stored plan says: what the
// engine's types print controls no terminal and no CI system.
func TestAttackTexts(t *testing.T) {
	for name, text := range cleantest.Hostile {
		t.Run(name, func(t *testing.T) {
			cause := errors.New(text)
			for _, typ := range eventTypes() {
				e := cleantest.Fill(reflect.New(typ).Elem().Interface(), text, cause).(Event)
				cleantest.Check(t, typ.Name(), e.String(), false)
				for kind, handler := range map[string]func(*bytes.Buffer) slog.Handler{
					"text": func(b *bytes.Buffer) slog.Handler {
						return slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
					},
					"json": func(b *bytes.Buffer) slog.Handler {
						return slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
					},
				} {
					var out bytes.Buffer
					LogEvents(slog.New(handler(&out)))(e)
					cleantest.Check(t, kind+" log of "+typ.Name(), out.String(), true)
				}
			}
			for _, v := range []fmt.Stringer{Key{}, Revision{}, Rollout{}, Permission{}, diff.Object{}} {
				v = cleantest.Fill(v, text, cause).(fmt.Stringer)
				cleantest.Check(t, fmt.Sprintf("%T", v), v.String(), false)
			}
			for _, v := range []error{&Error{}, &StalePlanError{}, &ApplyError{}, Problem{}, &ProblemsError{}, &RevertError{}, &TestError{}} {
				v = cleantest.Fill(v, text, cause).(error)
				cleantest.Check(t, fmt.Sprintf("%T", v), v.Error(), true)
			}
			cleantest.Check(t, "NotReadyError", (&NotReadyError{text: text}).Error(), true)
			cleantest.Check(t, "classified", explain("read", Key{}, diff.Object{}, &classified{ErrForbidden, cause}).Error(), true)
			cleantest.Check(t, "description", short(text), false)
		})
	}
}
