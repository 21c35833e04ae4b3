package log

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// Files are the public files of one log: "checkpoint", "tile/0/x001/067",
// "tile/entries/000.p/12". One that there is not is fs.ErrNotExist. immutable says
// that the file never changes.
type Files interface {
	File(path string) (b []byte, immutable bool, err error)
}

// Logs are the logs of the exchange, by their number from 1. A number that there is
// not is exchange.NotFound.
type Logs interface {
	Files(ctx context.Context, number int) (Files, error)
	Keys(ctx context.Context, number int) ([]string, error)       // those that sign now, the newest first; of a closed log those that signed its end
	Statements(ctx context.Context, number int) ([][]byte, error) // signed, the oldest first
}

// Config is what the interface is built from.
type Config struct {
	Logs   Logs
	Limits *httpkit.Limits
	Log    *slog.Logger
	// Cosigned is the newest checkpoint of a log that enough witnesses signed, or
	// exchange.NotFound. Nil: there are no witnesses.
	Cosigned func(ctx context.Context, number int) ([]byte, error)
	// Cosign takes a signed checkpoint with the signatures of witnesses. Nil: there
	// are none.
	Cosign func(ctx context.Context, signed []byte) error
}

type site struct{ c Config }

// New returns the interface, to be mounted at /log/.
func New(c Config) http.Handler {
	s := &site{c}
	mux := http.NewServeMux()
	s.routes(mux)
	return c.Limits.Address(mux, httpkit.WriteProblem)
}

// routes lists every address.
func (s *site) routes(mux *http.ServeMux) {
	adapt := httpkit.Adapter{Log: s.c.Log, Body: 1}
	mux.Handle("GET /log/{path...}", adapt.Handler(s.file))
	s.receive(mux)
	mux.Handle("/log/", adapt.Handler(s.refuse))
}

func (s *site) refuse(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Allow", "GET, HEAD")
	return httpkit.Fail(http.StatusMethodNotAllowed, "the log is only read here")
}

const (
	textPlain = "text/plain; charset=utf-8"
	octets    = "application/octet-stream"
)

// file answers every GET. The path is taken as it came: another way to write it, as
// with %2F, is another address, and there is nothing at it.
func (s *site) file(w http.ResponseWriter, r *http.Request) error {
	number, path, ok := numbered(strings.TrimPrefix(r.URL.EscapedPath(), "/log/"))
	if !ok {
		return exchange.Missing()
	}
	ctx := r.Context()
	switch {
	case path == "checkpoint", isTile(path):
		files, err := s.c.Logs.Files(ctx, number)
		if err != nil {
			return err
		}
		b, immutable, err := files.File(path)
		if errors.Is(err, fs.ErrNotExist) {
			return exchange.Missing()
		}
		if err != nil {
			return err
		}
		media := octets
		if path == "checkpoint" {
			media, immutable = textPlain, false
		}
		give(w, r, media, immutable, b)
	case path == "key":
		keys, err := s.c.Logs.Keys(ctx, number)
		if err != nil {
			return err
		}
		give(w, r, textPlain, false, []byte(strings.Join(keys, "\n")+"\n"))
	case path == "statements":
		return s.statements(w, r, number)
	case path == "cosigned" && s.c.Cosigned != nil:
		b, err := s.c.Cosigned(ctx, number)
		if err != nil {
			return err
		}
		give(w, r, textPlain, false, b)
	default:
		return exchange.Missing()
	}
	return nil
}

func (s *site) statements(w http.ResponseWriter, r *http.Request, number int) error {
	signed, err := s.c.Logs.Statements(r.Context(), number)
	if err != nil {
		return err
	}
	out := struct {
		Statements []string `json:"statements"`
	}{make([]string, 0, len(signed))}
	for _, b := range signed {
		out.Statements = append(out.Statements, string(b))
	}
	b, err := json.Marshal(out)
	if err != nil {
		return err
	}
	give(w, r, "application/json", false, append(b, '\n'))
	return nil
}

// give answers with a public file: also to pages of other origins, by HEAD, in
// ranges, and with 304 to who has it already. Hashes and salted commitments cannot be
// compressed, so nothing is tried.
func give(w http.ResponseWriter, r *http.Request, media string, immutable bool, b []byte) {
	h := w.Header()
	httpkit.DataOnly(h)
	sum := sha256.Sum256(b)
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`)
	h.Set("Content-Type", media)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache") // kept, and asked about each time
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}
