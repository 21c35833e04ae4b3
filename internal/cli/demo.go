package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/demo"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// trial is one run of `forewarn demo`.
type trial struct {
	listen, data, ready string
	anyPort             bool // the address was not asked for by name
	bundles             []string
	out, err            io.Writer
}

func demoCommand() *cobra.Command {
	var t trial
	cmd := &cobra.Command{
		Use: "demo", Short: "Run an exchange with a demonstration program", Args: cobra.ArbitraryArgs,
		Long: `Runs an exchange with an invented program: forty members in four cohorts, and
three monthly releases, one closed with outcomes, one on the clock, one draft.
Prints the address, sign-in links, tokens and commands to try, and serves until
SIGTERM or SIGINT. Without --data it lives in a temporary folder that is removed
at the end; a folder given with --data is kept, and used again the next time.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && len(t.bundles) == 0 {
				return usage("%s takes no arguments; bundles are given with --bundle", cmd.CommandPath())
			}
			t.bundles = append(t.bundles, args...)
			t.anyPort = !cmd.Flags().Changed("listen")
			t.out, t.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			err := t.run(cmd.Context())
			if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
				return nil // it was asked to end, also when it had only begun
			}
			return err
		},
	}
	cmd.Flags().StringVar(&t.listen, "listen", config.Default().Listen, "address to listen on; when it is taken and was not asked for, another port")
	cmd.Flags().StringVar(&t.data, "data", "", "folder that keeps the demonstration (default: a temporary one)")
	cmd.Flags().StringArrayVar(&t.bundles, "bundle", nil, "STIX bundle to put into the draft release; may be repeated")
	cmd.Flags().StringVar(&t.ready, "ready", "", "file to write once it serves: JSON with addresses, accounts and collections")
	return cmd
}

func (t *trial) run(ctx context.Context) (err error) {
	for _, name := range t.bundles { // before anything is made
		if _, err := os.Stat(name); err != nil {
			return fmt.Errorf("opening a bundle: %w", err)
		}
	}
	if t.data == "" {
		if t.data, err = os.MkdirTemp("", "forewarn-demo-"); err != nil {
			return fmt.Errorf("making a temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(t.data)) }()
	}
	ln, err := t.bind()
	if err != nil {
		return err
	}
	s, r, err := t.open(ctx, ln)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	if err = t.handIn(ctx, s, r); err != nil {
		return errors.Join(err, ln.Close(), s.Close())
	}
	why, err := demo.Example(ctx, s)
	if err != nil {
		return errors.Join(err, ln.Close(), s.Close())
	}
	early, _ := r.Account("early")
	proof, err := demo.Proves(ctx, s, early)
	if err != nil {
		return errors.Join(err, ln.Close(), s.Close())
	}
	return serveUntil(ctx, s, ln, func() error {
		if err := t.announce(r, why, proof); err != nil {
			return err
		}
		go debug.FreeOSMemory() // what the seed needed is not needed any more
		return nil
	})
}

func (t *trial) bind() (net.Listener, error) {
	ln, err := net.Listen("tcp", t.listen)
	if errors.Is(err, syscall.EADDRINUSE) && t.anyPort {
		fmt.Fprintf(t.err, "%s is in use; taking another port\n", t.listen)
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return ln, nil
}

// open opens the folder's demonstration, or writes one into an empty folder.
func (t *trial) open(ctx context.Context, ln net.Listener) (*server.Server, demo.Ready, error) {
	there, err := holdsExchange(t.data)
	if err != nil {
		return nil, demo.Ready{}, err
	}
	if there {
		return t.reopen(ctx, ln)
	}
	made, err := makeFolder(t.data)
	if err != nil {
		return nil, demo.Ready{}, err
	}
	c := config.Default()
	c.RequestsPerSecond = -1 // none: who tries it out may try how fast it is
	c.Name = "Forewarn demonstration"
	if err := config.Write(filepath.Join(t.data, config.FileName), c); err != nil {
		return nil, demo.Ready{}, err
	}
	clock := demo.NewClock(time.Now)
	s, err := server.Open(ctx, server.Options{Data: t.data, Config: c, Now: clock.Now})
	if err != nil {
		return nil, demo.Ready{}, errors.Join(err, discard(t.data, made))
	}
	s.SetURL(address(c, ln.Addr().String()))
	r, err := demo.Seed(ctx, s, clock)
	if err == nil {
		err = demo.Save(t.data, r)
	}
	if err != nil {
		return nil, demo.Ready{}, errors.Join(err, s.Close(), discard(t.data, made))
	}
	return s, r, nil
}

func (t *trial) reopen(ctx context.Context, ln net.Listener) (*server.Server, demo.Ready, error) {
	if !demo.In(t.data) {
		return nil, demo.Ready{}, fmt.Errorf("%s holds an exchange that is no demonstration; nothing was changed", t.data)
	}
	c, err := config.Load(filepath.Join(t.data, config.FileName))
	if err != nil {
		return nil, demo.Ready{}, err
	}
	s, err := server.Open(ctx, server.Options{Data: t.data, Config: c})
	if err != nil {
		return nil, demo.Ready{}, err
	}
	s.SetURL(address(c, ln.Addr().String()))
	r, err := demo.Load(ctx, s, t.data)
	if err != nil {
		return nil, demo.Ready{}, errors.Join(err, s.Close())
	}
	return s, r, nil
}

// handIn puts the bundles into the draft release.
func (t *trial) handIn(ctx context.Context, s *server.Server, r demo.Ready) error {
	for _, name := range t.bundles {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("opening a bundle: %w", err)
		}
		err = demo.HandIn(ctx, s, r, filepath.Base(name), f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// announce says where the exchange is and how to use it.
func (t *trial) announce(r demo.Ready, why string, proof demo.Proof) error {
	if t.ready != "" {
		if err := demo.WriteJSON(t.ready, r); err != nil {
			return err
		}
	}
	w := &lines{w: t.out}
	w.say("Forewarn demonstration at %s", r.URL)
	w.say("\nSign in with one click:\n")
	shown := []string{"operator", "approver", "approver-2", "early", "at-release"}
	for _, name := range shown {
		a, _ := r.Account(name)
		w.say("  %-11s %s", name, a.SignIn)
	}
	w.say("\nTokens:\n")
	for _, name := range shown {
		a, _ := r.Account(name)
		w.say("  %-11s %s", name, a.Token)
	}
	operator, _ := r.Account("operator")
	early, _ := r.Account("early")
	later, _ := r.Account("at-release")
	env := func(a demo.Account) string {
		return "FOREWARN_URL=" + r.URL + " FOREWARN_TOKEN=" + a.Token + " " + shell(os.Args[0])
	}
	w.say("\nTry what a member's machine does, what came of the program, and why somebody does not see something yet:\n")
	w.say("  %s pull --program %s --out early-copy", env(early), r.Program)
	w.say("  %s outcome show --program %s", env(operator), r.Program)
	if why != "" {
		w.say("  %s why %s --for %s", env(operator), why, later.Organisation)
	}
	w.say("\nVerify the log, and the receipt of something that a member was given, without an account:\n")
	w.say("  %s verify log %s/log --key %s", shell(os.Args[0]), r.URL, proof.Key)
	w.say("  %s ledger receipt %d -o entry-%[2]d.receipt && %[3]s verify receipt entry-%[2]d.receipt --key %[4]s",
		env(early), proof.Entry, shell(os.Args[0]), proof.Key)
	w.say("\nWhat originators control, in the browser:\n")
	for _, c := range []struct{ account, what, path string }{
		{"standard-2", "took something back; one holder answered, one is silent", "/recalls"},
		{"early-2", "holds it and is asked to answer; has asked to re-share", "/recalls"},
		{"validate", "is asked whether something may be passed on", "/reshares"},
		{"operator", "one object is held under a marking that nobody understands", "/programs/" + string(demo.Community) + "/held"},
	} {
		a, _ := r.Account(c.account)
		w.say("  %-11s %s: %s%s\n              %s", c.account, c.what, r.URL, c.path, a.SignIn)
	}
	w.say("\nTAXII 2.1 at %s, as %s with the token above; the collections by what that account may do there:\n", r.TAXII, r.Member.Account)
	for _, c := range []struct {
		may string
		of  *demo.Named
	}{
		{"read and write", r.Member.Collections.ReadWrite},
		{"read", r.Member.Collections.ReadOnly},
		{"write", r.Member.Collections.WriteOnly},
		{"not know of", r.Member.Collections.Hidden},
	} {
		if c.of != nil {
			w.say("  %-14s %s  %s", c.may, c.of.ID, c.of.Title)
		}
	}
	w.say("\nOrganisations, people and content are invented. Ctrl-C ends it.")
	return w.err
}

// lines writes lines until one fails.
type lines struct {
	w   io.Writer
	err error
}

func (l *lines) say(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format+"\n", args...)
	}
}
