package peerguard

// #include "peerguard.h"
// #include <stdlib.h>
import "C"

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Series tells which peers have metrics of their own.
type Series uint32

// Choices of peers.
const (
	// SeriesNone: no peer has.
	SeriesNone Series = C.PEERGUARD_SERIES_NONE
	// SeriesWorst: the worst of those in trouble.
	SeriesWorst Series = C.PEERGUARD_SERIES_WORST
	// SeriesTop: those with the highest scores.
	SeriesTop Series = C.PEERGUARD_SERIES_TOP
	// SeriesAll: every peer: with 100,000 peers that is 400,000 series.
	SeriesAll Series = C.PEERGUARD_SERIES_ALL
)

// ExporterOptions tell what an exporter does. Start from [DefaultExporterOptions]. Fields tell their ranges
// and, in brackets, their defaults.
type ExporterOptions struct {
	// Address is where to serve HTTP, such as "127.0.0.1:9100"; port 0 takes a free one. Empty: nowhere.
	Address string
	// Token is what a reader must send as "Authorization: Bearer"; needed where the address is not a loopback one.
	Token string
	// OperatorToken is what an operator must send to change something; without it nothing can be changed over HTTP.
	OperatorToken string
	// Hosts are names by which the server is reached besides localhost and addresses.
	Hosts []string
	// Interval is the time between two snapshots: 1 ms to 1 h; [Forever] = only by [Exporter.Publish] (1 s).
	Interval time.Duration
	// Timeout: a client must have sent its request, and an answer must move, within it: 1 ms to 1 h (4 s).
	Timeout time.Duration
	// StaleAfter: /healthz says 503 when the snapshot is older: 1 ms to 1 h (30 s).
	StaleAfter time.Duration
	// MaxBody is the largest body of a request, in bytes: at most 2^30 (2^20).
	MaxBody uint64
	// MaxConnections is how many connections there are at once at most: 1 to 2^20 (4096), and never more than half
	// of the descriptors that the process may open.
	MaxConnections uint32
	// Series and SeriesLimit tell which peers (SeriesWorst), and how many at most (100), have metrics of their own.
	Series      Series
	SeriesLimit uint64
}

// DefaultExporterOptions are the default options: a snapshot each second, no server.
func DefaultExporterOptions() ExporterOptions {
	var raw C.peerguard_exporter_options
	C.peerguard_exporter_options_init(&raw, C.sizeof_peerguard_exporter_options)
	return ExporterOptions{
		Interval: duration(raw.interval), Timeout: duration(raw.timeout), StaleAfter: duration(raw.stale_after),
		MaxBody: uint64(raw.max_body), MaxConnections: uint32(raw.max_connections),
		Series: Series(raw.series), SeriesLimit: uint64(raw.series_limit),
	}
}

// check finds what C would not see: its texts end at a 0.
func (o *ExporterOptions) check() error {
	for _, text := range []struct{ field, value string }{
		{"Address", o.Address}, {"Token", o.Token}, {"OperatorToken", o.OperatorToken}, {"Hosts", strings.Join(o.Hosts, ",")},
	} {
		if strings.ContainsRune(text.value, 0) {
			return fmt.Errorf("%w: %s has a 0 in it", ErrText, text.field)
		}
	}
	return nil
}

// raw writes the options for C; free ends its texts.
func (o *ExporterOptions) raw() (raw C.peerguard_exporter_options, free func()) {
	var texts []unsafe.Pointer
	text := func(s string) *C.char {
		if s == "" {
			return nil
		}
		c := C.CString(s)
		texts = append(texts, unsafe.Pointer(c))
		return c
	}
	raw = C.peerguard_exporter_options{
		struct_size: C.sizeof_peerguard_exporter_options,
		address:     text(o.Address), token: text(o.Token), operator_token: text(o.OperatorToken),
		hosts:    text(strings.Join(o.Hosts, ",")),
		interval: nanos(o.Interval), timeout: nanos(o.Timeout), stale_after: nanos(o.StaleAfter),
		max_body: C.uint64_t(o.MaxBody), max_connections: C.uint32_t(o.MaxConnections),
		series: C.uint32_t(o.Series), series_limit: C.uint64_t(o.SeriesLimit),
	}
	return raw, func() {
		for _, text := range texts {
			C.free(text)
		}
	}
}

