package render

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/account"
	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// parsing is the reading of all documents of one render, within its limits.
type parsing struct {
	ctx     context.Context
	spent   *account.Account
	decoder yamlread.Decoder
	limits  Limits
	count   int // of documents
}

// newParsing returns a parsing that is charged to the account of the render.
func newParsing(ctx context.Context, limits Limits, spent *account.Account) *parsing {
	return &parsing{ctx: ctx, spent: spent, decoder: yamlread.Decoder{Account: spent, Depth: limits.DocumentDepth}, limits: limits}
}

// next takes one more document.
func (p *parsing) next() error {
	if p.ctx.Err() != nil {
		return ended(p.ctx)
	}
	if p.count++; p.count > p.limits.Documents {
		return &LimitError{Limit: "Documents", Max: int64(p.limits.Documents)}
	}
	return nil
}

// printed is a document of a manifest and the kind that it is sorted by.
type printed struct {
	document
	kind string
}

// parse turns rendered texts into objects and hooks, in Helm's order.
func (m *Manifest) parse(p *parsing, files map[string]string, in Input) error {
	var docs []printed
	plain := true
	for _, source := range slices.Sorted(maps.Keys(files)) {
		text := files[source]
		for d := range yamlread.Documents(text) {
			doc, whole, err := m.add(p, source, d.Closed(text), d.Text)
			if err != nil {
				return documentError(source, d, err)
			}
			plain = plain && whole
			if doc.Source != "" {
				docs = append(docs, doc)
			}
		}
	}
	InstallOrder(m.Objects)
	slices.SortStableFunc(m.Hooks, func(a, b Hook) int { return chartfile.CompareInstall(a.GetKind(), b.GetKind()) })
	if !plain {
		slices.SortStableFunc(docs, func(a, b printed) int { return chartfile.CompareInstall(a.kind, b.kind) })
		m.documents = make([]document, len(docs))
		for i, d := range docs {
			m.documents[i] = d.document
		}
	}
	return unique(m.Objects, in.Namespace)
}

// add adds the object or hook of one document. It returns the document as it is
// to be printed, without a source for a hook, and whether it is one object.
//
// Helm applies objects with a line's end after each, which a block scalar at the
// end of one has as its own; hooks it applies without.
func (m *Manifest) add(p *parsing, source, closed, text string) (doc printed, whole bool, err error) {
	if err := p.next(); err != nil {
		return doc, false, err
	}
	content, err := parseObject(p.decoder, closed)
	if err != nil {
		return doc, false, err
	}
	doc.document = document{source, text}
	if len(content) == 0 {
		return doc, false, nil
	}
	o := Object{&unstructured.Unstructured{Object: content}, source, text}
	hook, isHook, err := asHook(o)
	if err == nil {
		err = checkObject(o, isHook)
	}
	if err != nil {
		return doc, false, err
	}
	if isHook {
		hook.Object.Object, err = parseObject(p.decoder, text)
		dropNulls(hook.Object.Object)
		if err == nil && hook.Events != nil {
			m.Hooks = append(m.Hooks, hook)
		}
		return printed{}, true, err
	}
	doc.kind = o.GetKind()
	if !o.IsList() {
		m.Objects = append(m.Objects, o)
		return doc, true, nil
	}
	m.Objects, err = p.expand(m.Objects, o, 0)
	return doc, false, err
}

const maxListDepth = 8

