package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/internal/witness"
)

// witnessCommands need no exchange and no account: a witness trusts nobody.
func witnessCommands() *cobra.Command {
	return noun("witness", "Watch over a ledger: cosign its checkpoints, and find a history that differs",
		witnessInit(), witnessServe(), witnessFollow(), witnessStatus())
}

func witnessInit() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "init DIR --name NAME", Short: "Make a witness with a key of its own, and print the public key", Args: cobra.ExactArgs(1),
		Long: `Makes a folder with a new key. The public key that is printed goes to the operator
of the exchange, who writes it into the charter of the program. The private key
stays in the folder; who copies it can sign as this witness.`,
		Example: "  forewarn witness init /var/lib/witness --name witness.example/w1",
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := witness.Init(args[0], name)
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), key)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the witness's name: an address without scheme, such as witness.example/w1")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// witnessing is what serve and follow have in common.
type witnessing struct {
	logs  []string
	level string
}

func (o *witnessing) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.logs, "log", nil, "public key of the log: name+hash+base64 (more than once: further logs, or further keys of one)")
	cmd.Flags().StringVar(&o.level, "log-level", "info", "debug, info, warn or error")
	_ = cmd.MarkFlagRequired("log")
}

func (o *witnessing) open(cmd *cobra.Command, dir string) (*witness.Witness, *slog.Logger, error) {
	log, err := logger(cmd.ErrOrStderr(), o.level)
	if err != nil {
		return nil, nil, usage("%v", err)
	}
	w, err := witness.Open(dir, o.logs, witness.Options{Log: log})
	return w, log, err
}

func witnessServe() *cobra.Command {
	var o witnessing
	var listen string
	cmd := &cobra.Command{
		Use: "serve DIR --log KEY --listen ADDRESS", Short: "Answer logs that ask for cosignatures (C2SP tlog-witness)", Args: cobra.ExactArgs(1),
		Long: `Answers POST /add-checkpoint: cosigns a checkpoint that goes on from the newest
one, and refuses every other. What it signed is durable before the answer leaves.
Put a proxy with TLS before it.`,
		Example: "  forewarn witness serve /var/lib/witness --log \"$(cat log.key)\" --listen 127.0.0.1:8090",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, log, err := o.open(cmd, args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.Close()) }()
			ln, err := net.Listen("tcp", listen)
			if err != nil {
				return fmt.Errorf("listening: %w", err)
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "http://%s\n", ln.Addr()); err != nil {
				return err
			}
			log.Info("a witness is ready", "address", ln.Addr().String(), "logs", w.Origins())
			return serveWitness(cmd.Context(), w, ln)
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8090", "address to listen on")
	return cmd
}

func serveWitness(ctx context.Context, w *witness.Witness, ln net.Listener) error {
	srv := w.Server()
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		return srv.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// patience is how many times in a row a log may be shorter than before: a cache
// can give an old checkpoint for a moment.
const patience = 3

func witnessFollow() *cobra.Command {
	var o witnessing
	var address string
	var every time.Duration
	var once bool
	cmd := &cobra.Command{
		Use: "follow DIR --log KEY --url URL", Short: "Fetch a log's checkpoints, check them, and send cosignatures", Args: cobra.ExactArgs(1),
		Long: `For a witness that nobody can reach: fetches the newest checkpoint and what of the
log's tiles it takes to check that it goes on from the one before, cosigns it, and
sends the cosignature to the exchange. It opens connections and accepts none.

Exit code 7: the log shows a history that differs from what this witness saw. It
stops, the two checkpoints stay in the folder, and the exchange is told.`,
		Example: "  forewarn witness follow /var/lib/witness --log \"$(cat log.key)\" --url https://exchange.example/log",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			remote, err := witness.NewRemote(address)
			if err != nil {
				return usage("--url: %v", err)
			}
			if every < time.Second || every > 24*time.Hour {
				return usage("--every is between 1s and 24h")
			}
			w, log, err := o.open(cmd, args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.Close()) }()
			if len(w.Origins()) != 1 {
				return usage("one log has one address: the keys of --log are of %d logs", len(w.Origins()))
			}
			f := following{w, remote, log, w.Origins()[0], every, once}
			return f.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&address, "url", "", "address of the log, such as https://exchange.example/log")
	cmd.Flags().DurationVar(&every, "every", 10*time.Second, "how often to look")
	cmd.Flags().BoolVar(&once, "once", false, "look once, print what was cosigned, and end")
	_ = cmd.MarkFlagRequired("url")
	return cmd
}

