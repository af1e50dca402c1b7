module github.com/peerguard/peerguard/ffi/go/bench

go 1.24

require github.com/peerguard/peerguard/ffi/go v0.0.0

require github.com/sony/gobreaker/v2 v2.4.0

replace github.com/peerguard/peerguard/ffi/go => ../
