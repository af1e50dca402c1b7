//! The plots, drawn from the figures of target/bench.json: both axes logarithmic, or one with steps.

use std::fmt::Write as _;
use std::io;

use serde_json::Value;

use crate::goals::grouped;
use crate::plan::{CONVENTIONAL, OURS_BY_KEY, OURS_BY_PEER, RIVAL_A, RIVAL_B};
use crate::tails::PERCENTILES;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 50.0;

/// One line of a plot: its name, its colour, and a value for each step of the axis, where there is one.
struct Series {
    name: &'static str,
    colour: &'static str,
    values: Vec<Option<f64>>,
}

const COLOURS: [(&str, &str); 6] = [
    (OURS_BY_KEY, "#0b6e4f"),
    (OURS_BY_PEER, "#4cb944"),
    ("floor", "#8d99ae"),
    (RIVAL_A, "#d1495b"),
    (RIVAL_B, "#edae49"),
    (CONVENTIONAL, "#30638e"),
];

/// Cost against the number of peers.
pub fn peers(figures: &Value) -> io::Result<String> {
    let steps = [1, 1_000, 100_000, 1_000_000];
    let at = |step: usize, ours: &str| {
        let operation = format!("admit_bytes + success, {ours}");
        move |row: &Value| {
            row["operation"] == operation.as_str()
                && row["peers"] == steps[step]
                && row["threads"] == 1
                && row["skew"] == "uniform"
        }
    };
    let series = collect(figures, steps.len(), at)?;
    let labels: Vec<String> = steps.iter().map(|&n| grouped(n)).collect();
    Ok(draw("admit_bytes + success, one thread, uniform: ns per operation", "peers", &labels, &series))
}

/// The slowest calls.
pub fn tails(figures: &Value) -> io::Result<String> {
    let at = |step: usize, ours: &str| {
        let operation = format!("p{} of the cycle under a mixed load, {ours}", PERCENTILES[step]);
        move |row: &Value| row["operation"] == operation.as_str()
    };
    let series = collect(figures, PERCENTILES.len(), at)?;
    let labels: Vec<String> = PERCENTILES.iter().map(|p| format!("p{p}")).collect();
    let title = "one exchange under a mixed load of 2 threads, Zipf over 100,000 peers: ns";
    Ok(draw(title, "percentile", &labels, &series))
}

/// The lines of a plot: `at(step, ours)` tells which rows belong to a step.
fn collect<F: Fn(&Value) -> bool>(
    figures: &Value,
    steps: usize,
    at: impl Fn(usize, &str) -> F,
) -> io::Result<Vec<Series>> {
    let rows = figures.as_array().ok_or_else(|| io::Error::other("target/bench.json is not a list"))?;
    let value = |step: usize, name: &str| {
        let ours = if name == OURS_BY_PEER { OURS_BY_PEER } else { OURS_BY_KEY };
        let here = at(step, ours);
        let mut here = rows.iter().filter(|row| here(row));
        match name {
            OURS_BY_KEY | OURS_BY_PEER => here.next()?["ns"].as_f64(),
            "floor" => here.next()?["floor_ns"].as_f64(),
            rival => here.find(|row| row["rival"] == rival)?["rival_ns"].as_f64(),
        }
    };
    let series: Vec<Series> = COLOURS
        .iter()
        .map(|&(name, colour)| Series { name, colour, values: (0..steps).map(|step| value(step, name)).collect() })
        .collect();
    match series.iter().any(|line| line.values.iter().any(Option::is_some)) {
        true => Ok(series),
        false => {
            Err(io::Error::other("target/bench.json has none of the figures that are drawn; run `make bench` first"))
        }
    }
}

fn draw(title: &str, axis: &str, steps: &[String], series: &[Series]) -> String {
    let all = || series.iter().flat_map(|line| line.values.iter().flatten());
    let low = all().fold(f64::INFINITY, |a, &b| a.min(b)).log10().floor();
    let high = all().fold(1.0, |a: f64, &b| a.max(b)).log10().ceil().max(low + 1.0);
    let x = |step: usize| LEFT + (WIDTH - LEFT - RIGHT) * step as f64 / (steps.len() - 1) as f64;
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (high - value.log10()) / (high - low);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"15\">{title}</text>\n"
    );
    let right = WIDTH - RIGHT;
    for decade in low as i32..=high as i32 {
        for digit in 1..10 {
            let value = f64::from(digit) * 10f64.powi(decade);
            if value.log10() > high {
                break;
            }
            let (colour, at) = (if digit == 1 { "#bbb" } else { "#eee" }, y(value));
            let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"{colour}\"/>");
            if digit == 1 {
                let (x, at) = (LEFT - 8.0, at + 4.0);
                let _ = writeln!(svg, "<text x=\"{x}\" y=\"{at:.1}\" text-anchor=\"end\">{value}</text>");
            }
        }
    }
    for (step, label) in steps.iter().enumerate() {
        let (x, y) = (x(step), HEIGHT - BOTTOM + 20.0);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>");
    }
    let (middle, bottom) = (LEFT.midpoint(right), HEIGHT - 10.0);
    let _ = writeln!(svg, "<text x=\"{middle:.1}\" y=\"{bottom}\" text-anchor=\"middle\">{axis}</text>");
    for (nth, line) in series.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            line.values.iter().enumerate().filter_map(|(step, value)| Some((x(step), y((*value)?)))).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let colour = line.colour;
        let path = path.join(" ");
        let _ = writeln!(svg, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        for (x, y) in &points {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
        let (x, y) = (right + 18.0, TOP + 20.0 * nth as f64 + 8.0);
        let name = match line.name {
            OURS_BY_KEY => "peerguard by key",
            OURS_BY_PEER => "peerguard by Peer",
            "floor" => "floor F2 by key",
            RIVAL_A => "A: three maps",
            RIVAL_B => "B: one entry",
            other => other,
        };
        let _ = writeln!(svg, "<path d=\"M{x} {y}h18\" stroke=\"{colour}\" stroke-width=\"3\"/>");
        let (x, y) = (x + 24.0, y + 4.0);
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\">{name}</text>");
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(peers: usize, ns: f64) -> Value {
        json!({
            "operation": "admit_bytes + success, by key", "peers": peers, "threads": 1, "skew": "uniform",
            "ns": ns, "spread": 1.0, "rival": "A", "rival_ns": 5.0 * ns, "floor_ns": ns / 2.0,
        })
    }

    #[test]
    fn a_plot_has_a_point_for_each_figure() {
        let svg = peers(&json!([row(1_000, 40.0), row(100_000, 100.0)])).unwrap();
        assert_eq!(svg.matches("<circle").count(), 6);
        assert!(svg.ends_with("</svg>\n"));
    }

    #[test]
    fn without_figures_the_error_says_what_to_run() {
        assert!(peers(&json!([])).unwrap_err().to_string().contains("make bench"));
    }
}
