package main

import (
	"errors"
	"fmt"
	"sync"

	"github.com/sony/gobreaker/v2"
	peerguard "peerguard.example/go"
)

func peers(n int) []peerguard.PeerID {
	ids := make([]peerguard.PeerID, n)
	for i := range ids {
		ids[i] = peerguard.DigestPeerID(fmt.Appendf(nil, "peer %d", i))
	}
	return ids
}

// A prime step, so that neighbours in time are none in memory.
const step = 7919

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// toTheTop successes bring a newcomer's score to the top, where it stays.
const toTheTop = 25

// known is a guard that has known the peers for long.
func known(ids []peerguard.PeerID) *peerguard.Guard {
	config := peerguard.DefaultConfig()
	config.MaxPeers = uint64(len(ids)) * 5 / 4
	guard, err := peerguard.New(config)
	must(err)
	for _, id := range ids {
		for range toTheTop {
			_, err := guard.Report(id, peerguard.Result{Outcome: peerguard.SyncSuccess})
			must(err)
		}
	}
	return guard
}

// each visits n of the ids, from a place of the worker's own.
func each(ids []peerguard.PeerID, worker, n int, visit func(id peerguard.PeerID)) {
	at := worker * (len(ids) / 2)
	for range n {
		visit(ids[at])
		if at += step; at >= len(ids) {
			at %= len(ids)
		}
	}
}

var errSync = errors.New("sync failed")

// work is what a breaker guards: nothing, well done.
func work() (struct{}, error) { return struct{}{}, nil }

func rivals(size, cores int) {
	ids := peers(size)
	guard := known(ids)
	defer guard.Close()
	var breakers sync.Map
	breaker := func(id peerguard.PeerID) *gobreaker.CircuitBreaker[struct{}] {
		if found, ok := breakers.Load(id); ok {
			return found.(*gobreaker.CircuitBreaker[struct{}])
		}
		made := gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{Name: id.String()})
		found, _ := breakers.LoadOrStore(id, made)
		return found.(*gobreaker.CircuitBreaker[struct{}])
	}
	for _, id := range ids {
		_, err := breaker(id).Execute(work)
		must(err)
	}
	goal := map[int]map[int]float64{1: {1_000: 2, 100_000: 8}, 2: {1_000: 0, 100_000: 4}}[cores][size]
	theirs := side{"gobreaker Execute in a sync.Map", func(worker, n int) {
		each(ids, worker, n, func(id peerguard.PeerID) {
			if _, err := breaker(id).Execute(work); err != nil {
				panic(errSync)
			}
		})
	}}
	do := func() peerguard.Result {
		if _, err := work(); err != nil {
			return peerguard.Result{Outcome: peerguard.MessageFailure}
		}
		return peerguard.Result{Outcome: peerguard.MessageSuccess}
	}
	with := func(ours side) {
		compare(pair{what: fmt.Sprintf("%d keys", size), n: 200_000 / cores, goal: goal, ours: ours, theirs: theirs}, cores)
	}
	with(side{"admit + report", func(worker, n int) {
		each(ids, worker, n, func(id peerguard.PeerID) {
			permit, err := guard.Admit(id)
			must(err)
			_, err = permit.Report(do())
			must(err)
		})
	}})
	with(side{"admit + Reporter", func(worker, n int) {
		reporter := guard.Reporter()
		each(ids, worker, n, func(id peerguard.PeerID) {
			permit, err := guard.Admit(id)
			must(err)
			must(reporter.Report(&permit, do()))
		})
		must(reporter.Close())
	}})
	with(side{"AdmitBatch + ReportBatch of 64", func(worker, n int) {
		var batch peerguard.Batch
		waiting := make([]peerguard.PeerID, 0, 64)
		results := make([]peerguard.Result, 64)
		exchange := func() {
			_, err := guard.AdmitBatch(&batch, waiting)
			must(err)
			for i := range waiting {
				results[i] = do()
			}
			_, err = guard.ReportBatch(&batch, results[:len(waiting)])
			must(err)
			waiting = waiting[:0]
		}
		each(ids, worker, n, func(id peerguard.PeerID) {
			if waiting = append(waiting, id); len(waiting) == cap(waiting) {
				exchange()
			}
		})
		exchange()
	}})
}
