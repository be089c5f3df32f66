package render_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

var drawing = fstest.MapFS{
	"Chart.yaml": {Data: []byte("apiVersion: v2\nname: draws\nversion: 1.0.0\n")},
	"templates/secret.yaml": {Data: []byte(`apiVersion: v1
kind: Secret
metadata:
  name: s
stringData:
  password: {{ randAlphaNum 20 }}
  id: {{ uuidv4 }}
  at: {{ now | unixEpoch | quote }}
  {{- $ca := genCA "ca" 365 }}
  ca.crt: {{ $ca.Cert | quote }}
  keys: {{ keys .Values.map | join "," }}
`)},
	"values.yaml": {Data: []byte("map: {a: 1, b: 2, c: 3, d: 4, e: 5}\n")},
}

func ExampleNewSeed() {
	chart, err := render.LoadFS(fstest.MapFS{
		"Chart.yaml":       {Data: []byte("apiVersion: v2\nname: db\nversion: 1.0.0\n")},
		"templates/s.yaml": {Data: []byte("apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  password: {{ randAlphaNum 16 }}\n")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	secret := []byte("32 random bytes, which are a key") // keep it like the passwords that come of it
	in := render.Input{Name: "db", Seed: render.NewSeed(secret, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	first, err := chart.Render(context.Background(), in)
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := chart.Render(context.Background(), in)
	fmt.Println(first.Files["db/templates/s.yaml"] == second.Files["db/templates/s.yaml"], err)
	// Output: true <nil>
}

// With a seed and a time all renders of an input are equal, at once as well.
func TestSeededRendersAreEqual(t *testing.T) {
	chart, err := render.LoadFS(drawing)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	in := render.Input{Name: "x", Seed: render.NewSeed([]byte("secret"), at), Now: at.Add(time.Minute)}
	texts := make([]string, 4)
	var wait sync.WaitGroup
	for i := range texts {
		wait.Go(func() {
			m, err := chart.Render(t.Context(), in)
			if err != nil {
				t.Error(err)
				return
			}
			texts[i] = m.Files["draws/templates/secret.yaml"]
		})
	}
	wait.Wait()
	for _, text := range texts {
		if text != texts[0] || !strings.Contains(text, "keys: a,b,c,d,e") || !strings.Contains(text, fmt.Sprint(in.Now.Unix())) {
			t.Errorf("%s\nand\n%s", texts[0], text)
		}
	}
}

func TestSeedIsNotPrinted(t *testing.T) {
	seed := render.NewSeed([]byte("hush-hush"), time.Time{})
	encoded, err := json.Marshal(struct{ Seed render.Seed }{seed})
	if err != nil {
		t.Fatal(err)
	}
	texts := string(encoded)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		texts += fmt.Sprintf(format+format+format, seed, &seed, struct{ s render.Seed }{seed})
		texts += fmt.Sprintf(format, render.Input{Name: "x", Seed: seed})
	}
	for _, secret := range []string{"hush", fmt.Sprintf("%x", "hush"), fmt.Sprint([]byte("hush"))[1:10]} {
		if strings.Contains(texts, secret) {
			t.Errorf("%q is in %s", secret, texts)
		}
	}
}

// A seed is fetched by the first random call only, and once.
func TestSeedIsFetchedWhenItIsNeeded(t *testing.T) {
	plain := fstest.MapFS{"Chart.yaml": drawing["Chart.yaml"], "templates/a.yaml": {Data: []byte("# nothing\n")}}
	for _, c := range []struct {
		files fstest.MapFS
		want  int
	}{{plain, 0}, {drawing, 1}} {
		chart, err := render.LoadFS(c.files)
		if err != nil {
			t.Fatal(err)
		}
		fetched := 0
		in := render.Input{Name: "x", Seed: render.FetchSeed(func(context.Context) (render.Seed, error) {
			fetched++
			return render.NewSeed([]byte("secret"), time.Time{}), nil
		})}
		if _, err := chart.Render(t.Context(), in); err != nil || fetched != c.want {
			t.Errorf("fetched %d times, want %d: %v", fetched, c.want, err)
		}
		failing := errors.New("no seed today")
		in.Seed = render.FetchSeed(func(context.Context) (render.Seed, error) { return render.Seed{}, failing })
		if _, err := chart.Render(t.Context(), in); errors.Is(err, failing) != (c.want > 0) {
			t.Errorf("with an error of fetching: %v", err)
		}
	}
}
