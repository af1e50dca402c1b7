//go:build !linux

package peerguard

func onLargePages(n uint64) []uint64 { return make([]uint64, n) }
