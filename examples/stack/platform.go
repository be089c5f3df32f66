package main

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/render"
)

//go:embed all:charts values
var files embed.FS

// environment is a platform of six releases with values of its own.
type environment struct {
	name   string
	layers []string // of files in values, the strongest last
}

var (
	dev        = environment{"dev", []string{"base", "dev"}}
	staging    = environment{"staging", []string{"base", "eu", "staging", "edge-cluster"}}
	production = environment{"production", []string{"base", "eu", "production", "edge-cluster"}}
)

// platform is the stack of an environment: five releases on the main cluster, and
// the edge on another one. more are values over those of the environment, by release.
func platform(e environment, main, edge *engine.Engine, more map[string]render.Layer) (*stack.Stack, error) {
	members := []stack.Member{
		{Name: "definitions"},
		{Name: "database"},
		{Name: "cache"},
		{Name: "backend", Inputs: stack.Inputs{
			"database.host":     clusterIP("database"),
			"database.password": stack.Field("database", diff.Object{Version: "v1", Kind: "Secret", Name: "database"}, "data.password"),
			"cache.host":        clusterIP("cache"),
		}},
		{Name: "frontend", Needs: []string{"definitions"}, Inputs: stack.Inputs{"backend": clusterIP("backend")}},
		{Name: "edge", Engine: edge, Inputs: stack.Inputs{
			"upstream.host": stack.Value("frontend", "host"),
			"upstream.port": stack.Field("backend", service("backend"), "spec.ports[port=80,protocol=\"TCP\"].nodePort").Int(),
		}},
	}
	for i := range members {
		m := &members[i]
		sub, err := fs.Sub(files, "charts/"+m.Name)
		if err != nil {
			return nil, err
		}
		chart, err := render.LoadFS(sub)
		if err != nil {
			return nil, err
		}
		m.Release = engine.Release{Key: engine.Key{Namespace: "shop-" + e.name, Name: m.Name}, Source: chart, CreateNamespace: true}
		var last []render.Layer
		if layer, ok := more[m.Name]; ok {
			last = append(last, layer)
		}
		if m.Release.Values, err = e.values(m.Name, last); err != nil {
			return nil, err
		}
	}
	return stack.New("shop-"+e.name, main, members...)
}

// values are those of one release: what the layers have under its name.
func (e environment) values(release string, more []render.Layer) (render.Values, error) {
	var layers []render.Layer
	for _, name := range e.layers {
		text, err := files.ReadFile("values/" + name + ".yaml")
		if err != nil {
			return render.Values{}, err
		}
		all, err := render.MergeValues(render.FromYAML(name, text))
		if err != nil {
			return render.Values{}, fmt.Errorf("values of %s: %w", e.name, err)
		}
		if own, ok := all.Map()[release].(map[string]any); ok {
			layers = append(layers, render.FromMap(name+".yaml", own))
		}
	}
	return render.MergeValues(append(layers, more...)...)
}

func service(name string) diff.Object { return diff.Object{Version: "v1", Kind: "Service", Name: name} }

func clusterIP(member string) stack.Output {
	return stack.Field(member, service(member), "spec.clusterIP")
}
