package charts

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/charts/internal/schema"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var valuesTypes = map[string]reflect.Type{
	"webapp":   reflect.TypeFor[WebAppValues](),
	"database": reflect.TypeFor[DatabaseValues](),
}

func generate(t *testing.T, name string) *schema.Schema {
	t.Helper()
	docs, err := schema.ReadDocs(os.DirFS("."), "values_*.go")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(name, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]any{}
	if err := yaml.UnmarshalStrict(data, &defaults); err != nil {
		t.Fatal(err)
	}
	s, err := schema.Generate("Values of the chart "+name, valuesTypes[name], docs, defaults)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaIsThatOfTheTypedValues(t *testing.T) {
	for name := range valuesTypes {
		t.Run(name, func(t *testing.T) {
			got, err := generate(t, name).JSON()
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, filepath.Join(name, "values.schema.json"), got)
		})
	}
}

const (
	tableBegins = "<!-- The table is generated from values.schema.json: go test ./charts -update -->\n"
	tableEnds   = "<!-- End of the table -->\n"
)

func TestReadmeTableIsThatOfTheSchema(t *testing.T) {
	for name := range valuesTypes {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(name, "README.md")
			readme, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			head, rest, ok1 := strings.Cut(string(readme), tableBegins)
			old, tail, ok2 := strings.Cut(rest, tableEnds)
			if !ok1 || !ok2 {
				t.Fatalf("%s lacks the marks of the table:\n%s%s", path, tableBegins, tableEnds)
			}
			table, err := generate(t, name).Table()
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(path, []byte(head+tableBegins+table+tableEnds+tail), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(old, table); diff != "" {
				t.Errorf("the table of %s is old (-file +schema); go test ./charts -update rewrites it:\n%s", path, diff)
			}
		})
	}
}