// expand appends the items of a List.
func (p *parsing) expand(objects []Object, list Object, depth int) ([]Object, error) {
	if depth > maxListDepth {
		return nil, errors.New("lists nest too deep")
	}
	items, _ := list.Object["items"].([]any)
	for i, item := range items {
		content, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("items[%d]: %w", i, notAnObject{kindOf(item)})
		}
		// A typed list, such as a RoleList, may leave out what it says itself.
		if kind, typed := strings.CutSuffix(list.GetKind(), "List"); typed && kind != "" && content["kind"] == nil {
			content["kind"] = kind
			if content["apiVersion"] == nil {
				content["apiVersion"] = list.GetAPIVersion()
			}
		}
		o := Object{Unstructured: &unstructured.Unstructured{Object: content}, Source: list.Source}
		if err := checkObject(o, false); err != nil {
			return nil, fmt.Errorf("items[%d]: %w", i, err)
		}
		if o.IsList() {
			var err error
			if objects, err = p.expand(objects, o, depth+1); err != nil {
				return nil, fmt.Errorf("items[%d]: %w", i, err)
			}
			continue
		}
		text, err := yamlread.Marshal(p.decoder.Account, content)
		if err != nil {
			return nil, fmt.Errorf("items[%d]: %w", i, err)
		}
		o.Text = strings.TrimSuffix(text, "\n")
		objects = append(objects, o)
	}
	return objects, nil
}

func unique(objects []Object, namespace string) error {
	seen := make(map[string]string, len(objects))
	for _, o := range objects {
		id := identify(o.Unstructured, namespace)
		if first, ok := seen[id]; ok {
			return &Error{
				Op: "render", File: o.Source, Hint: "give one of them another name, or render it only once",
				Err: &DuplicateError{ID: o.ID(), First: first, Second: o.Source},
			}
		}
		seen[id] = o.Source
	}
	return nil
}

// What an object lacks, or has wrong. Wrapped in an [*Error] that says where.
var (
	// ErrNoAPIVersion is for a document without apiVersion.
	ErrNoAPIVersion = errors.New("the object has no apiVersion")
	// ErrNoKind is for a document without kind.
	ErrNoKind = errors.New("the object has no kind")
	// ErrNoName is for a document without metadata.name.
	ErrNoName = errors.New("the object has no metadata.name")
)

// checkObject looks at what all that follows relies on, and takes nulls out of
// labels and annotations.
func checkObject(o Object, hook bool) error {
	for _, field := range []struct {
		name    string
		missing error
	}{{"apiVersion", ErrNoAPIVersion}, {"kind", ErrNoKind}} {
		switch v := o.Object[field.name].(type) {
		case string:
			if v == "" {
				return field.missing
			}
		case nil:
			return field.missing
		default:
			return fmt.Errorf("%s must be text, this is %s", field.name, kindOf(v))
		}
	}
	if o.IsList() {
		return nil
	}
	metadata, ok := o.Object["metadata"].(map[string]any)
	if !ok && o.Object["metadata"] != nil {
		return fmt.Errorf("metadata must be a mapping, this is %s", kindOf(o.Object["metadata"]))
	}
	for _, field := range []string{"labels", "annotations"} {
		m, ok := metadata[field].(map[string]any)
		if !ok && metadata[field] != nil {
			return fmt.Errorf("metadata.%s must be a mapping, this is %s", field, kindOf(metadata[field]))
		}
		for key, v := range m {
			if _, ok := v.(string); !ok && v != nil {
				return &notText{nameOf(o), field, key, v}
			}
		}
	}
	for _, field := range []string{"name", "namespace", "generateName"} {
		if v := metadata[field]; v != nil {
			if _, ok := v.(string); !ok {
				return &notText{nameOf(o), "", field, v}
			}
		}
	}
	dropNulls(o.Object)
	if o.GetName() == "" && !(hook && o.GetGenerateName() != "") {
		return ErrNoName
	}
	return nil
}

// dropNulls takes nulls out of labels and annotations, as the API server does.
func dropNulls(content map[string]any) {
	metadata, _ := content["metadata"].(map[string]any)
	for _, field := range []string{"labels", "annotations"} {
		m, _ := metadata[field].(map[string]any)
		for key, v := range m {
			if v == nil {
				delete(m, key)
			}
		}
	}
}

