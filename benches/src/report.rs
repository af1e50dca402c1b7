//! The tables for people: Markdown, with columns that line up in a terminal too.

use crate::goals::{Bound, goals, grouped};
use crate::measure::Timing;
use crate::plan::{CONVENTIONAL, RIVAL_A, RIVAL_B, floors_of};
use crate::results::{Outcome, Results};
use crate::stats::Quartiles;
use crate::subject::Role;
use crate::tails::PERCENTILES;

/// A Markdown table; the first `left` columns flush left, figures flush right.
fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows[0].len();
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0).max(3);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &[String]| {
        let cell = |c: usize| match c < left {
            true => format!("{:<w$}", row[c], w = widths[c]),
            false => format!("{:>w$}", row[c], w = widths[c]),
        };
        let cells: Vec<String> = (0..columns).map(cell).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: Vec<String> = (0..columns)
        .map(|c| if c < left { "-".repeat(widths[c]) } else { format!("{}:", "-".repeat(widths[c] - 1)) })
        .collect();
    line(&rows[0]) + &line(&rule) + &rows[1..].iter().map(|row| line(row)).collect::<String>()
}

fn cells(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn ns(q: Quartiles) -> String {
    let places = if q.median < 10.0 { 2 } else { 1 };
    format!("{:.places$}", q.median)
}

fn range(q: Quartiles) -> String {
    format!("{:.1} to {:.1}", q.low, q.high)
}

fn ratio(q: Quartiles) -> String {
    format!("{:.2}", q.median)
}

/// Everything that was measured, one section each.
pub fn sections(results: &Results) -> String {
    let mut text = String::new();
    let mut section = |title: &str, body: String| text.push_str(&format!("### {title}\n\n{body}\n"));
    section("Goals", goals_table(results));
    if !results.outcomes.is_empty() {
        let title = format!("Nanoseconds per operation, medians of {} paired rounds", results.rounds);
        section(&title, operations(&results.outcomes));
    }
    if results.outcomes.iter().any(|o| o.timings.iter().any(|t| t.role == Role::Part)) {
        section("Rivals that do a part of it, beside peerguard by key", parts(&results.outcomes));
    }
    if !results.tails.is_empty() {
        section("Single calls under a mixed load of 2 threads, Zipf over 100,000 peers: ns", tails(results));
    }
    if !results.contacts.is_empty() {
        section("Peers that nobody knew: ns for each", contacts(results));
    }
    if !results.passes.is_empty() {
        section("Reading everything, 100,000 peers: milliseconds", passes(results));
    }
    if !results.memory.is_empty() {
        section("Resident bytes per peer, 100,000 peers", memory(results));
    }
    if let Some(scrape) = &results.scrape {
        let mut rows = vec![cells(&["p99 of admit, 100,000 peers", "ns", "quartiles"])];
        for (name, rounds) in
            [("quiet", &scrape.quiet), ("published, scraped and queried once a second", &scrape.scraped)]
        {
            let q = Quartiles::of(rounds);
            rows.push(vec![name.into(), ns(q), range(q)]);
        }
        section("What exporters cost the hot path", aligned(&rows, 1));
    }
    if !results.checks.is_empty() {
        section("Floors beside their parts, measured in the same rounds", floor_checks(results));
    }
    text
}

/// One line per figure that the project set itself.
fn goals_table(results: &Results) -> String {
    let mut rows = vec![cells(&["goal", "", "bound", "measured", "quartiles"])];
    for goal in goals(results) {
        let bound = match goal.bound {
            Bound::AtMost(most) => format!("≤ {most}"),
            Bound::AtLeast(least) => format!("≥ {least}"),
        };
        let measured = |show: fn(Quartiles) -> String| goal.measured.map_or(String::new(), show);
        let quartiles = measured(|q| format!("{:.2} to {:.2}", q.low, q.high));
        rows.push(vec![goal.what.clone(), goal.verdict().into(), bound, measured(ratio), quartiles]);
    }
    aligned(&rows, 2)
}

/// The quickest rival that does all of an operation.
fn best_rival(outcome: &Outcome) -> Option<&Timing> {
    let rivals = outcome.timings.iter().filter(|t| t.role == Role::Rival);
    rivals.min_by(|a, b| a.quartiles().median.total_cmp(&b.quartiles().median))
}

/// One line per figure of ours, with all that it is compared with.
fn operations(outcomes: &[Outcome]) -> String {
    let mut rows = vec![cells(&[
        "operation",
        "peerguard",
        "skew",
        "peers",
        "threads",
        "ns",
        "quartiles",
        "A",
        "B",
        "conventional",
        "F1",
        "floor",
        "best rival ÷ it",
        "it ÷ F1",
        "it ÷ floor",
        "÷ alone",
    ])];
    for outcome in outcomes {
        let s = outcome.scenario;
        let median = |name| outcome.timing(name).map_or(String::new(), |t| ns(t.quartiles()));
        for ours in outcome.timings.iter().filter(|t| t.role == Role::Ours) {
            let floors = floors_of(ours.name, s.operation);
            let to_floor =
                floors.map(|floor| outcome.timing(floor).map_or(String::new(), |floor| ratio(ours.ratio_to(floor))));
            let [least, full] = floors.map(median);
            let best = best_rival(outcome).map_or(String::new(), |rival| ratio(rival.ratio_to(ours)));
            let slowdown = match s.threads {
                1 => String::new(),
                _ => ratio(Quartiles::of(&ours.slowdown())),
            };
            let mut row = vec![s.operation.name(), ours.name.into(), s.skew.name().into(), grouped(s.peers)];
            row.extend([s.threads.to_string(), ns(ours.quartiles()), range(ours.quartiles())]);
            row.extend([RIVAL_A, RIVAL_B, CONVENTIONAL].map(median));
            row.extend([least, full, best]);
            row.extend(to_floor);
            row.push(slowdown);
            rows.push(row);
        }
    }
    aligned(&rows, 3)
}

fn parts(outcomes: &[Outcome]) -> String {
    let mut rows = vec![cells(&["operation", "rival", "skew", "peers", "threads", "ns", "quartiles", "÷ peerguard"])];
    for outcome in outcomes {
        let s = outcome.scenario;
        let ours = outcome.timings.iter().find(|t| t.role == Role::Ours);
        for part in outcome.timings.iter().filter(|t| t.role == Role::Part) {
            let times = ours.map_or(String::new(), |ours| ratio(part.ratio_to(ours)));
            let mut row = vec![s.operation.name(), part.name.into(), s.skew.name().into(), grouped(s.peers)];
            row.extend([s.threads.to_string(), ns(part.quartiles()), range(part.quartiles()), times]);
            rows.push(row);
        }
    }
    aligned(&rows, 3)
}

fn tails(results: &Results) -> String {
    let mut header = cells(&["subject"]);
    header.extend(PERCENTILES.map(|p| format!("p{p}")));
    header.push("quartiles of p99.9".into());
    let mut rows = vec![header];
    for tail in &results.tails {
        let mut row = vec![tail.name.to_string()];
        row.extend((0..PERCENTILES.len()).map(|p| grouped(tail.quartiles(p).median as usize)));
        row.push(range(tail.quartiles(3)));
        rows.push(row);
    }
    aligned(&rows, 1)
}

fn contacts(results: &Results) -> String {
    let mut rows = vec![cells(&["operation", "subject", "ns", "quartiles"])];
    for contact in &results.contacts {
        let q = Quartiles::of(&contact.rounds);
        rows.push(vec![contact.operation.into(), contact.name.into(), ns(q), range(q)]);
    }
    aligned(&rows, 2)
}

fn passes(results: &Results) -> String {
    let mut rows = vec![cells(&["pass", "ms", "quartiles", "÷ sequential read", "its rival ÷ it"])];
    let read = results.pass(crate::passes::SEQUENTIAL_READ);
    for pass in &results.passes {
        let q = pass.quartiles();
        let [low, median, high] = [q.low, q.median, q.high].map(|ns| ns / 1e6);
        let times = read.map_or(String::new(), |read| ratio(Quartiles::of_ratios(&pass.rounds, &read.rounds)));
        let rival = pass.rival.and_then(|rival| results.pass(rival));
        let rival = rival.map_or(String::new(), |rival| ratio(Quartiles::of_ratios(&rival.rounds, &pass.rounds)));
        rows.push(vec![pass.name.into(), format!("{median:.2}"), format!("{low:.2} to {high:.2}"), times, rival]);
    }
    aligned(&rows, 1)
}

fn memory(results: &Results) -> String {
    let mut rows = vec![cells(&["subject", "bytes"])];
    for (name, bytes) in &results.memory {
        let name = if *name == crate::plan::OURS_BY_KEY { "peerguard" } else { name };
        rows.push(vec![name.into(), format!("{bytes:.0}")]);
    }
    aligned(&rows, 1)
}

/// One line per floor: its cost, its parts, and whether it may be called a floor.
fn floor_checks(results: &Results) -> String {
    let mut rows = vec![cells(&["operation", "floor", "made of", "", "peers", "ns", "sum of parts", "ratio"])];
    for check in &results.checks {
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
            check.operation.name(),
            check.floor.into(),
            parts.join(" + "),
            if check.holds() { "is a floor".into() } else { "too slow".into() },
            grouped(check.peers),
            format!("{:.1}", check.ns),
            format!("{sum:.1}"),
            ratio(check.ratio),
        ]);
    }
    aligned(&rows, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![cells(&["name", "1"]), cells(&["a", "1,000"])];
        assert_eq!(aligned(&rows, 1), "| name |     1 |\n| ---- | ----: |\n| a    | 1,000 |\n");
    }
}
