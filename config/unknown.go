package config

import (
	"fmt"
	"strings"
)

// unknown says that there is no such key, and which one was probably meant.
func unknown(known []string, given string) string {
	if best := nearest(known, given); best != "" {
		return "there is no such key; did you mean " + best + "?"
	}
	return "there is no such key; known here: " + strings.Join(known, ", ")
}

// nearest returns the candidate that given is probably a slip of, or "". A candidate may be meant by its last part
// alone: rate for defaults.rate.
func nearest(candidates []string, given string) string {
	if len(given) > 64 {
		return ""
	}
	best, bestDistance := "", max(1, len(given)/4)+1
	for _, c := range candidates {
		d := distance(normal(given), normal(c))
		if last := c[strings.LastIndex(c, ".")+1:]; last != c {
			d = min(d, distance(normal(given), normal(last)))
		}
		if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// normal takes away what is a matter of style: baseURL, base-url and base_url are the same slip.
func normal(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
}

// distance is how many letters must be changed, added, left out or swapped with their neighbour.
func distance(a, b string) int {
	before, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// printable keeps a key of any length and content on one line.
func printable(key string) string {
	if len(key) > 40 {
		key = key[:40] + "…"
	}
	quoted := fmt.Sprintf("%q", key)
	if inner := quoted[1 : len(quoted)-1]; inner == key && key != "" {
		return key
	}
	return quoted
}
