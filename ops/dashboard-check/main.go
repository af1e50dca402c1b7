// Reads a dashboard by Grafana's own schemas, as its foundation SDK has them: an unknown field, a missing one or one of
// another type is told and ends in failure, in the dashboard as in its panels and their queries.
//
//	go run . ../grafana-dashboard.json
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	if len(os.Args) != 2 {
		fail("usage: dashboard-check FILE")
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	known := cog.NewRuntime()
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	known.RegisterPanelcfgVariant(table.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterDataqueryVariant(prometheus.VariantConfig())

	var strict, read dashboard.Dashboard
	for _, err := range []error{strict.UnmarshalJSONStrict(text), json.Unmarshal(text, &read), read.Validate()} {
		// Where nested parts had no fault the SDK returns an empty list, which is not nil.
		if err != nil && err.Error() != "" {
			fail(err)
		}
	}
	panels, queries := 0, 0
	for _, entry := range read.Panels {
		if entry.Panel == nil {
			fail("rows are not checked: their panels would be left out")
		}
		panel := entry.Panel
		switch panel.Options.(type) {
		case *stat.Options, *table.Options, *timeseries.Options:
			panels++
		default:
			fail(fmt.Sprintf("panel %q is of the type %q, whose schema is not registered here", *panel.Title, panel.Type))
		}
		for _, target := range panel.Targets {
			if _, ok := target.(*prometheus.Dataquery); !ok {
				fail(fmt.Sprintf("panel %q asks something else than Prometheus", *panel.Title))
			}
			queries++
		}
	}
	fmt.Printf("%d panels, %d queries\n", panels, queries)
}

func fail(what any) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}
