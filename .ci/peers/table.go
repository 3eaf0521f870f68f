package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// table prints the runs of one kind. A line of the file is kind|who|figures, the figures being those of measure and,
// from a tool that starts slowly, its own messages a second. Every who runs once a round, and bizumctl first.
func table(kind string, n int, file string) error {
	names, runs, err := read(kind, file)
	if err != nil {
		return err
	}
	// rate is in millions a second: of the whole process, or the tool's own figure where there is one.
	rate := func(run []float64) float64 {
		if len(run) > 4 {
			return run[4] / 1e6
		}
		return float64(n) / 1e6 / run[0]
	}
	fmt.Printf("| %s | M messages/s (min–max) | bizumctl is faster by | CPU ns/message | broker's CPU ns/message | peak MB |\n", kind)
	fmt.Println("|---|---|---|---|---|---|")
	for _, name := range names {
		var rates, whole, ratios, cpu, broker, peak []float64
		for round, run := range runs[name] {
			rates = append(rates, rate(run))
			whole = append(whole, float64(n)/1e6/run[0])
			ratios = append(ratios, rate(runs[names[0]][round])/rate(run))
			cpu = append(cpu, run[1]/float64(n)*1e9)
			broker = append(broker, run[2]/float64(n)*1e9)
			peak = append(peak, run[3])
		}
		speed := fmt.Sprintf("%.2f (%.2f–%.2f)", median(rates), slices.Min(rates), slices.Max(rates))
		if len(runs[name][0]) > 4 {
			speed += fmt.Sprintf(" its own figure, %.2f from start to end", median(whole))
		}
		ratio := fmt.Sprintf("%.2f ×", median(ratios))
		if strings.HasPrefix(name, "bizumctl") {
			ratio = ""
		}
		fmt.Printf("| %s | %s | %s | %.0f | %.0f | %.0f |\n", name, speed, ratio, median(cpu), median(broker), median(peak))
	}
	return nil
}

// latencies prints the runs whose figures are those of latency, then consumer's and producer's CPU and elapsed seconds.
func latencies(file string) error {
	names, runs, err := read("latency", file)
	if err != nil {
		return err
	}
	fmt.Println("| latency | p50 ms | p99 ms (min–max) | max ms | consumer's CPU | producer's CPU |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, name := range names {
		column := func(value func(run []float64) float64) (values []float64) {
			for _, run := range runs[name] {
				values = append(values, value(run))
			}
			return values
		}
		at := func(i int) []float64 { return column(func(run []float64) float64 { return run[i] }) }
		share := func(wall int) float64 {
			return 100 * median(column(func(run []float64) float64 { return run[wall+1] / run[wall] }))
		}
		fmt.Printf("| %s | %.1f | %.1f (%.1f–%.1f) | %.1f | %.0f %% | %.0f %% |\n", name,
			median(at(0)), median(at(1)), slices.Min(at(1)), slices.Max(at(1)), median(at(2)), share(3), share(7))
	}
	return nil
}

// read gives the names in the order of the first round, and each name's runs in the order of the rounds.
func read(kind, file string) (names []string, runs map[string][][]float64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	runs = map[string][][]float64{}
	in := bufio.NewScanner(f)
	for in.Scan() {
		parts := strings.Split(in.Text(), "|")
		if len(parts) != 3 || parts[0] != kind {
			continue
		}
		var run []float64
		for _, field := range strings.Fields(parts[2]) {
			value, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return nil, nil, err
			}
			run = append(run, value)
		}
		if !slices.Contains(names, parts[1]) {
			names = append(names, parts[1])
		}
		runs[parts[1]] = append(runs[parts[1]], run)
	}
	return names, runs, in.Err()
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
