package template

import (
	"sync"
)

// tplCache keeps the compiled texts of tpl. It is bounded by the bytes of the
// texts: when the younger half is full it becomes the older half, and what the
// older half contained is forgotten unless it was used again.
type tplCache struct {
	mu           sync.Mutex
	young, old   map[string]*unit
	size, budget int
}

// unitOverhead is what a compiled text takes besides its bytes, roughly.
const unitOverhead = 512

func (c *tplCache) get(text string) *unit {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.young[text]; u != nil {
		return u
	}
	u := c.old[text]
	if u != nil {
		c.add(text, u)
	}
	return u
}

func (c *tplCache) put(text string, u *unit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(text, u)
}

func (c *tplCache) add(text string, u *unit) {
	cost := unitOverhead + 8*len(text)
	if cost > c.budget/2 {
		return
	}
	if c.young == nil || c.size+cost > c.budget/2 {
		c.old, c.young, c.size = c.young, make(map[string]*unit), 0
	}
	if c.young[text] == nil {
		c.young[text] = u
		c.size += cost
	}
}
