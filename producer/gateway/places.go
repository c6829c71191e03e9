package gateway

// places bounds the calls in hand. Half of them are for callers whose token is known before their body is read: whoever has none
// can take the other half at most, however slowly it writes.
type places struct{ all, strangers chan struct{} }

func newPlaces(n int) places {
	return places{all: make(chan struct{}, n), strangers: make(chan struct{}, n/2)}
}

// take returns false if there is no room; leave gives the place back.
func (p places) take(known bool) (leave func(), ok bool) {
	if known {
		return enter(p.all)
	}
	stranger, ok := enter(p.strangers)
	if !ok {
		return nil, false
	}
	place, ok := enter(p.all)
	if !ok {
		stranger()
		return nil, false
	}
	return func() { place(); stranger() }, true
}

func enter(c chan struct{}) (leave func(), ok bool) {
	select {
	case c <- struct{}{}:
		return func() { <-c }, true
	default:
		return nil, false
	}
}
