//! The live table: one row for each peer, redrawn in place each second.

use std::time::Duration;

use peerguard::{BreakerState, Event, EventKind, PeerView};

use crate::ledger::Account;
use crate::peers::{Behaviour, Life, Neighbour};
use crate::screen::{Colour, Screen};

/// How many events stand below the table.
pub const NEWS: usize = 4;

/// One second's picture.
pub struct Scene<'a> {
    pub heading: &'a str,
    pub elapsed: Duration,
    /// How long it is to last, when that is known.
    pub length: Option<Duration>,
    pub rows: Vec<Row>,
    /// The second in a sentence.
    pub pulse: String,
    /// What happened lately, the newest last.
    pub news: &'a [String],
}

pub struct Row {
    kind: Behaviour,
    peer: String,
    does: String,
    state: (String, Colour),
    score: String,
    latency: String,
    down: String,
    up: String,
    refused: String,
}

impl Row {
    /// `view`: what the guard knows; `None` before it knows anything.
    pub fn new(neighbour: &Neighbour, view: Option<&PeerView>, account: &Account) -> Self {
        let dash = || "-".to_owned();
        let refused = match account.refusals.total() {
            0 => dash(),
            _ => account.refusals.in_words(),
        };
        Self {
            kind: neighbour.behaviour,
            peer: short_id(neighbour),
            does: does(neighbour),
            state: state(view),
            score: view.map_or_else(dash, |view| format!("{:.1}", view.score)),
            latency: view.and_then(|view| view.latency_ms).map_or_else(dash, latency),
            down: view.map_or_else(dash, |view| bytes(view.bytes_received)),
            up: view.map_or_else(dash, |view| bytes(view.bytes_sent)),
            refused,
        }
    }

    fn line(&self, screen: &Screen) -> String {
        let who = format!("{:<6} {:<12} ", self.peer, self.does);
        let state = format!("{:<11}", self.state.0);
        let rest = format!(" {:>5} {:>6} {:>8} {:>8} {}", self.score, self.latency, self.down, self.up, self.refused);
        // Cut first and paint then: colours take no room on the screen.
        let width = screen.width();
        let state_fits = cut(&state, width.saturating_sub(who.len()));
        let rest_fits = cut(&rest, width.saturating_sub(who.len() + state.len()));
        cut(&who, width) + &screen.paint(self.state.1, &state_fits) + &rest_fits
    }
}

/// The table's head and rows.
pub fn table(rows: &[&Row], screen: &Screen) -> Vec<String> {
    let head = format!(
        "{:<6} {:<12} {:<11} {:>5} {:>6} {:>8} {:>8} {}",
        "peer", "what it does", "state", "score", "answer", "received", "sent", "refused, and why"
    );
    let rows = rows.iter().map(|row| row.line(screen));
    std::iter::once(screen.paint(Colour::Bold, &cut(&head, screen.width()))).chain(rows).collect()
}

impl Scene<'_> {
    /// The whole picture, cut to the screen.
    pub fn lines(&self, screen: &Screen) -> Vec<String> {
        let end = match self.length {
            Some(length) => bar(self.elapsed, length, screen.width()),
            None => "Ctrl-C ends it with a summary".into(),
        };
        let below = [String::new(), self.pulse.clone()].into_iter().chain(self.news.iter().cloned()).chain([end]);
        let below: Vec<_> = below.map(|line| cut(&line, screen.width())).collect();
        let mut lines = vec![cut(self.heading, screen.width()), String::new()];
        // The head of the table and the line that tells of the hidden rows need room, too.
        let room = screen.height().saturating_sub(lines.len() + below.len() + 2);
        let shown = some_of_each(&self.rows, room);
        lines.extend(table(&shown, screen));
        if shown.len() < self.rows.len() {
            let hidden = self.rows.len() - shown.len();
            lines.push(cut(&format!("... {hidden} more in a taller terminal"), screen.width()));
        }
        lines.extend(below);
        lines
    }
}

