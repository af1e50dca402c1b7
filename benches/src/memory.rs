//! Memory per tracked peer: what a process of its own, which holds one contender and its peers, grows by.

use std::process::{Command, Stdio};
use std::{fs, io};

use peerguard::{Direction, PeerId};

use crate::ours;
use crate::plan::{CONVENTIONAL, OURS_BY_KEY, RIVAL_A, RIVAL_B};
use crate::rivals::conventional::Conventional;
use crate::rivals::one_entry::OneEntry;
use crate::rivals::three_maps::ThreeMaps;
use crate::rivals::{Gate, Limits};
use crate::subject::{LIMIT, REQUEST};
use crate::workload::{Key, Skew, Workload};

pub const PEERS: usize = 100_000;
pub const SUBJECTS: [&str; 4] = [OURS_BY_KEY, RIVAL_A, RIVAL_B, CONVENTIONAL];

/// Resident bytes per peer of each subject, each measured in a process of its own.
pub fn measure() -> io::Result<Vec<(&'static str, f64)>> {
    SUBJECTS.into_iter().map(|subject| Ok((subject, in_a_child(subject)?))).collect()
}

fn in_a_child(subject: &str) -> io::Result<f64> {
    let mut child = Command::new(std::env::current_exe()?);
    let output = child.args(["--memory-of", subject]).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let wrong = || io::Error::other(format!("the memory of {subject} could not be measured: {text}"));
    text.trim().parse().map_err(|_| wrong())
}

/// In the child: holds `subject` with all its peers, every part of each record touched, and says by how many bytes the
/// process has grown for each peer that it keeps.
pub fn per_peer(subject: &str) -> io::Result<f64> {
    let peers = Workload::new(PEERS, Skew::Uniform, 0).peers;
    let limits = Limits { global: LIMIT, per_peer: LIMIT };
    let before = resident()?;
    let (after, kept) = match subject {
        OURS_BY_KEY => {
            let guard = ours::guard(PEERS);
            for key in &peers {
                let id = PeerId::new(*key);
                for direction in [Direction::Upload, Direction::Download] {
                    if let Ok(permit) = guard.admit_bytes(&id, direction, u64::from(REQUEST)) {
                        permit.success(Some(std::time::Duration::from_millis(20)));
                    }
                }
                let _ = guard.record_failure(&id);
            }
            // Of as many peers as places a few find theirs taken, though others are free.
            (resident()?, peers.iter().filter(|key| guard.view(&PeerId::new(**key)).is_some()).count())
        }
        RIVAL_A => held(&ThreeMaps::new(limits), &peers)?,
        RIVAL_B => held(&OneEntry::new(limits), &peers)?,
        CONVENTIONAL => held(&Conventional::new(limits), &peers)?,
        other => return Err(io::Error::other(format!("nothing is called `{other}`"))),
    };
    Ok(after.saturating_sub(before) as f64 / kept as f64)
}

fn held(gate: &dyn Gate, peers: &[Key]) -> io::Result<(u64, usize)> {
    for key in peers {
        assert!(gate.admit(key, REQUEST), "a newcomer is admitted");
        gate.success(key, Some(20.0));
        gate.failure(key);
    }
    Ok((resident()?, peers.len()))
}

/// Resident bytes of this process, exact: counted page by page. Not those of the program itself, of which more is read in a
/// while, the more there is of it.
fn resident() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find(|line| line.starts_with("Anonymous:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
    kilobytes.map(|n| n * 1024).ok_or_else(|| io::Error::other("no figure in /proc/self/smaps_rollup"))
}
