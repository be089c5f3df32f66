package main

import "strings"

// allowed are the licences, by their SPDX names, that require a distributor of
// the library no more than to name its authors or, MPL-2.0, to publish changes of
// the files themselves.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "Unlicense"}

// isLicence reports whether a file at a module's root holds its licence.
func isLicence(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "license") || strings.HasPrefix(name, "licence") || strings.HasPrefix(name, "copying") || name == "unlicense"
}

// signs are sentences that are unique to a licence's text, in lower case and
// with single spaces.
var signs = []struct{ name, text string }{
	{"Apache-2.0", "apache license version 2.0, january 2004"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee"},
	{"MPL-2.0", "mozilla public license, version 2.0 1. definitions"},
	{"MPL-2.0", "mozilla public license version 2.0 =================================="},
	{"Unlicense", "this is free and unencumbered software released into the public domain"},
	{"CC0-1.0", "cc0 1.0 universal"},
	{"AGPL", "gnu affero general public license version 3, 19 november 2007"},
	{"GPL", "gnu general public license version"},
	{"LGPL", "gnu lesser general public license version"},
	{"EPL", "eclipse public license - v"},
	{"BUSL-1.1", "business source license 1.1"},
	{"SSPL", "server side public license"},
}

// marks are the quotation and comment marks in texts.
var marks = strings.NewReplacer("//", " ", ">", " ", "*", " ", "#", " ")

// licencesIn returns the licences whose full text is in a file; none if it has
// no known licence.
func licencesIn(text string) []string {
	text = strings.Join(strings.Fields(marks.Replace(strings.ToLower(text))), " ")
	var out []string
	for _, s := range signs {
		if strings.Contains(text, s.text) {
			out = append(out, s.name)
		}
	}
	if strings.Contains(text, "redistribution and use in source and binary forms, with or without modification, are permitted") {
		// The third clause forbids to advertise with the authors' names.
		if strings.Contains(text, "to endorse or promote products derived from") {
			return append(out, "BSD-3-Clause")
		}
		return append(out, "BSD-2-Clause")
	}
	return out
}
