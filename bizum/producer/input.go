package producer

import (
	"io"
	"os"
)

// OpenInput opens a file for Given. A pipe is opened by the first read, because that waits for somebody to write: Given
// reads in a goroutine that an interruption does not wait for.
func OpenInput(path string) (io.Reader, error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		return &pipe{path: path}, nil
	}
	return os.Open(path)
}

type pipe struct {
	path string
	file *os.File
}

func (p *pipe) Read(b []byte) (n int, err error) {
	if p.file == nil {
		if p.file, err = os.Open(p.path); err != nil {
			return 0, err
		}
	}
	return p.file.Read(b)
}
