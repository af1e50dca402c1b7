package peerguard

import (
	"fmt"
	"strings"
)

// ConfigError tells which field of a [Config], of [Limits] or of [ExporterOptions] is out of its range. errors.Is finds
// [ErrConfig].
type ConfigError struct {
	// Field is the path from there, such as "FailureThreshold" or "Weights.Timeout".
	Field string
	// Allowed is what the field may be, such as "1 to 31".
	Allowed string
}

func (e *ConfigError) Error() string {
	return ErrConfig.Error() + ": " + e.Field + " must be " + e.Allowed
}

// Is makes errors.Is find [ErrConfig].
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }

// configFields are the fields of Config by the library's names.
var configFields = map[string]string{
	"max_peers":                              "MaxPeers",
	"event_capacity":                         "EventCapacity",
	"circuit_breaker.failure_threshold":      "FailureThreshold",
	"circuit_breaker.failure_window":         "FailureWindow",
	"circuit_breaker.recovery_timeout":       "RecoveryTimeout",
	"circuit_breaker.max_open_time":          "MaxOpenTime",
	"circuit_breaker.probe_timeout":          "ProbeTimeout",
	"circuit_breaker.success_threshold":      "SuccessThreshold",
	"circuit_breaker.half_open_max_probes":   "HalfOpenMaxProbes",
	"circuit_breaker.failure_rate.rate":      "FailureRate",
	"circuit_breaker.failure_rate.min_calls": "FailureRateMinCalls",
	"circuit_breaker.jitter":                 "Jitter",
	"reputation.initial_score":               "InitialScore",
	"reputation.max_score":                   "MaxScore",
	"reputation.min_score":                   "MinScore",
	"reputation.hourly_decay_factor":         "HourlyDecayFactor",
	"reputation.ban_duration":                "BanDuration",
	"reputation.max_ban_duration":            "MaxBanDuration",
	"reputation.offence_memory":              "OffenceMemory",
	"reputation.latency_weight":              "LatencyWeight",
	"reputation.weights.sync_success":        "Weights.SyncSuccess",
	"reputation.weights.sync_failure":        "Weights.SyncFailure",
	"reputation.weights.message_success":     "Weights.MessageSuccess",
	"reputation.weights.message_failure":     "Weights.MessageFailure",
	"reputation.weights.timeout":             "Weights.Timeout",
	"reputation.weights.unreachable":         "Weights.Unreachable",
	"reputation.weights.protocol_violation":  "Weights.ProtocolViolation",
	"bandwidth.upload_limit_bps":             "UploadLimit",
	"bandwidth.download_limit_bps":           "DownloadLimit",
	"bandwidth.per_peer_upload_bps":          "PerPeerUploadLimit",
	"bandwidth.per_peer_download_bps":        "PerPeerDownloadLimit",
	"bandwidth.refill_interval":              "RefillInterval",
}

// configError reads the library's message, "field must be range", in the names of fields. What it cannot read it hands on.
func configError(message string, fields map[string]string) error {
	field, allowed, ok := strings.Cut(message, " must be ")
	name, known := fields[field]
	if !ok || !known {
		return fmt.Errorf("%w: %s", ErrConfig, message)
	}
	// A range may name another field of the same group, as in "recovery_timeout to 24 h".
	group := field[:strings.LastIndexByte(field, '.')+1]
	words := strings.Split(allowed, " ")
	for i, word := range words {
		if other, ok := fields[group+word]; ok {
			words[i] = other
		}
	}
	return &ConfigError{Field: name, Allowed: strings.Join(words, " ")}
}