// nameOf is an object's kind and name, as far as it has them.
func nameOf(o Object) string {
	metadata, _ := o.Object["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	return strings.TrimSpace(o.GetKind() + " " + name)
}

// notText is a field of metadata that must be text.
type notText struct {
	object     string
	field, key string
	value      any
}

func (e *notText) Error() string {
	at := "metadata." + e.key
	if e.field != "" {
		at = fmt.Sprintf("metadata.%s[%q]", e.field, e.key)
	}
	return fmt.Sprintf("%s: %s must be text, this is %s", e.object, at, kindOf(e.value))
}

var hookEvents = map[string]HookEvent{
	"pre-install": HookPreInstall, "post-install": HookPostInstall,
	"pre-upgrade": HookPreUpgrade, "post-upgrade": HookPostUpgrade,
	"pre-delete": HookPreDelete, "post-delete": HookPostDelete,
	"pre-rollback": HookPreRollback, "post-rollback": HookPostRollback,
	"test": HookTest, "test-success": HookTest,
}

// asHook reads the annotations of a hook. A hook with an unknown event has none.
func asHook(o Object) (Hook, bool, error) {
	metadata, _ := o.Object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	value, ok := annotations[HookAnnotation]
	if !ok {
		return Hook{}, false, nil
	}
	text, ok := value.(string)
	if !ok && value != nil {
		return Hook{}, true, &notText{nameOf(o), "annotations", HookAnnotation, value}
	}
	h := Hook{Object: o}
	for _, name := range listed(text) {
		event, ok := hookEvents[name]
		if !ok {
			return Hook{Object: o}, true, nil
		}
		h.Events = append(h.Events, event)
	}
	if weight, ok := annotations[HookWeightAnnotation].(string); ok {
		if n, err := strconv.Atoi(weight); err == nil {
			h.Weight = n
		}
	}
	if policies, ok := annotations[HookDeleteAnnotation].(string); ok {
		for _, p := range listed(policies) {
			h.DeletePolicies = append(h.DeletePolicies, HookDeletePolicy(p))
		}
	}
	if len(h.DeletePolicies) == 0 {
		h.DeletePolicies = []HookDeletePolicy{HookBeforeHookCreation}
	}
	if policies, ok := annotations[HookOutputLogAnnotation].(string); ok {
		for _, p := range listed(policies) {
			h.OutputLogPolicies = append(h.OutputLogPolicies, HookOutputLogPolicy(p))
		}
	}
	return h, true, nil
}

func listed(text string) []string {
	items := strings.Split(text, ",")
	for i, item := range items {
		items[i] = strings.ToLower(strings.TrimSpace(item))
	}
	return items
}

// documentError says where in the rendered text a document is wrong.
func documentError(source string, d yamlread.Document, err error) error {
	e := &Error{Err: err}
	var empty notAnObject
	var text *notText
	switch {
	case errors.As(err, &empty):
		e.Hint = "look at what the template prints outside of its documents"
	case errors.As(err, &text):
		e.Line, e.Hint = lineOf(d.Text, text.key), "put the value in quotes"
	case errors.Is(err, ErrNoName):
		e.Hint = "give it one; generateName serves hooks only"
	case errors.Is(err, ErrNoAPIVersion), errors.Is(err, ErrNoKind):
		e.Hint = "every document needs apiVersion, kind and metadata.name; look for a misplaced --- too"
	default:
		e = yamlError(err)
	}
	line := max(e.Line, 1)
	if e.Line == 0 {
		// The first line of a document may be a comment that many have.
		line = max(firstContent(d.Text), 1)
	}
	e.Op, e.File, e.Line, e.RenderedLine = "parse", source, 0, d.Line+line-1
	if lines := strings.Split(d.Text, "\n"); line <= len(lines) {
		e.printed = lines[line-1]
	}
	return e
}

// firstContent is the first line, from 1, that is neither blank nor a comment.
func firstContent(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return n
		}
	}
	return 0
}

// asWritten moves the place of an error in a text that no template printed.
func asWritten(err error) error {
	var e *Error
	if errors.As(err, &e) && e.RenderedLine > 0 {
		e.Line, e.RenderedLine = e.RenderedLine, 0
	}
	return err
}

// lineOf is the first line, from 1, that has the key in it; 0 if none has.
func lineOf(text, key string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.Contains(line, key) {
			return n
		}
	}
	return 0
}
