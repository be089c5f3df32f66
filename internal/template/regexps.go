package template

import (
	"regexp"
	"sync"
)

// regexpCache keeps compiled expressions; full, it starts again. The zero value
// is ready.
type regexpCache struct {
	mu    sync.Mutex
	known map[string]*regexp.Regexp
}

const regexpCacheSize = 256

func (c *regexpCache) compile(expr string) (*regexp.Regexp, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if re := c.known[expr]; re != nil {
		return re, nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	if c.known == nil || len(c.known) >= regexpCacheSize {
		c.known = make(map[string]*regexp.Regexp)
	}
	c.known[expr] = re
	return re, nil
}
