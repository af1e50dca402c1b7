// Command bench times the guard from Go: beside what a Go node would otherwise keep, a sync.Map of gobreaker v2 breakers,
// and its own ways beside each other.
//
// Everything that is compared runs in turns in one process. Shown are medians over the rounds, and the quartiles of the
// ratio within a round. On one core the process's CPU time counts, the garbage collector's included, so that other processes
// disturb less; on two cores it is the time that passes. Each timed stretch follows an untimed one of the same side, since the
// other has driven its memory from the caches.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"
)

var rounds = flag.Int("rounds", 15, "paired rounds")

// side is one way to do something: n operations by one of the workers.
type side struct {
	name string
	run  func(worker, n int)
}

// pair is two ways to do the same, and how often faster ours should be; 0: no goal.
type pair struct {
	what         string
	ours, theirs side
	n            int
	goal         float64
}

// timed is the time per operation when each worker does n of them.
func timed(s side, workers, n int) float64 {
	var done sync.WaitGroup
	began := now(workers)
	for worker := range workers - 1 {
		done.Add(1)
		go func() {
			defer done.Done()
			s.run(worker+1, n)
		}()
	}
	s.run(0, n)
	done.Wait()
	return float64(now(workers)-began) / float64(n*workers)
}

// now is CPU time for one worker, else time.
func now(workers int) time.Duration {
	if workers > 1 {
		return time.Since(start)
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

var start = time.Now()

// quartiles of some values.
func quartiles(values []float64) (low, median, high float64) {
	slices.Sort(values)
	at := func(quarter int) float64 { return values[(len(values)-1)*quarter/4] }
	return at(1), at(2), at(3)
}

func compare(p pair, workers int) {
	var ours, theirs, ratios []float64
	warm := func(s side) float64 {
		timed(s, workers, p.n/2)
		return timed(s, workers, p.n)
	}
	for round := range *rounds {
		var one, other float64
		if round%2 == 0 {
			one, other = warm(p.ours), warm(p.theirs)
		} else {
			other, one = warm(p.theirs), warm(p.ours)
		}
		ours, theirs, ratios = append(ours, one), append(theirs, other), append(ratios, other/one)
	}
	_, our, _ := quartiles(ours)
	_, their, _ := quartiles(theirs)
	low, ratio, high := quartiles(ratios)
	verdict := ""
	switch {
	case p.goal == 0:
	case ratio >= p.goal:
		verdict = fmt.Sprintf("  goal %g: met", p.goal)
	default:
		verdict = fmt.Sprintf("  goal %g: missed", p.goal)
	}
	fmt.Printf("%-32s %7.1f ns  %-34s %8.1f ns  %6.2f x (%.2f-%.2f)%s\n",
		p.what+": "+p.ours.name, our, p.theirs.name, their, ratio, low, high, verdict)
}

func main() {
	flag.Parse()
	// As a node would run it, without pauses of the benchmark's own making.
	debug.SetGCPercent(100)
	fmt.Printf("%s, %d rounds; medians, quartiles of the ratio\n", runtime.Version(), *rounds)
	for _, cores := range []int{1, 2} {
		if cores > runtime.NumCPU() {
			fmt.Fprintln(os.Stderr, "fewer than", cores, "cores")
			os.Exit(1)
		}
		runtime.GOMAXPROCS(cores)
		if cores == 1 {
			fmt.Println("GOMAXPROCS=1: ns are CPU time per operation")
			own()
		} else {
			fmt.Printf("GOMAXPROCS=%d: ns are the time that passes, divided by the operations of all workers\n", cores)
		}
		for _, size := range []int{1_000, 100_000} {
			rivals(size, cores)
		}
	}
}
