// Command staticbin fails unless the file given is a statically linked ELF
// program: it names no interpreter and needs no shared library, so it runs on any
// Linux of its architecture, also in an empty container.
package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: staticbin FILE")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "staticbin: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	fmt.Println(os.Args[1], "is statically linked")
}

func check(path string) error {
	f, err := elf.Open(path)
	var format *elf.FormatError
	if errors.As(err, &format) {
		return fmt.Errorf("not an ELF file (this check is for Linux builds): %w", err)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it names an interpreter, so it is dynamically linked")
		}
	}
	libraries, err := f.ImportedLibraries()
	if err == nil && len(libraries) > 0 {
		return fmt.Errorf("it needs %v", libraries)
	}
	return nil
}
