package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A column shows one figure of a row: the median over the rounds and, if ranged, the smallest and the largest.
type column struct {
	title, format string
	ranged        bool
	value         func(run, first []float64) float64 // first is the same round of the table's first row
}

// The figures of a run are those of measure.
func speed(n int) []column {
	million, nanoseconds := float64(n)/1e6, 1e9/float64(n)
	return []column{
		{"M messages/s (min–max)", "%.2f", true, func(run, _ []float64) float64 { return million / run[0] }},
		{"first row : this", "%.2f", false, func(run, first []float64) float64 { return run[0] / first[0] }},
		{"CPU ns/message", "%.0f", false, func(run, _ []float64) float64 { return run[1] * nanoseconds }},
		{"broker's CPU ns/message", "%.0f", false, func(run, _ []float64) float64 { return run[2] * nanoseconds }},
		{"peak MB", "%.0f", false, func(run, _ []float64) float64 { return run[3] }},
	}
}

// The figures of a run are those of latency, then of measure for the consumer and for the producer.
var latencies = []column{
	{"p50 ms", "%.1f", false, func(run, _ []float64) float64 { return run[0] }},
	{"p99 ms (min–max)", "%.1f", true, func(run, _ []float64) float64 { return run[1] }},
	{"max ms", "%.1f", false, func(run, _ []float64) float64 { return run[2] }},
	{"consumer's CPU %", "%.0f", false, func(run, _ []float64) float64 { return 100 * run[4] / run[3] }},
	{"producer's CPU %", "%.0f", false, func(run, _ []float64) float64 { return 100 * run[8] / run[7] }},
}

// table prints the runs of one kind from a file of lines kind|name|figures, one a round for each name.
func table(kind string, n int, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var names []string
	runs := map[string][][]float64{}
	in := bufio.NewScanner(f)
	for in.Scan() {
		parts := strings.Split(in.Text(), "|")
		if parts[0] != kind {
			continue
		}
		var run []float64
		for _, field := range strings.Fields(parts[2]) {
			value, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return err
			}
			run = append(run, value)
		}
		if !slices.Contains(names, parts[1]) {
			names = append(names, parts[1])
		}
		runs[parts[1]] = append(runs[parts[1]], run)
	}
	if err := in.Err(); err != nil {
		return err
	}
	columns := latencies
	if kind != "latency" {
		columns = speed(n)
	}
	heads, rule := "| "+kind+" |", "|---|"
	for _, c := range columns {
		heads += " " + c.title + " |"
		rule += "---|"
	}
	fmt.Println(heads + "\n" + rule)
	for _, name := range names {
		row := "| " + name + " |"
		for _, c := range columns {
			var values []float64
			for round, run := range runs[name] {
				values = append(values, c.value(run, runs[names[0]][round]))
			}
			slices.Sort(values)
			row += fmt.Sprintf(" "+c.format, (values[(len(values)-1)/2]+values[len(values)/2])/2)
			if c.ranged {
				row += fmt.Sprintf(" ("+c.format+"–"+c.format+")", values[0], values[len(values)-1])
			}
			row += " |"
		}
		fmt.Println(row)
	}
	return nil
}
