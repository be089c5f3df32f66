package diff

// Schema says how the parts of an object merge. It is asked with the path of
// a list, map or scalar, where list items stand as "[]": the image of a
// container is asked for as spec, template, spec, containers, [], image.
//
// Implementations must be safe for concurrent use and must not keep path.
type Schema interface {
	Node(o Object, path []string) Node
}

// Node is what a [Schema] knows of a value. The zero Node is a struct or map
// merged by field, a list replaced as a whole, a scalar compared by value.
type Node struct {
	// Keys are the fields that tell the items of a list apart, which is then
	// merged item by item.
	Keys []string
	// Defaults are the values of Keys that an item need not write.
	Defaults map[string]any
	// Set is true for a list of scalars merged by value.
	Set bool
	// Atomic is true for a map that is replaced as a whole.
	Atomic bool
	// Free is true for a map whose keys are data and not field names; an
	// empty one is the same as none.
	Free bool
	// Quantity is true for a scalar compared as a resource quantity: 1000m is 1.
	Quantity bool
}
