module github.com/peerguard/peerguard/ffi/go

go 1.24
