// Package bench compares the guard with what a Go node would otherwise keep: a map of breakers.
package bench

import (
	"fmt"
	"sync"
	"testing"

	peerguard "github.com/peerguard/peerguard/ffi/go"
	"github.com/sony/gobreaker/v2"
)

func ids(n int) []peerguard.PeerID {
	ids := make([]peerguard.PeerID, n)
	for i := range ids {
		ids[i] = peerguard.DigestPeerID(fmt.Appendf(nil, "peer %d", i))
	}
	return ids
}

var sizes = []int{1_000, 100_000}

// A prime step, so that neighbours in time are none in memory.
const step = 7919

func BenchmarkPeerguard(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			config := peerguard.DefaultConfig()
			config.MaxPeers = uint64(size) * 5 / 4
			guard, err := peerguard.New(config)
			if err != nil {
				b.Fatal(err)
			}
			defer guard.Close()
			ids := ids(size)
			for _, id := range ids {
				guard.Report(id, peerguard.Result{Outcome: peerguard.MessageSuccess})
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i = (i + step) % size {
					permit, err := guard.Admit(ids[i])
					if err != nil {
						b.Error(err)
						return
					}
					permit.Report(peerguard.Result{Outcome: peerguard.MessageSuccess})
				}
			})
		})
	}
}

func BenchmarkSyncMapOfGobreaker(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var breakers sync.Map
			ids := ids(size)
			for _, id := range ids {
				breakers.Store(id, gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{}))
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i = (i + step) % size {
					found, _ := breakers.Load(ids[i])
					done, err := found.(*gobreaker.TwoStepCircuitBreaker[struct{}]).Allow()
					if err != nil {
						b.Error(err)
						return
					}
					done(nil)
				}
			})
		})
	}
}
