package sdk

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// defaultMaxHold is long enough for tens of gigabytes on a slow disk and short
// enough for an orchestrator that waits for the process to end.
const defaultMaxHold = 2 * time.Minute

// withEnvironment fills in the fields that are zero.
func (c Config) withEnvironment() (_ Config, off bool) {
	switch strings.ToLower(os.Getenv("COREKIT")) {
	case "off", "0", "false", "no":
		return c, true
	}
	if c.Dir == "" {
		c.Dir = os.Getenv("COREKIT_DIR")
	}
	if c.MaxBundles == 0 {
		c.MaxBundles = int(envNumber("COREKIT_MAX_BUNDLES"))
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = envNumber("COREKIT_MAX_BYTES")
	}
	if c.MaxHold == 0 {
		if d, err := time.ParseDuration(os.Getenv("COREKIT_MAX_HOLD")); err == nil && d > 0 {
			c.MaxHold = d
		} else {
			c.MaxHold = defaultMaxHold
		}
	}
	c.WithArgs = c.WithArgs || envBool("COREKIT_WITH_ARGS")
	c.WithEnv = c.WithEnv || envBool("COREKIT_WITH_ENV")
	return c, false
}

// envNumber reads a non-negative number; anything else counts as not set, for
// a typing error in a manifest must not stop the program.
func envNumber(name string) int64 {
	n, err := strconv.ParseInt(os.Getenv(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func envBool(name string) bool {
	b, _ := strconv.ParseBool(os.Getenv(name))
	return b
}
