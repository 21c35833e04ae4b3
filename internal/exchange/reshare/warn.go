package reshare

import (
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Warn tells those whose consent governs what was made from an item, and those
// who run the program, that the item was taken back or came under a stricter
// handling. What was made from it stays as it is: they decide on it. The notice
// names what was made and nothing of the item, which its reader may not know.
func Warn(tx Tx, a exchange.Actor, program exchange.ProgramID, item string) error {
	children, err := tx.DerivedOf(program, item)
	if err != nil || len(children) == 0 {
		return err
	}
	c, err := tx.Charter(program)
	if err != nil {
		return err
	}
	for _, child := range children {
		seq, err := tx.Record(exchange.Event{
			Kind: exchange.EventParentRecalled, Actor: a, Program: program, Release: child.Release, Subject: []string{string(child.ID), item},
		})
		if err != nil {
			return err
		}
		to := append(slices.Clone(child.Owners()), c.Owner)
		slices.Sort(to)
		err = tx.Notify(slices.Compact(to), exchange.Notice{
			Program: program, Kind: exchange.EventParentRecalled, Event: seq,
			Text: "Something that “" + child.Title + "” (" + string(child.ID) + ") was made from was taken back, corrected or put under a stricter handling. Look whether this has to follow.",
		})
		if err != nil {
			return err
		}
	}
	return nil
}
