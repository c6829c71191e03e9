package sandbox

// recent is a map of bounded size. Once it is full it forgets, half of it at a time, what was not used for longest. A limit
// below 2 is as good as 2.
type recent[K comparable, V any] struct {
	limit      int
	young, old map[K]V
}

func newRecent[K comparable, V any](limit int) recent[K, V] {
	return recent[K, V]{limit: limit, young: make(map[K]V)}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	if ok {
		r.put(key, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(key K, v V) {
	if _, ok := r.young[key]; !ok && len(r.young) >= max(1, r.limit/2) {
		r.young, r.old = make(map[K]V), r.young
	}
	r.young[key] = v
	delete(r.old, key)
}

func (r *recent[K, V]) remove(key K) {
	delete(r.young, key)
	delete(r.old, key)
}
