//! What is counted, once the threads are quiet: exact, whatever the order was.

use peerguard::{Outcome, PeerView, Reason, Totals};

use crate::linear::fact::Fact;
use crate::linear::history::{History, KEYS};

fn counted(view: &PeerView) -> [u64; 8] {
    [
        view.successful_syncs,
        view.successful_messages,
        view.failed_syncs,
        view.failed_messages,
        view.timeouts,
        view.unreachable,
        view.protocol_violations,
        view.fatal,
    ]
}

/// `Err` says what was miscounted.
pub fn check(history: &History, totals: &Totals) -> Result<(), String> {
    let entries = || history.threads.iter().flatten();
    for key in 0..KEYS {
        let mut outcomes = [0u64; 8];
        let mut sent = 0i128;
        let mut view = None;
        for entry in entries().filter(|entry| entry.key == key) {
            match &entry.fact {
                Fact::Report { outcome, .. } if !matches!(outcome, Outcome::Cancelled | Outcome::LocalError) => {
                    outcomes[*outcome as usize] += 1;
                }
                Fact::Take { bytes, answer: Ok(()) } | Fact::Try { bytes, taken: true } => {
                    sent += i128::from(*bytes);
                }
                Fact::Refund { bytes, .. } => sent -= i128::from(*bytes),
                Fact::Quiet { view: last, .. } => view = last.as_deref(),
                _ => {}
            }
        }
        let shown = view.map_or(([0; 8], 0), |view| (counted(view), view.bytes_sent.into()));
        if shown != (outcomes, sent) {
            return Err(format!("key {key}: outcomes and bytes are {shown:?}, reported were {outcomes:?}, {sent}"));
        }
    }
    let mut refused = [0u64; Reason::ALL.len()];
    // Refusals that do not say why.
    let mut unnamed = 0;
    for entry in entries() {
        match &entry.fact {
            Fact::Admit { answer: Err(no), .. } | Fact::Take { answer: Err(no), .. } => {
                refused[no.reason as usize] += 1;
            }
            Fact::Asked(false) | Fact::Try { taken: false, .. } => unnamed += 1,
            _ => {}
        }
    }
    let named: u64 = refused.iter().sum();
    let too_few = Reason::ALL.iter().any(|reason| totals.denied(*reason) < refused[*reason as usize]);
    if too_few || totals.denied_total() != named + unnamed {
        return Err(format!("refusals by reason are {refused:?} and {unnamed}, but counted are {totals:?}"));
    }
    Ok(())
}
