// Command forewarn is the whole product: server, client and administration.
package main

import (
	"os"
	_ "time/tzdata" // calendars work on machines without a time zone database

	"github.com/forewarn-exchange/forewarn/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
