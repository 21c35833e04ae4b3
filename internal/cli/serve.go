package cli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/demo"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// serving is the file of `forewarn serve --ready`.
type serving struct {
	URL   string `json:"url"`   // without a trailing slash
	TAXII string `json:"taxii"` // of the API root
}

func serveCommand() *cobra.Command {
	var data, listen, file, ready string
	cmd := &cobra.Command{
		Use: "serve --data DIR", Short: "Run the exchange that a data folder holds", Args: cobra.NoArgs,
		Long: `Runs the exchange in a data folder that forewarn init made, until SIGTERM or
SIGINT. Requests that are open then have three seconds to end; what was
acknowledged is on disk in any case. The log goes to stderr as JSON lines.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" {
				return usage("say with --data which folder holds the exchange")
			}
			c, err := serveConfig(data, file)
			if err != nil {
				return err
			}
			if listen != "" {
				c.Listen = listen
			}
			return serve(cmd, data, c, ready)
		},
	}
	cmd.Flags().StringVar(&data, "data", os.Getenv("FOREWARN_DATA"), "data folder (FOREWARN_DATA)")
	cmd.Flags().StringVar(&listen, "listen", "", "address to listen on (default: the configuration's)")
	cmd.Flags().StringVar(&file, "config", "", "configuration file (default: forewarn.toml in the data folder)")
	cmd.Flags().StringVar(&ready, "ready", "", "file to write once it serves: JSON with url and taxii")
	return cmd
}

// serveConfig reads the configuration of a folder in which there is an exchange.
func serveConfig(data, file string) (config.Config, error) {
	switch there, err := holdsExchange(data); {
	case err != nil:
		return config.Config{}, err
	case !there:
		return config.Config{}, fmt.Errorf("%s holds no exchange; make one with: forewarn init --data %s", data, data)
	}
	if file == "" {
		file = filepath.Join(data, config.FileName)
	} else if _, err := os.Stat(file); err != nil { // one that was asked for must be there
		return config.Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := config.Load(file)
	if err == nil && c.TLSCertificate != "" {
		if _, err = tls.LoadX509KeyPair(c.TLSCertificate, c.TLSKey); err != nil {
			err = fmt.Errorf("reading the certificate: %w", err)
		}
	}
	return c, err
}

func serve(cmd *cobra.Command, data string, c config.Config, ready string) error {
	log, err := logger(cmd.ErrOrStderr(), c.Log)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	s, err := server.Open(cmd.Context(), server.Options{Data: data, Config: c, Log: log})
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	s.SetURL(address(c, ln.Addr().String()))
	return serveUntil(cmd.Context(), s, ln, func() error {
		log.Info("serving", "url", s.Exchange.URL, "engine", s.DB.Engine())
		if ready != "" {
			if err := demo.WriteJSON(ready, serving{s.Exchange.URL, s.APIRoot()}); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), s.Exchange.URL)
		return err
	})
}
