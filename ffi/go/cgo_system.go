//go:build peerguard_system

package peerguard

// #cgo pkg-config: peerguard
import "C"
