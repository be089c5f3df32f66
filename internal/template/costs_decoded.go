package template

// decodeCosts are functions that decode a text: a look through it bounds what it
// decodes to.
func decodeCosts() map[string]cost {
	table := map[string]cost{
		"fromToml": decodesTOML,
		"fromYaml": nil, "fromYamlArray": nil, // see decodeYAML
	}
	for _, name := range []string{"fromJson", "mustFromJson", "fromJsonArray"} {
		table[name] = decodesJSON
	}
	return table
}

// decodesJSON counts what JSON text decodes to.
func decodesJSON(r *Run, a []value) price {
	text := textOf(a[0])
	if len(text) <= 256 {
		return price{}
	}
	var maps, keys, items int64
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{':
			maps++
		case ':':
			keys++
		case ',', '[':
			items++
		}
	}
	bytes := mapBytes*maps + groupBytes*min(maps, keys) + entryBytes*max(0, keys-maps) + 48*items
	n := int64(len(text))
	r.charge(bytes + n) // which stays, for the most part
	return price{scratch: n, work: n/4 + 4*items + 8*keys}
}
