//go:build !peerguard_system

package peerguard

// The library built from this repository: `make go` puts it there. With the tag peerguard_system, an installed one.

// #cgo CFLAGS: -I${SRCDIR}/../../include
// #cgo LDFLAGS: ${SRCDIR}/lib/libpeerguard.a -lpthread -ldl -lm
import "C"
