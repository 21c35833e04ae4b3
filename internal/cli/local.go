package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// localCommands are the commands that run on the exchange's own machine.
func localCommands() []*cobra.Command {
	return []*cobra.Command{initCommand(), serveCommand(), recoverCommand(), demoCommand(), doctorCommand(), witnessCommands()}
}

// wantsJSON reports whether --json was given.
func wantsJSON(cmd *cobra.Command) bool {
	f := cmd.Flag("json")
	return f != nil && f.Value.String() == "true"
}

// logger writes JSON lines for machines.
func logger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log = %q is none of debug, info, warn, error", level)
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l})), nil
}

// address is the exchange's external address, without a trailing slash: the
// configured one, or the one on which it listens.
func address(c config.Config, listen string) string {
	if c.URL != "" {
		return c.URL
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "http://" + listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if c.TLSCertificate != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// contents are the names that an exchange has in its data folder.
var contents = []string{
	config.FileName, "forewarn.db", "forewarn.db-wal", "forewarn.db-shm", "blobs", "ledger", "lock",
}

// holdsExchange reports whether there is an exchange in the folder, even one
// that was only begun.
func holdsExchange(data string) (bool, error) {
	name, err := findsIn(data, contents[:2])
	return name != "", err
}

// findsIn answers the first of the names that the folder has.
func findsIn(data string, names []string) (string, error) {
	for _, name := range names {
		_, err := os.Lstat(filepath.Join(data, name))
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("looking into the data folder: %w", err)
		}
	}
	return "", nil
}

// makeFolder makes the data folder, for this user alone, where there is none.
// One that is there must not hold anything that an exchange would overwrite.
func makeFolder(data string) (made bool, err error) {
	if _, err := os.Stat(data); err == nil {
		name, err := findsIn(data, contents)
		if err == nil && name != "" {
			err = fmt.Errorf("%s contains %q, which an exchange would use; choose another folder. Nothing was changed", data, name)
		}
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(data), 0o755); err != nil {
		return false, fmt.Errorf("making the data folder: %w", err)
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return false, fmt.Errorf("making the data folder: %w", err)
	}
	return true, nil
}

// discard removes an exchange that was begun and not finished, and the folder
// too if it was made for it.
func discard(data string, made bool) error {
	var errs []error
	for _, name := range contents {
		errs = append(errs, os.RemoveAll(filepath.Join(data, name)))
	}
	if made {
		errs = append(errs, os.Remove(data))
	}
	return errors.Join(errs...)
}

// serveUntil serves until ctx ends, calls started once requests are answered,
// and closes the server in any case.
func serveUntil(ctx context.Context, s *server.Server, ln net.Listener, started func() error) error {
	run, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(run, ln) }()
	err := started()
	if err != nil {
		stop()
	}
	return errors.Join(err, <-ended, s.Close())
}
