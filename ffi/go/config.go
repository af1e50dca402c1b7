package peerguard

// #include "peerguard.h"
import "C"

import "time"

// Config is everything a guard is made from. Start from [DefaultConfig]. Rates are bytes per second.
type Config struct {
	// MaxPeers is how many peers have a record at most: 1 to 2^26. Memory is taken at the start: about 220 bytes for each,
	// and 16 to 32 for what [Guard.Admit] remembers.
	MaxPeers uint64
	// EventCapacity is how many events are kept: 1 to 2^20.
	EventCapacity uint64
	// RefuseNewcomers: when no record can be made, refuse instead of serving without one.
	RefuseNewcomers bool

	FailureThreshold    uint32
	FailureWindow       time.Duration
	RecoveryTimeout     time.Duration
	MaxOpenTime         time.Duration
	ProbeTimeout        time.Duration // Forever = RecoveryTimeout
	SuccessThreshold    uint32
	HalfOpenMaxProbes   uint32 // 0 = SuccessThreshold
	Backoff             bool
	FailureRate         float64 // 0 = not judged
	FailureRateMinCalls uint32
	Jitter              float64

	InitialScore      float64
	MaxScore          float64
	MinScore          float64
	HourlyDecayFactor float64
	BanDuration       time.Duration // Forever = until unbanned
	MaxBanDuration    time.Duration
	OffenceMemory     time.Duration
	LatencyWeight     float64
	Weights           Weights

	UploadLimit          uint64 // 0 = unlimited
	DownloadLimit        uint64
	PerPeerUploadLimit   uint64
	PerPeerDownloadLimit uint64
	RefillInterval       time.Duration
}

// Weights is what each outcome adds to the score.
type Weights struct {
	SyncSuccess, SyncFailure, MessageSuccess, MessageFailure, Timeout, Unreachable, ProtocolViolation float64
}

// DefaultConfig is the default configuration.
func DefaultConfig() Config {
	var raw C.peerguard_config
	C.peerguard_config_init(&raw, C.sizeof_peerguard_config)
	return configOf(&raw)
}

// ClassicConfig is the original's: no back-off, no jitter, bans that end only when lifted.
func ClassicConfig() Config {
	var raw C.peerguard_config
	C.peerguard_config_init_classic(&raw, C.sizeof_peerguard_config)
	return configOf(&raw)
}

func configOf(c *C.peerguard_config) Config {
	return Config{
		MaxPeers:             uint64(c.max_peers),
		EventCapacity:        uint64(c.event_capacity),
		RefuseNewcomers:      c.newcomers == C.PEERGUARD_NEWCOMERS_REFUSE,
		FailureThreshold:     uint32(c.failure_threshold),
		FailureWindow:        duration(c.failure_window),
		RecoveryTimeout:      duration(c.recovery_timeout),
		MaxOpenTime:          duration(c.max_open_time),
		ProbeTimeout:         duration(c.probe_timeout),
		SuccessThreshold:     uint32(c.success_threshold),
		HalfOpenMaxProbes:    uint32(c.half_open_max_probes),
		Backoff:              c.backoff != 0,
		FailureRate:          float64(c.failure_rate),
		FailureRateMinCalls:  uint32(c.failure_rate_min_calls),
		Jitter:               float64(c.jitter),
		InitialScore:         float64(c.initial_score),
		MaxScore:             float64(c.max_score),
		MinScore:             float64(c.min_score),
		HourlyDecayFactor:    float64(c.hourly_decay_factor),
		BanDuration:          duration(c.ban_duration),
		MaxBanDuration:       duration(c.max_ban_duration),
		OffenceMemory:        duration(c.offence_memory),
		LatencyWeight:        float64(c.latency_weight),
		UploadLimit:          uint64(c.upload_limit_bps),
		DownloadLimit:        uint64(c.download_limit_bps),
		PerPeerUploadLimit:   uint64(c.per_peer_upload_bps),
		PerPeerDownloadLimit: uint64(c.per_peer_download_bps),
		RefillInterval:       duration(c.refill_interval),
		Weights: Weights{
			SyncSuccess:       float64(c.weight_sync_success),
			SyncFailure:       float64(c.weight_sync_failure),
			MessageSuccess:    float64(c.weight_message_success),
			MessageFailure:    float64(c.weight_message_failure),
			Timeout:           float64(c.weight_timeout),
			Unreachable:       float64(c.weight_unreachable),
			ProtocolViolation: float64(c.weight_protocol_violation),
		},
	}
}

func (c *Config) raw() C.peerguard_config {
	raw := C.peerguard_config{
		struct_size:               C.sizeof_peerguard_config,
		max_peers:                 C.uint64_t(c.MaxPeers),
		event_capacity:            C.uint64_t(c.EventCapacity),
		failure_threshold:         C.uint32_t(c.FailureThreshold),
		failure_window:            nanos(c.FailureWindow),
		recovery_timeout:          nanos(c.RecoveryTimeout),
		max_open_time:             nanos(c.MaxOpenTime),
		probe_timeout:             nanos(c.ProbeTimeout),
		success_threshold:         C.uint32_t(c.SuccessThreshold),
		half_open_max_probes:      C.uint32_t(c.HalfOpenMaxProbes),
		failure_rate:              C.double(c.FailureRate),
		failure_rate_min_calls:    C.uint32_t(c.FailureRateMinCalls),
		jitter:                    C.double(c.Jitter),
		initial_score:             C.double(c.InitialScore),
		max_score:                 C.double(c.MaxScore),
		min_score:                 C.double(c.MinScore),
		hourly_decay_factor:       C.double(c.HourlyDecayFactor),
		ban_duration:              nanos(c.BanDuration),
		max_ban_duration:          nanos(c.MaxBanDuration),
		offence_memory:            nanos(c.OffenceMemory),
		latency_weight:            C.double(c.LatencyWeight),
		weight_sync_success:       C.double(c.Weights.SyncSuccess),
		weight_sync_failure:       C.double(c.Weights.SyncFailure),
		weight_message_success:    C.double(c.Weights.MessageSuccess),
		weight_message_failure:    C.double(c.Weights.MessageFailure),
		weight_timeout:            C.double(c.Weights.Timeout),
		weight_unreachable:        C.double(c.Weights.Unreachable),
		weight_protocol_violation: C.double(c.Weights.ProtocolViolation),
		upload_limit_bps:          C.uint64_t(c.UploadLimit),
		download_limit_bps:        C.uint64_t(c.DownloadLimit),
		per_peer_upload_bps:       C.uint64_t(c.PerPeerUploadLimit),
		per_peer_download_bps:     C.uint64_t(c.PerPeerDownloadLimit),
		refill_interval:           nanos(c.RefillInterval),
	}
	if c.RefuseNewcomers {
		raw.newcomers = C.PEERGUARD_NEWCOMERS_REFUSE
	}
	if c.Backoff {
		raw.backoff = 1
	}
	return raw
}

// Limits are the limits of a running guard; 0 = unlimited.
type Limits struct {
	Upload, Download, PerPeerUpload, PerPeerDownload uint64
}
