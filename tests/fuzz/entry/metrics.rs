//! The metrics of any guard are well-formed text, in both forms; any `Accept` header chooses one.

use peerguard::export::prometheus::{Exporter, Format, PeerSeries};
use peerguard::{Clock, Config, PeerGuard, Publisher};

use super::play::play;
use super::reader::Reader;

pub fn run(data: &[u8]) {
    let accept = String::from_utf8_lossy(&data[..data.len().min(80)]);
    let _chosen = Format::negotiate(Some(&accept));
    let mut reader = Reader::new(data);
    let n = usize::from(reader.u8());
    let series = [PeerSeries::None, PeerSeries::Worst(n), PeerSeries::Top(n), PeerSeries::All][n % 4];
    let (clock, hand) = Clock::manual(reader.u64());
    let config = Config { max_peers: 8, event_capacity: 8, ..Config::default() };
    let guard = PeerGuard::with_clock(config, clock).expect("a valid configuration");
    play(&guard, &hand, &mut reader);
    let exporter = Exporter::new(&Publisher::new(&guard), series);
    for format in [Format::Text, Format::OpenMetrics] {
        let text = exporter.text(format);
        well_formed(&text, format).unwrap_or_else(|what| panic!("{what} in\n{text}"));
    }
}

/// Every sample belongs to the family that was announced last, has a number, and stands once.
fn well_formed(text: &str, format: Format) -> Result<(), String> {
    let body = match format {
        Format::Text => text,
        Format::OpenMetrics => text.strip_suffix("# EOF\n").ok_or("no end")?,
    };
    let mut family = String::new();
    let mut seen = std::collections::HashSet::new();
    for line in body.strip_suffix('\n').ok_or("no last line end")?.split('\n') {
        if let Some(comment) = line.strip_prefix("# ") {
            let (kind, rest) = comment.split_once(' ').ok_or(format!("comment {line:?}"))?;
            let (name, _) = rest.split_once(' ').unwrap_or((rest, ""));
            if !["HELP", "TYPE", "UNIT"].contains(&kind) {
                return Err(format!("comment {line:?}"));
            }
            name.clone_into(&mut family);
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').ok_or(format!("sample {line:?}"))?;
        let name = sample.split('{').next().unwrap_or(sample);
        if family.is_empty() || !name.starts_with(family.as_str()) {
            return Err(format!("{line:?} under {family:?}"));
        }
        let number: f64 = value.parse().map_err(|_| format!("value of {line:?}"))?;
        if number.is_nan() {
            return Err(format!("value of {line:?}"));
        }
        if !seen.insert(sample.to_owned()) {
            return Err(format!("{sample:?} twice"));
        }
    }
    Ok(())
}
