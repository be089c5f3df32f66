package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/fairlead-dev/fairlead/render"
)

// childName is the first argument of a child, where the name of the program
// usually stands.
const childName = "fairlead-sandbox"

// childConfig is the second argument of a child.
type childConfig struct {
	Memory  int64 `json:"memory"`
	CPU     int64 `json:"cpu"`     // seconds
	OwnUser bool  `json:"ownUser"` // it has a user namespace
}

func (c childConfig) text() (string, error) {
	text, err := json.Marshal(c)
	return string(text), err
}

func isChild(args []string) bool { return len(args) == 2 && args[0] == childName }

// Main serves and exits if the process is a child of a pool, and returns at once
// if it is not. Call it first in main, and in TestMain of tests that use a pool.
func Main() {
	if !isChild(os.Args) {
		return
	}
	if err := serve(os.Args[1], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve confines the process, then serves requests until the parent closes in.
func serve(args string, in io.Reader, out io.Writer) error {
	var config childConfig
	if err := json.Unmarshal([]byte(args), &config); err != nil {
		return err
	}
	missing, err := confine(config)
	if err != nil {
		return err
	}
	c := &child{config: config, out: out, requests: make(chan request), sources: map[uint64]loadedSource{}}
	if err := c.say(response{Hello: &hello{Missing: missing}}); err != nil {
		return err
	}
	go c.read(in)
	for r := range c.requests {
		d := c.do(r)
		d.CPU = processorTime()
		if err := c.say(response{Done: d}); err != nil {
			return err
		}
	}
	return nil
}

// child serves one request after the other.
type child struct {
	config   childConfig
	requests chan request
	sources  map[uint64]loadedSource

	mu  sync.Mutex // questions come from the goroutine that renders
	out io.Writer
}

// read passes requests on. The process ends when the parent has, in the middle of
// a render too.
func (c *child) read(in io.Reader) {
	for {
		var r request
		if err := readMessage(in, 1<<62, &r); err != nil {
			if errors.Is(err, io.EOF) {
				os.Exit(0)
			}
			fmt.Fprintln(os.Stderr, "cannot read a request:", err)
			os.Exit(1)
		}
		c.requests <- r
	}
}

func (c *child) say(r response) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := writeMessage(c.out, r); err != nil || r.Done == nil {
		return err
	}
	return r.Done.writeParts(c.out)
}

// do carries out one request.
func (c *child) do(r request) *done {
	if err := allowProcessorTime(c.config.CPU); err != nil {
		return failed(err)
	}
	switch {
	case r.Load != nil:
		return c.load(r.Load)
	case r.Render != nil:
		return c.render(r.Render)
	case r.PostRender != nil:
		return c.postRender(r.PostRender)
	}
	return failed(errors.New("no such request"))
}

func failed(err error) *done {
	w := encodeError(err, 0)
	return &done{Error: &w}
}

func (c *child) load(r *loadRequest) *done {
	for _, key := range r.Drop {
		delete(c.sources, key)
	}
	source, err := r.Source.load(context.Background())
	if err != nil {
		return failed(err)
	}
	c.sources[r.Key] = source
	d := &done{}
	if r.Info {
		info := source.Info()
		d.Info = &info
	}
	return d
}

func (c *child) render(r *renderRequest) *done {
	source, ok := c.sources[r.Key]
	if !ok {
		return failed(errors.New("no such source"))
	}
	in := render.Input{
		Name: r.Name, Namespace: r.Namespace, Revision: r.Revision, Upgrade: r.Upgrade,
		Values: r.Values, Capabilities: r.Capabilities, Limits: r.Limits, Strict: r.Strict, SkipSchema: r.SkipSchema, Helm: r.Helm,
		Now: r.Now, DeferCRDs: true, // objects are sent as texts
	}
	if r.Seed {
		in.Seed = render.FetchSeed(c.fetchSeed)
	}
	if r.OverChart {
		in.ChartValues = &r.ChartValues
	}
	if r.Lookup {
		in.Lookup = c.lookup
	}
	if r.SchemaLoader {
		in.SchemaLoader = c.loadSchema
	}
	m, err := source.Render(context.Background(), in)
	if err != nil {
		return failed(err)
	}
	d := &done{Notes: []byte(m.Notes)}
	for name, text := range m.Files {
		d.Files = append(d.Files, textBytes{name, int64(len(text))})
		d.texts = append(d.texts, text)
	}
	m.Files, m.Notes, m.Chart, m.Values = nil, "", render.ChartInfo{}, render.Values{}
	if d.manifest, err = m.MarshalJSON(); err != nil {
		return failed(err)
	}
	d.ManifestBytes = int64(len(d.manifest))
	return d
}

func (c *child) postRender(r *postRequest) *done {
	kustomization, ok := c.sources[r.Key].(*render.Kustomization)
	if !ok {
		return failed(errors.New("no such kustomization"))
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), r.Limits.Time, &render.LimitError{Limit: "Time", Max: int64(r.Limits.Time)})
	defer cancel()
	objects, err := kustomization.PostRender(ctx, r.Objects)
	if err != nil {
		return failed(err)
	}
	return &done{Objects: objects}
}

// lookup asks the parent.
func (c *child) lookup(_ context.Context, apiVersion, kind, namespace, name string) (map[string]any, error) {
	a, err := c.ask(response{Lookup: &lookup{apiVersion, kind, namespace, name}})
	if err != nil || len(a.Object) == 0 {
		return nil, err
	}
	var object map[string]any
	err = utiljson.Unmarshal(a.Object, &object) // whole numbers are int64, as the parent has them
	return object, err
}

// fetchSeed asks the parent.
func (c *child) fetchSeed(context.Context) (render.Seed, error) {
	a, err := c.ask(response{Seed: &seed{}})
	return render.NewSeed(a.Data, a.At), err
}

// loadSchema asks the parent.
func (c *child) loadSchema(_ context.Context, url string) ([]byte, error) {
	a, err := c.ask(response{Schema: &schemaURL{url}})
	return a.Data, err
}

func (c *child) ask(question response) (reply, error) {
	if err := c.say(question); err != nil {
		return reply{}, err
	}
	r := <-c.requests
	if r.Reply == nil {
		return reply{}, errNoSuchMessage
	}
	if r.Reply.Failed {
		return reply{}, &callError{r.Reply.Call, r.Reply.Error}
	}
	return *r.Reply, nil
}
