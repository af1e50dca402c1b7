module peerguard.example/go

go 1.24
