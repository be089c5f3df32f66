package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLicencesIn(t *testing.T) {
	const bsd = "// Redistribution and use in source and binary forms, with or without\n// modification, are permitted provided that"
	for name, c := range map[string]struct{ text, want string }{
		"mit":          {"MIT License\n\nPermission is hereby granted, free of\ncharge, to any person obtaining a copy", "MIT"},
		"apache":       {"   Apache License\n  Version 2.0, January 2004\n", "Apache-2.0"},
		"two clauses":  {bsd, "BSD-2-Clause"},
		"three":        {bsd + "\n// to endorse or promote products derived from this", "BSD-3-Clause"},
		"two licences": {"Apache License Version 2.0, January 2004 … Permission is hereby granted, free of charge, to any person obtaining a copy", "Apache-2.0, MIT"},
		"copyleft":     {"GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "GPL"},
		"a mention":    {"This is licensed like the GNU tools.", ""},
	} {
		if got := strings.Join(licencesIn(c.text), ", "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// The library's own licence has the full text.
func TestOwnLicence(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(licencesIn(string(text)), ", "); got != "Apache-2.0" {
		t.Errorf("the library's own licence is %q", got)
	}
}

func TestRefused(t *testing.T) {
	folder := t.TempDir()
	m := module{"example.com/m", "v1.0.0", folder}
	if names, err := m.licences(); err == nil || !strings.Contains(err.Error(), "no licence is recognised") {
		t.Errorf("%v, %v", names, err)
	}
	if err := os.WriteFile(filepath.Join(folder, "COPYING.md"), []byte("GNU Affero General Public License\nVersion 3, 19 November 2007"), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := m.licences()
	if err != nil || len(names) != 1 || refusal(m, names) == nil {
		t.Errorf("%v, %v: not refused", names, err)
	}
	if err := refusal(m, []string{"Apache-2.0", "MIT"}); err != nil {
		t.Error(err)
	}
}
