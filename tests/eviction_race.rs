//! What is set while a record is being chosen for eviction is not lost.
//!
//! One thread floods a small table, so that every newcomer pushes somebody out. The other bans, forces and limits peers
//! that have just come, and whose records are the next to go: the evictor judges such a record before the ban and would
//! take it after. The bans must stand, whatever the interleaving.

mod ids;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use peerguard::{BanOrigin, Clock, Config, Forced, Outcome, PeerGuard, PeerId, PeerLimits, Traffic};

/// Two groups of places hold them all, so that every record is a candidate for every newcomer.
const PEERS: usize = 11;
/// Fewer than places, so that something else can always go: even a ban that was earned has to stay then.
const BATCH: u64 = 5;
const ROUNDS: u64 = 2_000;

fn newcomer(n: u64) -> PeerId {
    ids::random(1, n)
}

/// What is done to a peer, and must be found again.
#[derive(Clone, Copy, Debug)]
enum Deed {
    BanForEver,
    BanForAnHour,
    EarnABan,
    ForceOpen,
    Limit,
}

impl Deed {
    const ALL: [Self; 5] = [Self::BanForEver, Self::BanForAnHour, Self::EarnABan, Self::ForceOpen, Self::Limit];

    fn of(n: u64) -> Self {
        Self::ALL[(n % 5) as usize]
    }

    fn do_to(self, guard: &PeerGuard, id: &PeerId) {
        let limits = PeerLimits { upload: Some(77), download: None };
        let done = match self {
            Self::BanForEver => guard.ban(id, None, 1),
            Self::BanForAnHour => guard.ban(id, Some(Duration::from_secs(3600)), 2),
            Self::EarnABan => {
                let _counted = guard.report(id, Outcome::Fatal, None, Traffic::NONE);
                Ok(())
            }
            Self::ForceOpen => guard.force_open(id),
            Self::Limit => guard.set_peer_limits(id, limits),
        };
        done.unwrap_or_else(|error| panic!("{self:?}: {error}"));
    }

    fn stands(self, guard: &PeerGuard, id: &PeerId) -> bool {
        let Some(view) = guard.view(id) else { return false };
        let origin = view.ban.map(|ban| ban.origin);
        match self {
            Self::BanForEver | Self::BanForAnHour => origin == Some(BanOrigin::Operator) && guard.is_banned(id),
            Self::EarnABan => origin == Some(BanOrigin::Earned) && guard.admit(id).is_err(),
            Self::ForceOpen => view.forced == Forced::Open,
            Self::Limit => view.limits.upload == Some(77),
        }
    }

    fn undo(self, guard: &PeerGuard, id: &PeerId) {
        match self {
            Self::BanForEver | Self::BanForAnHour | Self::EarnABan => assert!(guard.unban(id)),
            Self::ForceOpen => assert!(guard.reset(id)),
            Self::Limit => guard.set_peer_limits(id, PeerLimits { upload: None, download: None }).unwrap(),
        }
    }
}

/// Waits until the flood has brought `more` newcomers.
fn await_newcomers(come: &AtomicU64, more: u64, over: &AtomicBool) {
    let until = come.load(Ordering::Relaxed) + more;
    while come.load(Ordering::Relaxed) < until {
        assert!(!over.load(Ordering::Relaxed), "the flood has failed");
        thread::yield_now();
    }
}

#[test]
fn a_ban_set_while_its_record_is_chosen_for_eviction_is_kept() {
    let (clock, _hand) = Clock::manual(1 << 44);
    let guard = PeerGuard::with_clock(Config { max_peers: PEERS, ..Config::default() }, clock).unwrap();
    let (come, over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _end = End(&over);
            while !over.load(Ordering::Relaxed) {
                let n = come.load(Ordering::Relaxed);
                let _counted = guard.report(&newcomer(n), Outcome::SyncSuccess, None, Traffic::NONE);
                come.store(n + 1, Ordering::Relaxed);
            }
        });
        // Ends the flood even if a check below fails.
        let _end = End(&over);
        for round in 0..ROUNDS {
            let mut done = Vec::new();
            for n in 0..BATCH {
                // Without waiting: one that came just now, or a while ago: its record stands in the table, or has just gone.
                let id = newcomer(come.load(Ordering::Relaxed).saturating_sub(1 + n * 5));
                let deed = Deed::of(round + n);
                if done.iter().all(|(_, other)| *other != id) {
                    deed.do_to(&guard, &id);
                    done.push((deed, id));
                }
            }
            await_newcomers(&come, 50, &over);
            for (deed, id) in done {
                assert!(deed.stands(&guard, &id), "round {round}: {deed:?} was lost");
                deed.undo(&guard, &id);
            }
        }
    });
    let totals = guard.get_summary();
    assert!(totals.evictions > ROUNDS * BATCH, "the table was under pressure: {totals:?}");
    assert_eq!(totals.evicted_bans, 0);
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
