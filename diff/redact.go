package diff

import "slices"

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Change returns ch with its secret values replaced by placeholders. Compare
// does so with its own Redactor; calling it again with one that knows more
// Secrets hides more. ch is not changed.
func (r *Redactor) Change(ch Change) Change {
	if r == nil {
		return ch
	}
	fields := make([]Field, 0, len(ch.Fields))
	for _, f := range ch.Fields {
		fields = append(fields, r.field(ch.Object, f))
	}
	if ch.Fields != nil {
		ch.Fields = fields
	}
	ch.Reason = r.String(ch.Reason)
	ch.Warnings = r.strings(ch.Warnings)
	return ch
}

// Report returns rep with its secret values replaced by placeholders: in its
// changes, and in all its texts.
func (r *Redactor) Report(rep Report) Report {
	if r == nil {
		return rep
	}
	rep.Title = r.String(rep.Title)
	rep.Warnings = r.strings(rep.Warnings)
	rep.Notes = r.strings(rep.Notes)
	if rep.Changes != nil {
		rep.Changes = slices.Clone(rep.Changes)
	}
	for i, ch := range rep.Changes {
		rep.Changes[i] = r.Change(ch)
	}
	return rep
}

func (r *Redactor) strings(in []string) []string {
	if in == nil {
		return nil
	}
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = r.String(s)
	}
	return out
}

func (r *Redactor) field(o Object, f Field) Field {
	p, err := parsePath(f.Path)
	if err != nil {
		return f
	}
	all := r.hidesBelow(o, p)
	hidden := f.Secret
	for _, v := range []*any{&f.Base, &f.Live, &f.Desired} {
		if *v == nil {
			continue
		}
		var h bool
		if *v, h = r.value(o, p, *v, all); h {
			hidden = true
		}
	}
	if q, changed := r.path(p); changed {
		f.Path, hidden = q.String(), true
	}
	f.Secret = hidden
	return f
}

// hidesBelow reports whether all values at and below p are secret.
func (r *Redactor) hidesBelow(o Object, p path) bool {
	for i, s := range p {
		if s.kind != stepField {
			continue
		}
		if i == 0 && o.isSecret() && (s.name == "data" || s.name == "stringData") {
			return true
		}
		if s.name == lastApplied && o.isSecret() {
			return true
		}
		if match(r.opts.Names, s.name) {
			return true
		}
		if s.name == "value" && i > 0 {
			for _, kv := range p[i-1].keys {
				if name, ok := kv.value.(string); ok && kv.name == "name" && match(r.opts.Names, name) {
					return true
				}
			}
		}
	}
	return false
}

// value returns a copy of v with secrets hidden, all values if all is set, and
// reports whether there was anything to hide.
func (r *Redactor) value(o Object, p path, v any, all bool) (any, bool) {
	switch v := v.(type) {
	case string:
		if isPlaceholder(v) {
			return v, true
		}
		if all {
			if o.isSecret() && len(p) > 0 && p[0].name == "data" {
				return r.placeholder(decoded(v)), true
			}
			return r.placeholder(v), true
		}
		if r.Contains(v) {
			return r.placeholder(v), true
		}
		return v, false
	case map[string]any:
		out, hidden := make(map[string]any, len(v)), false
		name, _ := v["name"].(string)
		for k, e := range v {
			st := step{kind: stepField, name: k}
			q := append(slices.Clone(p), st)
			below := all || r.hidesBelow(o, q) || k == "value" && match(r.opts.Names, name)
			key := k
			if st, changed := r.step(p, st); changed {
				key, hidden = st.name, true
			}
			var h bool
			out[key], h = r.value(o, q, e, below)
			hidden = hidden || h
		}
		return out, hidden
	case []any:
		out, hidden := make([]any, len(v)), false
		for i, e := range v {
			var h bool
			out[i], h = r.value(o, append(slices.Clone(p), step{kind: stepIndex, index: i}), e, all)
			hidden = hidden || h
		}
		return out, hidden
	case nil:
		return nil, false
	case Unknown:
		return v, false
	default:
		// Short numbers are those of ports and replicas.
		if text := scalarText(v); all || r.containsLong(text) {
			return r.placeholder(text), true
		}
		return v, false
	}
}

// path returns p with secrets hidden in those parts of it that are data: keys of
// free maps, keys of list items other than their name, elements of sets.
func (r *Redactor) path(p path) (path, bool) {
	var out path
	for i, s := range p {
		if t, changed := r.step(p[:i], s); changed {
			if out == nil {
				out = slices.Clone(p)
			}
			out[i] = t
		}
	}
	return out, out != nil
}

func (r *Redactor) step(above path, s step) (step, bool) {
	switch s.kind {
	case stepField:
		if (freeMap(above) || !plainName(s.name)) && r.containsLong(s.name) {
			s.name = r.placeholder(s.name)
			return s, true
		}
	case stepElement:
		if t, ok := s.value.(string); ok && r.containsLong(t) {
			s.value = r.placeholder(t)
			return s, true
		}
	case stepItem:
		changed := false
		for i, kv := range s.keys {
			if t, ok := kv.value.(string); ok && kv.name != "name" && r.containsLong(t) {
				if !changed {
					s.keys, changed = slices.Clone(s.keys), true
				}
				s.keys[i].value = r.placeholder(t)
			}
		}
		return s, changed
	}
	return s, false
}

// freeMap reports whether the keys below p are data and not field names.
func freeMap(p path) bool {
	if len(p) == 0 {
		return false
	}
	names := make([]string, len(p))
	for i, s := range p {
		names[i] = "[]"
		if s.kind == stepField {
			names[i] = s.name
		}
	}
	return Builtin().Node(Object{}, names).Free
}

// isPlaceholder reports whether s replaces a secret.
func isPlaceholder(s string) bool {
	if s == "[secret]" {
		return true
	}
	const frame = len("[secret 12345678]")
	return len(s) == frame && s[:8] == "[secret " && s[frame-1] == ']' && isHex(s[8:frame-1])
}

func isHex(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
