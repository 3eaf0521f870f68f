//go:build !unix

package archive

// noFollow is nothing where the system has no such flag: what is no regular file is found by looking.
const noFollow = 0
