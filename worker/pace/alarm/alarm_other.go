//go:build !linux

package alarm

import "time"

func sleep(time.Duration) {}
