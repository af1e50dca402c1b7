//! Families as text, classic and OpenMetrics.

use std::fmt::{self, Write};

use super::Format;
use super::family::{Family, Kind, Metric, Sample};

pub(super) fn encode(families: &[Family], format: Format) -> String {
    let mut text = String::with_capacity(8 * 1024);
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, families, format);
    text
}

fn write_all(text: &mut String, families: &[Family], format: Format) -> fmt::Result {
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let Metric { help, kind, .. } = family.metric;
        let name = family_name(&family.metric, format);
        writeln!(text, "# HELP {name} {help}")?;
        writeln!(text, "# TYPE {name} {}", type_name(kind, format))?;
        for sample in &family.samples {
            write_sample(text, &family.metric, sample)?;
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    Ok(())
}

fn write_sample(text: &mut String, metric: &Metric, sample: &Sample) -> fmt::Result {
    text.push_str(metric.name);
    let mut before = '{';
    for (name, value) in metric.labels.iter().zip(&sample.labels) {
        write!(text, "{before}{name}=\"{value}\"")?;
        before = ',';
    }
    if before == ',' {
        text.push('}');
    }
    writeln!(text, " {}", sample.value)
}

/// OpenMetrics names a family without the suffix that its samples have.
fn family_name(metric: &Metric, format: Format) -> &'static str {
    let suffix = match metric.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge => "",
    };
    match format {
        Format::Text => metric.name,
        Format::OpenMetrics => metric.name.strip_suffix(suffix).unwrap_or(metric.name),
    }
}

fn type_name(kind: Kind, format: Format) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Info if format == Format::OpenMetrics => "info",
        Kind::Gauge | Kind::Info => "gauge",
    }
}
