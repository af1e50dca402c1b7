//! The table for people and the list for machines.

use std::fmt::Write as _;

use crate::floors::check::Check;
use crate::measure::Timing;
use crate::plan::{CONVENTIONAL, RIVAL_A, RIVAL_B, Scenario, floors_of};
use crate::stats::Quartiles;
use crate::subject::Role;
use crate::tails::Tail;

/// A scenario and what came out.
pub struct Outcome {
    pub scenario: Scenario,
    pub timings: Vec<Timing>,
}

impl Outcome {
    pub fn timing(&self, name: &str) -> Option<&Timing> {
        self.timings.iter().find(|t| t.name == name)
    }
}

/// Columns as wide as their widest cell; the first `left` of them flush left, figures flush right.
fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            let w = widths[c];
            let _ = match c < left {
                true => write!(line, "{cell:<w$}  "),
                false => write!(line, "{cell:>w$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// 100000 as 100,000.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn cells(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// Every contender of every scenario: ns per operation with quartiles, how many times faster than each rival, and how
/// many times its floor.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut rows = vec![cells(&[
        "operation",
        "skew",
        "subject",
        "peers",
        "threads",
        "ns",
        "quartiles",
        "A ÷ it",
        "B ÷ it",
        "conv ÷ it",
        "it ÷ F1",
        "it ÷ F2",
    ])];
    for outcome in outcomes {
        let s = outcome.scenario;
        for timing in &outcome.timings {
            let q = timing.quartiles();
            let against = |rival: &str| match outcome.timing(rival) {
                Some(rival) if timing.role == Role::Ours => {
                    format!("{:.2}", rival.ratio_to(timing).median)
                }
                _ => String::new(),
            };
            let floors = floors_of(timing.name).map(|floor| match outcome.timing(floor) {
                Some(floor) if timing.role != Role::Floor => {
                    format!("{:.2}", timing.ratio_to(floor).median)
                }
                _ => String::new(),
            });
            let mut row = vec![
                s.operation.name().into(),
                s.skew.name().into(),
                timing.name.into(),
                grouped(s.peers),
                s.threads.to_string(),
                format!("{:.1}", q.median),
                format!("{:.1} to {:.1}", q.low, q.high),
                against(RIVAL_A),
                against(RIVAL_B),
                against(CONVENTIONAL),
            ];
            row.extend(floors);
            rows.push(row);
        }
        rows.push(Vec::new());
    }
    aligned(&rows, 3)
}

/// One line per floor: its cost, its parts, and whether it may be called a floor.
pub fn floor_checks(checks: &[Check]) -> String {
    let mut rows = vec![cells(&["floor", "made of", "", "peers", "ns", "sum of parts", "ratio"])];
    for check in checks {
        let parts: Vec<String> = check
            .parts
            .iter()
            .map(|(count, name, ns)| match count {
                1 => format!("{name} {ns:.1}"),
                _ => format!("{count} × {name} {ns:.1}"),
            })
            .collect();
        let sum: f64 = check.parts.iter().map(|(count, _, ns)| *count as f64 * ns).sum();
        rows.push(vec![
            check.floor.into(),
            parts.join(" + "),
            if check.holds() { "holds".into() } else { "MORE THAN ITS PARTS + 25 %".into() },
            grouped(check.peers),
            format!("{:.1}", check.ns),
            format!("{sum:.1}"),
            format!("{:.2}", check.ratio.median),
        ]);
    }
    aligned(&rows, 3)
}

pub fn tails(tails: &[Tail]) -> String {
    let mut rows = vec![cells(&["subject", "p50", "p99", "p99.9", "p99.99"])];
    for tail in tails {
        let mut row = vec![tail.name.to_string()];
        row.extend([50.0, 99.0, 99.9, 99.99].map(|p| grouped(tail.at(p) as usize)));
        rows.push(row);
    }
    aligned(&rows, 1)
}

/// One line per figure that the project set itself.
pub fn goals(goals: &[(String, f64, Quartiles)]) -> String {
    let mut rows = vec![cells(&["goal", "", "at least", "measured", "quartiles"])];
    for (what, least, ratio) in goals {
        rows.push(vec![
            what.clone(),
            if ratio.median >= *least { "reached".into() } else { "missed".into() },
            format!("{least:.0}"),
            format!("{:.2}", ratio.median),
            format!("{:.2} to {:.2}", ratio.low, ratio.high),
        ]);
    }
    aligned(&rows, 2)
}

/// One object per figure of ours and rival, as JSON. Every text is one of our own names, so nothing needs escaping.
pub fn json(outcomes: &[Outcome]) -> String {
    let mut objects = Vec::new();
    for outcome in outcomes {
        let s = outcome.scenario;
        for ours in outcome.timings.iter().filter(|t| t.role == Role::Ours) {
            let q = ours.quartiles();
            let floor = outcome.timing(floors_of(ours.name)[1]).map(|f| f.quartiles().median);
            for rival in outcome.timings.iter().filter(|t| t.role == Role::Rival) {
                objects.push(format!(
                    "  {{\"operation\": \"{}, {}\", \"peers\": {}, \"threads\": {}, \"skew\": \"{}\", \"ns\": {:.2}, \
                     \"spread\": {:.2}, \"rival\": \"{}\", \"rival_ns\": {:.2}, \"floor_ns\": {}}}",
                    s.operation.name(),
                    ours.name,
                    s.peers,
                    s.threads,
                    s.skew.name(),
                    q.median,
                    q.spread(),
                    rival.name,
                    rival.quartiles().median,
                    floor.map_or("null".into(), |ns| format!("{ns:.2}")),
                ));
            }
        }
    }
    format!("[\n{}\n]\n", objects.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![cells(&["a", "1"]), cells(&["long", "1,000"])];
        assert_eq!(aligned(&rows, 1), "a         1\nlong  1,000\n");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([1, 1_000, 100_000].map(grouped), ["1", "1,000", "100,000"]);
    }
}
