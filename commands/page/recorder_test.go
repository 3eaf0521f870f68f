package page

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// recorder is who reads a stream in a test.
type recorder struct {
	*httptest.ResponseRecorder
	mu sync.Mutex
}

func newRecorder() *recorder { return &recorder{ResponseRecorder: httptest.NewRecorder()} }

func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func (r *recorder) reader() reader { return reader{r, http.NewResponseController(r), stuckAfter} }

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Body.String()
}
