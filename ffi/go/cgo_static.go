//go:build !peerguard_system

package peerguard

// The library built from this repository: `make go` puts it there. With the tag peerguard_system, an installed one. Without
// the check the linker would be the first to miss it, and could not say what to do.

/*
#cgo CFLAGS: -I${SRCDIR}/../../include
#cgo LDFLAGS: ${SRCDIR}/lib/libpeerguard.a -lpthread -ldl -lm
#if defined(__has_include)
#if !__has_include("lib/libpeerguard.a")
#error "libpeerguard.a is not built: run `make go` in peerguard's repository, or build with -tags peerguard_system"
#endif
#endif
*/
import "C"