type following struct {
	w      *witness.Witness
	remote *witness.Remote
	log    *slog.Logger
	origin string
	every  time.Duration
	once   bool
}

func (f following) run(ctx context.Context, out io.Writer) error {
	var told witness.Seen
	shorter := 0
	for {
		now, err := f.w.Round(ctx, f.origin, f.remote, told)
		var split *witness.Split
		if shorter++; !errors.As(err, &split) || !split.Shorter {
			shorter = 0
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case split != nil && (!split.Shorter || f.once || shorter >= patience):
			return &client.Unverified{Text: split.Error()}
		case f.once && err != nil:
			return err
		case f.once:
			_, err := fmt.Fprintf(out, "%d\n", now.Size)
			return err
		case err != nil:
			f.log.Warn("following the log", "origin", f.origin, "err", err)
		case now.Size != told.Size:
			f.log.Info("cosigned", "origin", f.origin, "size", now.Size)
		}
		told = now
		timer := time.NewTimer(f.every)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// witnessJSON is what status says with --json.
type witnessJSON struct {
	Name     string             `json:"name"`
	Key      string             `json:"key"`
	Logs     []witnessLogJSON   `json:"logs"`
	Evidence []witnessProofJSON `json:"evidence"`
}

type witnessLogJSON struct {
	Origin string    `json:"origin"`
	Size   int64     `json:"size"`
	Root   string    `json:"root"`
	At     time.Time `json:"cosigned_at"`
}

type witnessProofJSON struct {
	Origin string `json:"origin"`
	Seen   string `json:"seen"`
	Shown  string `json:"shown"`
	Proven bool   `json:"proven"`
}

func witnessStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status DIR", Short: "Show what a witness cosigned last, and the evidence that it keeps", Args: cobra.ExactArgs(1),
		Long: `Shows the newest checkpoint of each log that the witness cosigned.

Exit code 7: there is evidence that a log showed two histories.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := witness.Look(args[0])
			if err != nil {
				return err
			}
			if err := writeWitness(cmd, s); err != nil {
				return err
			}
			for _, e := range s.Evidence {
				if e.Proven {
					return &client.Unverified{Text: "the log " + e.Origin + " showed two histories; compare " + e.Seen + " and " + e.Shown}
				}
			}
			return nil
		},
	}
}

func writeWitness(cmd *cobra.Command, s witness.Status) error {
	out := cmd.OutOrStdout()
	if wantsJSON(cmd) {
		j := witnessJSON{Name: s.Name, Key: s.Key, Logs: []witnessLogJSON{}, Evidence: []witnessProofJSON{}}
		for _, l := range s.Logs {
			j.Logs = append(j.Logs, witnessLogJSON{l.Origin, l.Size, l.Root.String(), l.At})
		}
		for _, e := range s.Evidence {
			j.Evidence = append(j.Evidence, witnessProofJSON(e))
		}
		return json.NewEncoder(out).Encode(j)
	}
	if _, err := fmt.Fprintf(out, "key\t%s\n", s.Key); err != nil {
		return err
	}
	for _, l := range s.Logs {
		if _, err := fmt.Fprintf(out, "log\t%s\t%d\t%s\t%s\n", l.Origin, l.Size, l.Root, l.At.Format(time.RFC3339)); err != nil {
			return err
		}
	}
	for _, e := range s.Evidence {
		kind := "refused"
		if e.Proven {
			kind = "evidence"
		}
		if _, err := fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", kind, e.Origin, e.Seen, e.Shown); err != nil {
			return err
		}
	}
	return nil
}
