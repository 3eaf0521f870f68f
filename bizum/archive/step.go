//go:build !killpoints

package archive

// step does nothing. With the build tag killpoints it kills the process or fails, as a test asks.
func step(string, string) error { return nil }
