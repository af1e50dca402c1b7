package peerguard

// #include "peerguard.h"
import "C"

// Version is that of the library that is running, such as "0.1.0".
func Version() string { return C.GoString(C.peerguard_version()) }