// Exporter tells others how a guard's peers fare: as metrics, by GraphQL, as JSON, and over HTTP with a page.
type Exporter struct {
	handle  C.peerguard_exporter
	cleanup runtime.Cleanup
	closed  atomic.Bool
}

// serving are the exporters that serve: a server goes on until it is closed, whoever has forgotten it.
var serving sync.Map

// NewExporter makes an exporter, and serves HTTP in the background if the options have an address: the page at /, the
// metrics at /metrics, GraphQL at /graphql, everything as JSON at /snapshot.json, the health at /healthz. It works on when the
// guard is closed, and serves until it is closed itself.
//
// The error is a [syscall.Errno] if the address cannot be had, a [ConfigError] if a number is out of its range,
// [ErrUnsupported] if the library was built without exporters.
func (g *Guard) NewExporter(options ExporterOptions) (*Exporter, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	raw, free := options.raw()
	defer free()
	var handle C.peerguard_exporter
	var number C.int32_t
	status := C.peerguard_exporter_new(g.handle, &raw, &handle, &number)
	runtime.KeepAlive(g)
	if status == C.PEERGUARD_ERR_SYSTEM && number != 0 {
		return nil, fmt.Errorf("%w: %w", ErrSystem, syscall.Errno(number))
	}
	if status != C.PEERGUARD_OK {
		return nil, optionsFailure(status, &raw)
	}
	e := &Exporter{handle: handle}
	e.cleanup = runtime.AddCleanup(e, func(handle C.peerguard_exporter) { C.peerguard_exporter_free(handle) }, handle)
	if options.Address != "" {
		serving.Store(e, nil)
	}
	return e, nil
}

// optionsFailure is failure; of options that are wrong it tells which.
func optionsFailure(status C.int32_t, raw *C.peerguard_exporter_options) error {
	var why [256]C.char
	C.peerguard_exporter_options_check(raw, &why[0], C.size_t(len(why)))
	err, message := failure(status), C.GoString(&why[0])
	switch {
	case message == "":
		return err
	case status == C.PEERGUARD_ERR_CONFIG:
		return configError(message, optionFields)
	default:
		return fmt.Errorf("%w: %s", err, message)
	}
}

// optionFields are the fields of ExporterOptions by the library's names.
var optionFields = map[string]string{
	"interval":        "Interval",
	"timeout":         "Timeout",
	"stale_after":     "StaleAfter",
	"max_body":        "MaxBody",
	"max_connections": "MaxConnections",
}

// Serve is [Guard.NewExporter] with the default options and an address on this machine, such as "127.0.0.1:9100".
func (g *Guard) Serve(address string) (*Exporter, error) {
	options := DefaultExporterOptions()
	options.Address = address
	return g.NewExporter(options)
}

// Close stops the exporter and its server. To close twice is fine.
func (e *Exporter) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	e.cleanup.Stop()
	serving.Delete(e)
	status := C.peerguard_exporter_free(e.handle)
	runtime.KeepAlive(e)
	return failure(status)
}

// Address is where the exporter serves, with the port that port 0 found; empty if it does not serve.
func (e *Exporter) Address() string {
	var text [C.PEERGUARD_ADDRESS_TEXT]C.char
	status := C.peerguard_exporter_address(e.handle, &text[0], C.PEERGUARD_ADDRESS_TEXT)
	runtime.KeepAlive(e)
	if status != C.PEERGUARD_OK {
		return ""
	}
	return C.GoString(&text[0])
}

// Publish takes a snapshot now: what is read from now on is at least as new.
func (e *Exporter) Publish() error {
	status := C.peerguard_exporter_publish(e.handle)
	runtime.KeepAlive(e)
	return failure(status)
}

