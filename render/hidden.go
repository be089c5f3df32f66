package render

// hidden holds what may be secret. It is used by pointer: package fmt follows
// one pointer even in fields that it may not call methods of, but no second.
type hidden[T any] struct{ value *T }

func hide[T any](value T) *hidden[T] { return &hidden[T]{&value} }

// get returns what is held, zero if nothing is.
func (h *hidden[T]) get() (value T) {
	if h != nil {
		value = *h.value
	}
	return value
}