/// At most `room` rows in their order, with all kinds of peers among them.
fn some_of_each(rows: &[Row], room: usize) -> Vec<&Row> {
    let nth_of_its_kind = |at: usize| rows[..at].iter().filter(|row| row.kind == rows[at].kind).count();
    let mut chosen: Vec<_> = (0..rows.len()).collect();
    chosen.sort_by_key(|at| nth_of_its_kind(*at));
    chosen.truncate(room);
    chosen.sort_unstable();
    chosen.into_iter().map(|at| &rows[at]).collect()
}

fn cut(line: &str, width: usize) -> String {
    line.chars().take(width).collect()
}

/// `[#########-----------]  9 s of 20 s`
fn bar(elapsed: Duration, length: Duration, width: usize) -> String {
    let elapsed = elapsed.min(length);
    let text = format!("  {} s of {} s", elapsed.as_secs(), length.as_secs());
    let cells = width.saturating_sub(text.len() + 2).min(60);
    let share = elapsed.as_secs_f64() / length.as_secs_f64();
    let full = (share * cells as f64) as usize;
    format!("[{}{}]{text}", "#".repeat(full), "-".repeat(cells - full))
}

/// An event of the guard in words: `  12.3 s  6fa31c (dying) opened for 2.1 s`.
pub fn event_line(elapsed: Duration, age: Duration, event: &Event, who: &Neighbour, view: Option<&PeerView>) -> String {
    let left = match event.kind {
        EventKind::Opened => view.and_then(|view| view.open_remaining),
        EventKind::Banned(_) => view.and_then(|view| view.ban.as_ref()?.remaining),
        _ => None,
    };
    let whole = left.map(|left| format!(" for {:.1} s", (left + age).as_secs_f64()));
    format!(
        "{:>6.1} s  {} ({}) {}{}",
        elapsed.saturating_sub(age).as_secs_f64(),
        short_id(who),
        who.behaviour.name(),
        event.kind.as_str().replace('_', " "),
        whole.unwrap_or_default(),
    )
}

fn short_id(neighbour: &Neighbour) -> String {
    neighbour.id.to_string()[..6].to_owned()
}

fn does(neighbour: &Neighbour) -> String {
    let dead = neighbour.truth.now() == Life::Dead;
    match neighbour.behaviour {
        Behaviour::Dying if dead => "dying: dead".into(),
        Behaviour::Dying => "dying: alive".into(),
        other => other.name().into(),
    }
}

fn state(view: Option<&PeerView>) -> (String, Colour) {
    let Some(view) = view else {
        return ("not met yet".into(), Colour::Dim);
    };
    let with_time = |word: &str, left: Option<Duration>| match left {
        Some(left) => format!("{word} {:.1}s", left.as_secs_f64()),
        None => word.to_owned(),
    };
    match (&view.ban, view.state) {
        (Some(ban), _) => (with_time("banned", ban.remaining), Colour::Magenta),
        (None, BreakerState::Open) => (with_time("open", view.open_remaining), Colour::Red),
        (None, BreakerState::HalfOpen) => ("half_open".into(), Colour::Yellow),
        (None, BreakerState::Closed) => ("closed".into(), Colour::Green),
    }
}

fn latency(ms: f64) -> String {
    match ms {
        10.0.. => format!("{ms:.0} ms"),
        _ => format!("{ms:.1} ms"),
    }
}

/// "812 B", "4.0 KiB", "12.3 MiB", "768 MiB".
pub fn bytes(n: u64) -> String {
    let (unit, size) = match n {
        0..1024 => return format!("{n} B"),
        1024..1_048_576 => ("KiB", n as f64 / 1024.0),
        1_048_576..1_073_741_824 => ("MiB", n as f64 / 1_048_576.0),
        _ => ("GiB", n as f64 / 1_073_741_824.0),
    };
    let digits = usize::from(size < 99.95);
    format!("{size:.digits$} {unit}")
}