// MetricsFormat is a form of the metrics' text.
type MetricsFormat uint32

// Forms.
const (
	// ClassicMetrics: Prometheus' classic text, version 0.0.4.
	ClassicMetrics MetricsFormat = C.PEERGUARD_METRICS_CLASSIC
	// OpenMetrics: OpenMetrics 1.0.0.
	OpenMetrics MetricsFormat = C.PEERGUARD_METRICS_OPENMETRICS
)

// ContentType is the Content-Type of the form.
func (f MetricsFormat) ContentType() string {
	return C.GoString(C.peerguard_metrics_content_type(C.uint32_t(f)))
}

// Metrics writes the metrics of the latest snapshot for Prometheus.
func (e *Exporter) Metrics(format MetricsFormat) ([]byte, error) {
	var text C.peerguard_text
	status := C.peerguard_exporter_metrics(e.handle, C.uint32_t(format), &text)
	runtime.KeepAlive(e)
	return taken(status, text)
}

// SnapshotJSON writes the latest snapshot, with every peer, as JSON.
func (e *Exporter) SnapshotJSON() ([]byte, error) {
	var text C.peerguard_text
	status := C.peerguard_exporter_snapshot(e.handle, &text)
	runtime.KeepAlive(e)
	return taken(status, text)
}

// Role is who sends a query.
type Role uint32

// Roles.
const (
	// Reader may only read.
	Reader Role = C.PEERGUARD_ROLE_READER
	// Operator may also ban, unban, force, reset and change limits.
	Operator Role = C.PEERGUARD_ROLE_OPERATOR
)

// Query carries out a GraphQL query against the latest snapshot, an operator's mutation too. The answer is JSON, with "data"
// and, if something went wrong, "errors".
func (e *Exporter) Query(query string, variables map[string]any, role Role) ([]byte, error) {
	request := struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables,omitempty"`
	}{query, variables}
	encoded, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return e.QueryJSON(encoded, role)
}

// QueryJSON is [Exporter.Query] for a request as it comes over HTTP.
func (e *Exporter) QueryJSON(request []byte, role Role) ([]byte, error) {
	var text C.peerguard_text
	status := C.peerguard_exporter_query(e.handle, (*C.char)(unsafe.Pointer(unsafe.SliceData(request))),
		C.size_t(len(request)), C.uint32_t(role), &text)
	runtime.KeepAlive(e)
	if status == C.PEERGUARD_ERR_TEXT || status == C.PEERGUARD_ERR_NULL {
		return nil, fmt.Errorf("%w: not a GraphQL request", ErrText)
	}
	return taken(status, text)
}

// taken copies a text that a call made, and frees it.
func taken(status C.int32_t, text C.peerguard_text) ([]byte, error) {
	if err := failure(status); err != nil {
		return nil, err
	}
	defer C.peerguard_text_free(text)
	var length, written C.size_t
	if err := failure(C.peerguard_text_length(text, &length)); err != nil {
		return nil, err
	}
	if length == 0 {
		return nil, nil
	}
	bytes := make([]byte, int(length))
	status = C.peerguard_text_read(text, 0, (*C.char)(unsafe.Pointer(&bytes[0])), length, &written)
	return bytes[:written], failure(status)
}

// MetricsHandler serves the metrics from a server of the node's own: OpenMetrics to those who prefer it by their Accept
// header, else the classic text.
func (e *Exporter) MetricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "not by this method", http.StatusMethodNotAllowed)
			return
		}
		accept := []byte(strings.Join(r.Header.Values("Accept"), ","))
		var format C.uint32_t
		status := C.peerguard_metrics_negotiate((*C.char)(unsafe.Pointer(unsafe.SliceData(accept))),
			C.size_t(len(accept)), &format)
		err := failure(status)
		var text []byte
		if err == nil {
			text, err = e.Metrics(MetricsFormat(format))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", MetricsFormat(format).ContentType())
		w.Header().Set("Cache-Control", "no-store")
		// A client that has gone needs no answer.
		_, _ = w.Write(text)
	})
}
