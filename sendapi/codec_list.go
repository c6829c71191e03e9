package sendapi

import "encoding/json"

// list codes an array of objects.
func list[T any, P pointer[T]](c *coder, key string, p *[]T) {
	if c.decoding {
		readList[T, P](c, key, p)
		return
	}
	if len(*p) == 0 {
		return
	}
	c.key(key)
	c.buf = append(c.buf, '[')
	for i := range *p {
		if i > 0 {
			c.buf = append(c.buf, ',')
		}
		c.object(nil, P(&(*p)[i]))
	}
	c.buf = append(c.buf, ']')
}

func readList[T any, P pointer[T]](c *coder, key string, p *[]T) {
	values, ok := c.takeArray(key)
	if !ok {
		return
	}
	*p = make([]T, len(values))
	c.enter(step{key: key})
	for i, v := range values {
		c.enter(step{index: i})
		c.object(v, P(&(*p)[i]))
		c.leave()
	}
	c.leave()
}

// takeArray takes the values of an array. An empty one, which would not be written again, is kept.
func (c *coder) takeArray(key string) (values []json.RawMessage, ok bool) {
	value, ok := c.take(key)
	if !ok {
		return nil, false
	}
	if values, ok = elements(value); !ok {
		c.fail(key, "must be an array, not "+kindOf(value))
		return nil, false
	}
	if len(values) == 0 {
		c.keep(key, value)
		return nil, false
	}
	return values, true
}

// texts codes an array of strings.
func texts(c *coder, key string, p *[]string) {
	if c.decoding {
		readTexts(c, key, p)
		return
	}
	if len(*p) == 0 {
		return
	}
	c.key(key)
	c.buf = append(c.buf, '[')
	for i, s := range *p {
		if i > 0 {
			c.buf = append(c.buf, ',')
		}
		c.buf = appendString(c.buf, s)
	}
	c.buf = append(c.buf, ']')
}

func readTexts(c *coder, key string, p *[]string) {
	values, ok := c.takeArray(key)
	if !ok {
		return
	}
	*p = make([]string, len(values))
	for i, v := range values {
		if v[0] != '"' {
			c.enter(step{key: key})
			c.enter(step{index: i})
			c.fail("", "must be a string, not "+kindOf(v))
			c.leave()
			c.leave()
			continue
		}
		(*p)[i] = unquote(v)
	}
}
