module peerguard.example/go/bench

go 1.24

require peerguard.example/go v0.0.0

require github.com/sony/gobreaker/v2 v2.4.0

replace peerguard.example/go => ../
