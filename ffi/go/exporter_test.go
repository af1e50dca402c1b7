package peerguard

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func exporterOf(t testing.TB, guard *Guard, change func(*ExporterOptions)) *Exporter {
	t.Helper()
	options := DefaultExporterOptions()
	options.Interval = Forever
	if change != nil {
		change(&options)
	}
	exporter := must(guard.NewExporter(options))(t)
	t.Cleanup(func() { exporter.Close() })
	return exporter
}

func TestMetricsAreServedInTheFormThatIsAskedFor(t *testing.T) {
	guard := newGuard(t, nil)
	trip(t, guard, id(1))
	handler := exporterOf(t, guard, nil).MetricsHandler()
	ask := func(method, accept string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, "/metrics", nil)
		if accept != "" {
			request.Header.Set("Accept", accept)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer
	}
	classic := ask(http.MethodGet, "")
	if classic.Code != http.StatusOK || !strings.HasPrefix(classic.Header().Get("Content-Type"), "text/plain; version=0.0.4") ||
		!strings.Contains(classic.Body.String(), "circuit_breaker_trips_total 1\n") {
		t.Fatal(classic)
	}
	open := ask(http.MethodGet, "application/openmetrics-text; version=1.0.0, text/plain; q=0.5")
	if !strings.HasPrefix(open.Header().Get("Content-Type"), "application/openmetrics-text") ||
		!strings.HasSuffix(open.Body.String(), "# EOF\n") {
		t.Fatal(open)
	}
	if posted := ask(http.MethodPost, ""); posted.Code != http.StatusMethodNotAllowed {
		t.Fatal(posted)
	}
}

func TestQueriesReadAndOperatorsChange(t *testing.T) {
	guard := newGuard(t, nil)
	exporter := exporterOf(t, guard, nil)
	peer := id(1)
	const ban = "mutation($peer: String!) { banPeer(peerId: $peer) }"
	variables := map[string]any{"peer": peer.String()}
	var answer struct {
		Data   map[string]any
		Errors []struct{ Extensions struct{ Code string } }
	}
	ask := func(query string, role Role) {
		t.Helper()
		answer.Data, answer.Errors = nil, nil
		if err := json.Unmarshal(must(exporter.Query(query, variables, role))(t), &answer); err != nil {
			t.Fatal(err)
		}
	}
	ask(ban, Reader)
	if len(answer.Errors) != 1 || answer.Errors[0].Extensions.Code != "UNAUTHORIZED" {
		t.Fatalf("%+v", answer)
	}
	ask(ban, Operator)
	if len(answer.Errors) != 0 || !must(guard.IsBanned(peer))(t) {
		t.Fatalf("%+v", answer)
	}
	if err := exporter.Publish(); err != nil {
		t.Fatal(err)
	}
	ask("query { getReputationSummary { bannedPeers } }", Reader)
	if summary, _ := answer.Data["getReputationSummary"].(map[string]any); summary["bannedPeers"] != 1.0 {
		t.Fatalf("%+v", answer)
	}
	if snapshot := must(exporter.SnapshotJSON())(t); !json.Valid(snapshot) || !strings.Contains(string(snapshot), peer.String()) {
		t.Fatal(string(snapshot))
	}
	_, err := exporter.QueryJSON([]byte("{ open }"), Reader)
	is(t, err, ErrText)
	_, err = exporter.QueryJSON(nil, Reader)
	is(t, err, ErrText)
	_, err = exporter.QueryJSON([]byte("{}"), 7)
	is(t, err, ErrInvalid)
}

func TestAServerThatIsForgottenGoesOn(t *testing.T) {
	guard := newGuard(t, nil)
	address := must(guard.Serve("127.0.0.1:0"))(t).Address()
	// Twice: a cleanup runs after the collection that finds its object.
	runtime.GC()
	runtime.GC()
	answer := must(http.Get("http://" + address + "/healthz"))(t)
	answer.Body.Close()
	serving.Range(func(exporter, _ any) bool {
		is(t, exporter.(*Exporter).Close(), nil)
		return true
	})
	if _, err := http.Get("http://" + address + "/healthz"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
}

func TestATextWithAZeroIsRefused(t *testing.T) {
	guard := newGuard(t, nil)
	for _, change := range []func(*ExporterOptions){
		func(o *ExporterOptions) { o.Address = "127.0.0.1:0\x00x" },
		func(o *ExporterOptions) { o.Token = "\x00secret" },
		func(o *ExporterOptions) { o.OperatorToken = "a\x00secret" },
		func(o *ExporterOptions) { o.Hosts = []string{"one", "t\x00wo"} },
	} {
		options := DefaultExporterOptions()
		change(&options)
		_, err := guard.NewExporter(options)
		is(t, err, ErrText)
	}
}

func TestAServerListensUntilItIsClosed(t *testing.T) {
	guard := newGuard(t, nil)
	exporter := must(guard.Serve("127.0.0.1:0"))(t)
	address := exporter.Address()
	_, err := guard.Serve(address)
	is(t, err, ErrSystem)
	is(t, err, syscall.EADDRINUSE)
	_, err = guard.Serve("0.0.0.0:0")
	is(t, err, ErrToken)
	_, err = guard.Serve("nowhere")
	is(t, err, ErrText)
	guard.Close()
	answer := must(http.Get("http://" + address + "/metrics"))(t)
	body := must(io.ReadAll(answer.Body))(t)
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), "circuit_breaker_trips_total 0") {
		t.Fatal(answer.Status, string(body))
	}
	for range 2 {
		if err := exporter.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := http.Get("http://" + address + "/metrics"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	is(t, exporter.Publish(), ErrClosed)
	if exporter.Address() != "" {
		t.Fatal("an address")
	}
}
