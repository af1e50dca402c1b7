//! The metrics in the types of the `prometheus` crate.

use std::collections::HashMap;

use prometheus::core::{Collector, Desc};
use prometheus::proto;

use super::Exporter;
use super::family::{Family, Kind, Metric, Sample};
use super::metrics;

/// Collects the latest snapshot for a node's own registry: `registry.register(Box::new(exporter.collector()))`.
pub struct SnapshotCollector {
    exporter: Exporter,
    descriptions: Vec<Desc>,
}

impl SnapshotCollector {
    pub(super) fn new(exporter: Exporter) -> Self {
        // The names are constants; a test registers them all, so none of them is left out here.
        let descriptions = metrics::ALL.iter().filter_map(|metric| description(metric).ok()).collect();
        Self { exporter, descriptions }
    }
}

fn description(metric: &Metric) -> prometheus::Result<Desc> {
    let labels = metric.labels.iter().map(|&label| label.to_owned()).collect();
    Desc::new(metric.name.to_owned(), metric.help.to_owned(), labels, HashMap::new())
}

impl Collector for SnapshotCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let families = self.exporter.families();
        families.iter().filter(|family| !family.samples.is_empty()).map(collected).collect()
    }
}

fn collected(family: &Family) -> proto::MetricFamily {
    let metric = &family.metric;
    let mut out = proto::MetricFamily::default();
    out.set_name(metric.name.to_owned());
    out.set_help(metric.help.to_owned());
    out.set_field_type(match metric.kind {
        Kind::Counter => proto::MetricType::COUNTER,
        Kind::Gauge | Kind::Info => proto::MetricType::GAUGE,
    });
    out.set_metric(family.samples.iter().map(|sample| collected_sample(metric, sample)).collect());
    out
}

fn collected_sample(metric: &Metric, sample: &Sample) -> proto::Metric {
    let labels = metric.labels.iter().zip(&sample.labels).map(|(&name, value)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.clone().into_owned());
        pair
    });
    let mut out = proto::Metric::from_label(labels.collect());
    let value = sample.value.as_f64();
    if metric.kind == Kind::Counter {
        let mut counter = proto::Counter::default();
        counter.set_value(value);
        out.set_counter(counter);
    } else {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        out.set_gauge(gauge);
    }
    out
}
