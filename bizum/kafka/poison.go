//go:build !poison

package kafka

// poison does nothing. With the build tag poison it overwrites what must not be read any more.
func poison([]byte) {}
