package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const mit = `MIT License

Copyright (c) 2026 The authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`

const agpl = `This program is free software: you can redistribute it and/or modify it under
the terms of the GNU Affero General Public License as published by the Free
Software Foundation, either version 3 of the License, or (at your option) any
later version.

This program is distributed in the hope that it will be useful, but WITHOUT ANY
WARRANTY; without even the implied warranty of MERCHANTABILITY or FITNESS FOR A
PARTICULAR PURPOSE. See the GNU Affero General Public License for more details.

You should have received a copy of the GNU Affero General Public License along
with this program. If not, see <https://www.gnu.org/licenses/>.
`

func TestLicencesIn(t *testing.T) {
	own, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"own":          {string(own), "Apache-2.0"},
		"mit":          {mit, "MIT"},
		"commented":    {"// " + strings.ReplaceAll(mit, "\n", "\n// "), "MIT"},
		"two licences": {string(own) + mit, "Apache-2.0, MIT"},
		"copyleft":     {agpl, "AGPL-3.0-or-later"},
		"a mention":    {"This is licensed like the GNU tools.", ""},
		"a link":       {"See https://opensource.org/licenses/MIT", ""},
	} {
		if got := strings.Join(licencesIn(c.text), ", "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	folder := t.TempDir()
	m := module{"example.com/m", "v1.0.0", folder}
	if names, err := m.licences(); err == nil || !strings.Contains(err.Error(), "no licence is recognised") {
		t.Errorf("%v, %v", names, err)
	}
	if err := os.WriteFile(filepath.Join(folder, "COPYING.md"), []byte(agpl), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := m.licences()
	if err != nil || len(names) != 1 || refusal(m, names) == nil {
		t.Errorf("%v, %v: not refused", names, err)
	}
	if isLicence("LICENSE.docs") || !isLicence("LICENSE.md") {
		t.Error("the licence of the documentation counts")
	}
	if err := refusal(m, []string{"Apache-2.0", "MIT"}); err != nil {
		t.Error(err)
	}
}
