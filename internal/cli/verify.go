package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/internal/notary"
)

func (a *app) signedNotice() *cobra.Command {
	return &cobra.Command{
		Use: "signed NOTICE", Short: "Write a notice as the exchange signed it, to keep or to show to others",
		Example: "  forewarn notices signed not_c3v5kq2x7mzt4a6e > recall.note\n  forewarn verify notice recall.note --key \"$(forewarn notices key)\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := a.get(cmd.Context(), "/notices/"+seg(args[0])+"/signed", nil)
			if err != nil {
				return err
			}
			_, err = a.out.Write(got.Body)
			return err
		},
	}
}

func (a *app) noticeKey() *cobra.Command {
	return &cobra.Command{
		Use: "key", Short: "Show the public key with which the exchange signs notices", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			got, err := a.get(cmd.Context(), "/notice-key", nil)
			if err != nil {
				return err
			}
			var key struct{ Key string }
			if err := json.Unmarshal(got.Body, &key); err != nil {
				return fmt.Errorf("reading the key: %w", err)
			}
			_, err = fmt.Fprintln(a.out, key.Key)
			return err
		},
	}
}

// verifyCommands need no exchange, no account and no network.
func (a *app) verifyCommands() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use: "notice FILE", Short: "Check a signed notice against the exchange's public key",
		Long: `Check that a notice was signed by an exchange as it stands, and write its text.

The file is what "forewarn notices signed" or the API wrote; - is standard input.
The key comes from the exchange ("forewarn notices key") by a way that you trust.

Exit code 7: the signature does not hold; nothing is written.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			signed, err := a.read(args[0])
			if err != nil {
				return err
			}
			text, name, err := notary.Verify(signed, key)
			if err != nil {
				return &client.Unverified{Text: args[0] + ": " + err.Error()}
			}
			if _, err := io.WriteString(a.out, text); err != nil {
				return err
			}
			a.done("signed by %s", name)
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the exchange's public key: name+hash+base64")
	_ = cmd.MarkFlagRequired("key")
	return noun("verify", "Check what an exchange signed and logged, without an account", append(a.ledgerVerifyCommands(), cmd)...)
}
