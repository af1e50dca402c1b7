//go:build !linux

package peerguard

func onLargePages(n uint64) []uint32 { return make([]uint32, n) }
