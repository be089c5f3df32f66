package charts

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

// ErrLoading is returned by [Refresher.Chart] while a chart is being loaded for the first time.
var ErrLoading = errors.New("the chart is being loaded")

// Location is where a chart comes from; the fields are as in Load and LoadOptions.
type Location struct {
	Ref, Repository, Version string
	Username, Password       string
}

// RefresherOptions are the settings of a Refresher.
type RefresherOptions struct {
	// Load are the options of all charts; those that Location has are replaced by its own.
	Load LoadOptions
	// OnChange is called with each user whose chart has been loaded for the first time, or is another one than before, or
	// could not be loaded and never was. It must not call the Refresher. Nil: nothing is called.
	OnChange func(user string)
	// Concurrency bounds the charts that are loaded at the same time. 0: 8.
	Concurrency int
	// RetryAfter is how long after a failure a chart is looked for again. 0: 30 s.
	RetryAfter time.Duration
}

// Refresher loads charts in the background, for a controller whose workers must not wait for a registry. It keeps a chart
// once for all that use it from the same location, by the same login, and looks for a newer one from time to time. It is safe
// for concurrent use.
type Refresher struct {
	opts  RefresherOptions
	slots chan struct{}

	mu    sync.Mutex
	found map[Location]*refreshed
	uses  map[string]Location
}

// refreshed is what was found at a location.
type refreshed struct {
	chart   *render.Chart // nil: none yet
	err     error         // of the last attempt
	at      time.Time     // of the last attempt
	loading bool
	users   map[string]bool
}

// NewRefresher returns a Refresher that has loaded nothing.
func NewRefresher(opts RefresherOptions) *Refresher {
	if opts.OnChange == nil {
		opts.OnChange = func(string) {}
	}
	if opts.Concurrency <= 0 {
		opts.Concurrency = 8
	}
	opts.RetryAfter = cmp.Or(opts.RetryAfter, 30*time.Second)
	return &Refresher{opts: opts, slots: make(chan struct{}, opts.Concurrency), found: map[Location]*refreshed{}, uses: map[string]Location{}}
}

// Chart returns the chart that a user, which is any name, takes from a location, without waiting: ErrLoading until the first
// attempt has ended, and then, until one succeeds, the error of the last one. A chart that was loaded once stays when its
// source fails later. Each call looks whether it is time to look for a newer chart: every so often, or, with every 0, not again
// after one was found. next is how soon that is; 0: not again, or not known. A user has one location: another one replaces it.
//
// load loads the chart in place of Load, as from an object of the cluster; what it returns must depend on the Location alone.
// Nil: Load.
func (r *Refresher) Chart(user string, at Location, every time.Duration, load func(context.Context) (*render.Chart, error)) (chart *render.Chart, next time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.use(user, at)
	if f.err != nil && (every == 0 || r.opts.RetryAfter < every) {
		every = r.opts.RetryAfter
	}
	age := time.Since(f.at)
	due := f.at.IsZero() || every > 0 && age >= every
	if due && !f.loading {
		f.loading = true
		go r.load(at, load)
	}
	switch {
	case f.chart == nil && f.err == nil:
		return nil, 0, ErrLoading
	case f.chart == nil:
		return nil, 0, f.err
	case every > 0 && !due:
		next = every - age
	}
	return f.chart, next, nil
}

// Forget ends the use of a chart; one that no user has is dropped.
func (r *Refresher) Forget(user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(user)
}

func (r *Refresher) forget(user string) {
	at := r.uses[user]
	delete(r.uses, user)
	if f := r.found[at]; f != nil {
		if delete(f.users, user); len(f.users) == 0 {
			delete(r.found, at)
		}
	}
}

func (r *Refresher) use(user string, at Location) *refreshed {
	if before, ok := r.uses[user]; ok && before != at {
		r.forget(user)
	}
	f := r.found[at]
	if f == nil {
		f = &refreshed{users: map[string]bool{}}
		r.found[at] = f
	}
	f.users[user], r.uses[user] = true, at
	return f
}

// load loads a chart; LoadOptions.Timeout bounds how long.
func (r *Refresher) load(at Location, load func(context.Context) (*render.Chart, error)) {
	r.slots <- struct{}{}
	defer func() { <-r.slots }()
	opts := r.opts.Load
	opts.Repository, opts.Version, opts.Username, opts.Password = at.Repository, at.Version, at.Username, at.Password
	ctx, cancel := opts.timeout(context.Background())
	defer cancel()
	if load == nil {
		load = func(ctx context.Context) (*render.Chart, error) { return Load(ctx, at.Ref, opts) }
	}
	chart, err := load(ctx)
	r.keep(at, chart, err)
}

// keep records the result of an attempt, and reports it to the users if it is news.
func (r *Refresher) keep(at Location, chart *render.Chart, err error) {
	r.mu.Lock()
	f := r.found[at]
	if f == nil {
		r.mu.Unlock()
		return // no one uses it any more
	}
	news := f.chart == nil
	f.loading, f.at, f.err = false, time.Now(), err
	if err == nil {
		news = news || f.chart.Info().Digest != chart.Info().Digest
		if news {
			f.chart = chart
		}
	}
	var users []string
	if news {
		for user := range f.users {
			users = append(users, user)
		}
	}
	r.mu.Unlock()
	for _, user := range users {
		r.opts.OnChange(user)
	}
}
