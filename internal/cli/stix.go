package cli

import "github.com/spf13/cobra"

// stixCommands work on STIX content in files, without an exchange: every verb
// stands here.
func stixCommands() *cobra.Command {
	return noun("stix", "Look into STIX content, without an exchange",
		stixPatternCommand(),
	)
}
