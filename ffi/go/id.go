package peerguard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// PeerID is a peer's identity: 32 bytes, as a rule a public key.
type PeerID [32]byte

// ParsePeerID reads 64 hex digits.
func ParsePeerID(text string) (PeerID, error) {
	var id PeerID
	if len(text) != 2*len(id) {
		return PeerID{}, fmt.Errorf("%w: %d characters", ErrPeerID, len(text))
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return PeerID{}, fmt.Errorf("%w: %w", ErrPeerID, err)
	}
	return id, nil
}

// DigestPeerID brings an id of any length to 32 bytes: its SHA-256 digest.
func DigestPeerID(id []byte) PeerID { return sha256.Sum256(id) }

// String is 64 hex digits.
func (id PeerID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText is String: so ids are readable in JSON, as keys of maps too.
func (id PeerID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is [ParsePeerID].
func (id *PeerID) UnmarshalText(text []byte) error {
	parsed, err := ParsePeerID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}
