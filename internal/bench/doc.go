// Package bench measures what the product promises, each figure beside a floor
// or a limit that is measured in the same run: bytes appended to a file, bytes
// served from memory. It holds benchmarks only; none of them decides a test. Run
// it with make bench, which ends with a table of the figures and their targets.
//
// Ratios of processor time bear a busy machine better than those of clock time;
// both are shown.
package bench
