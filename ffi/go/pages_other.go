//go:build !linux

package peerguard

func onLargePages(n uint64) []hintSet { return make([]hintSet, n) }
