package bgzf

import "sync"

// cacheBlocks is 4 MiB: the pages that a look at one goroutine touches.
const cacheBlocks = 64

// cache keeps the blocks used last. Two readers of one block decompress it
// once.
type cache struct {
	mu      sync.Mutex
	entries map[int]*entry
	// The entries in a ring, the one used last at root.next.
	root entry
}

type entry struct {
	key        int
	ready      chan struct{} // closed when data or err is there
	data       []byte
	err        error
	prev, next *entry
}

// get returns block key, from make if it is not there. The result is shared
// and must not be changed.
func (c *cache) get(key int, make func() ([]byte, error)) ([]byte, error) {
	e, mine := c.lookup(key)
	if mine {
		e.data, e.err = make()
		if e.err != nil {
			c.drop(e)
		}
		close(e.ready)
	}
	<-e.ready
	return e.data, e.err
}

// lookup returns the entry, and whether the caller is the one to fill it.
func (c *cache) lookup(key int) (e *entry, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = make(map[int]*entry)
		c.root.prev, c.root.next = &c.root, &c.root
	}
	e, ok := c.entries[key]
	if ok {
		e.prev.next, e.next.prev = e.next, e.prev
	} else {
		if len(c.entries) >= cacheBlocks {
			c.remove(c.root.prev)
		}
		e = &entry{key: key, ready: make(chan struct{})}
		c.entries[key] = e
	}
	e.prev, e.next = &c.root, c.root.next
	e.prev.next, e.next.prev = e, e
	return e, !ok
}

func (c *cache) drop(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// It may have been pushed out already, and its place taken.
	if c.entries[e.key] == e {
		c.remove(e)
	}
}

func (c *cache) remove(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	delete(c.entries, e.key)
}
