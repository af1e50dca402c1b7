//! The node: what a real one would have. An address book, workers that announce and workers that
//! sync; each asks the guard before it dials, and tells it afterwards how it went.
//!
//! *Announcing* is a small message to every peer of the address book, some times a second. It is how a peer
//! is met for the first time, and how one that was cut off is tried again: `retry_after` says when.
//!
//! *Syncing* moves blocks, with the best peers only: `sync_candidates` lists those that the guard
//! has a good record of. A peer whose breaker is open is not among them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use peerguard::{BreakerState, Direction, Outcome, PeerGuard, PeerId, Permit, Reason, Recorded, Rejection, Traffic};

use crate::ledger::{Ledger, Meter};
use crate::schedule::Schedule;
use crate::wire::{Connection, Fault, Kind};

/// How often a new block is announced to each peer.
pub const ANNOUNCE_EVERY: Duration = Duration::from_millis(250);
/// Announcers are enough for this many peers each: silent ones hold theirs until the timeout, and the others should
/// not have to wait for it.
const PEERS_PER_ANNOUNCER: usize = 6;
const SYNCERS: usize = 8;
/// A peer that has said nothing for so long has failed.
const SOCKET_TIMEOUT: Duration = Duration::from_millis(600);
/// A peer is left alone for this long after a failure or a sync, so that others get their turn.
const REST: Duration = Duration::from_millis(200);
/// Many wait for the node's own bytes, and its bucket holds a second's worth: nothing is lost by
/// coming back a little later than it says, and much asking is saved.
const LEAST_WAIT: Duration = Duration::from_millis(20);
const MOST_WAIT: Duration = Duration::from_millis(100);
/// Pieces that one sync moves in each direction before another peer gets its turn.
const PIECES: usize = 16;

pub struct Node {
    pub guard: PeerGuard,
    pub ledger: Ledger,
    contacts: Vec<Contact>,
    by_id: HashMap<PeerId, usize>,
    /// Blocks to give away.
    pub blocks: Vec<u8>,
    height: AtomicU64,
    stopped: AtomicBool,
}

/// A line of the address book.
struct Contact {
    id: PeerId,
    addr: SocketAddr,
    /// Held during a conversation, so that the node has one at a time with each peer; keeps the
    /// moment before which it should not begin another sync.
    line: Mutex<Instant>,
}

/// What became of one piece of a sync.
enum Piece {
    Moved,
    Refused,
    Broken,
}

impl Node {
    pub fn new(guard: PeerGuard, ledger: Ledger, book: Vec<(PeerId, SocketAddr)>) -> Self {
        let by_id = book.iter().enumerate().map(|(index, (id, _))| (*id, index)).collect();
        let line = |(id, addr)| Contact { id, addr, line: Mutex::new(Instant::now()) };
        Self {
            guard,
            ledger,
            contacts: book.into_iter().map(line).collect(),
            by_id,
            blocks: vec![0xb1; 64 << 10],
            height: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Starts the workers; they end soon after `stop`.
    pub fn run<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, schedule: &'scope Schedule) {
        for _ in 0..self.contacts.len().div_ceil(PEERS_PER_ANNOUNCER) {
            scope.spawn(|| {
                while !self.stopped() {
                    schedule.next(|index| self.announce_to(index));
                }
            });
        }
        for _ in 0..SYNCERS {
            scope.spawn(|| {
                while !self.stopped() {
                    self.sync_with_best();
                }
            });
        }
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub fn index_of(&self, id: &PeerId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Pieces are small beside the limit, so that peers take turns and none holds many bytes back.
    pub fn piece(&self, direction: Direction) -> usize {
        let limits = &self.guard.config().bandwidth;
        let rate = match direction {
            Direction::Download => limits.download_limit_bps,
            Direction::Upload => limits.upload_limit_bps,
        };
        (rate as usize / 256).clamp(1 << 10, self.blocks.len())
    }

    pub fn meter(&self, direction: Direction) -> &Meter {
        match direction {
            Direction::Download => &self.ledger.down,
            Direction::Upload => &self.ledger.up,
        }
    }

    /// Notes a refusal, and hands back how long to wait.
    pub fn refused(&self, index: usize, direction: Option<Direction>, no: &Rejection) -> Duration {
        self.ledger.account(index).refused(no);
        if let (Reason::GlobalBytes, Some(direction)) = (no.reason, direction) {
            self.meter(direction).saturated();
        }
        no.retry_after.unwrap_or(Duration::MAX)
    }

    /// Announces the newest block to one peer; hands back when to do so again.
    fn announce_to(&self, index: usize) -> Duration {
        match self.contacts[index].line.try_lock() {
            Ok(mut line) => self.announce(index, &mut line),
            Err(_) => ANNOUNCE_EVERY / 10,
        }
    }

    fn announce(&self, index: usize, line: &mut MutexGuard<'_, Instant>) -> Duration {
        let contact = &self.contacts[index];
        let permit = match self.guard.admit(&contact.id) {
            Ok(permit) => permit,
            Err(no) => return self.refused(index, None, &no).min(ANNOUNCE_EVERY),
        };
        let height = self.height.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        self.ledger.account(index).attempt();
        let began = Instant::now();
        let told = Connection::dial(contact.addr, SOCKET_TIMEOUT)
            .map_err(Fault::from)
            .and_then(|mut connection| connection.ask(Kind::Announce, &height, (Kind::Ack, 0), &mut Vec::new()));
        match told {
            Ok(()) => self.went_well(index, permit, Outcome::MessageSuccess, began),
            Err(fault) => {
                **line = Instant::now() + REST;
                self.went_badly(index, permit, &fault, Outcome::MessageFailure, began);
            }
        }
        ANNOUNCE_EVERY
    }

    /// Syncs with the best peer that is free, or rests when there is none.
    fn sync_with_best(&self) {
        // Last in the list stand peers whose breaker would let a probe through. They go first here: a
        // probe costs little, and a success wins a peer back.
        let candidates = self.guard.sync_candidates(self.contacts.len());
        let (probes, mut closed): (Vec<_>, Vec<_>) =
            candidates.iter().partition(|view| view.state == BreakerState::HalfOpen);
        // One sync in four is with anybody: who talks to the best alone never learns who got better.
        if fastrand::u8(..4) == 0 {
            fastrand::shuffle(&mut closed);
        }
        for view in probes.into_iter().chain(closed) {
            let Some(index) = self.index_of(&view.id) else {
                continue;
            };
            let Ok(mut line) = self.contacts[index].line.try_lock() else {
                continue;
            };
            if *line > Instant::now() {
                continue;
            }
            match view.state {
                // A probe with a small message need not wait for bytes.
                BreakerState::HalfOpen => {
                    self.announce(index, &mut line);
                }
                _ => {
                    self.sync(index);
                    *line = Instant::now() + REST;
                }
            }
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }

    /// Moves blocks both ways over one connection until the peer's share is used up.
    fn sync(&self, index: usize) {
        let mut connection = None;
        let mut ways = vec![Direction::Download, Direction::Upload];
        for _ in 0..PIECES {
            if self.stopped() {
                return;
            }
            let mut still = Vec::new();
            for way in ways {
                match self.sync_piece(index, &mut connection, way) {
                    Piece::Moved => still.push(way),
                    Piece::Refused => {}
                    Piece::Broken => return,
                }
            }
            ways = still;
        }
    }

    fn sync_piece(&self, index: usize, connection: &mut Option<Connection>, way: Direction) -> Piece {
        let contact = &self.contacts[index];
        let piece = self.piece(way);
        let ask = || self.guard.admit_bytes(&contact.id, way, piece as u64);
        let Some(mut permit) = self.wait_for_bytes(index, way, Duration::ZERO, ask) else {
            return Piece::Refused;
        };
        self.ledger.account(index).attempt();
        let began = Instant::now();
        match self.move_piece(contact.addr, connection, way, piece) {
            Ok(()) => {
                self.meter(way).add(piece as u64);
                self.went_well(index, permit, Outcome::SyncSuccess, began);
                Piece::Moved
            }
            Err((fault, moved)) => {
                // Bytes that were not moved go back to both buckets.
                permit.refund(piece as u64 - moved);
                self.meter(way).add(moved);
                self.went_badly(index, permit, &fault, Outcome::SyncFailure, began);
                Piece::Broken
            }
        }
    }

    /// Asks until the bytes fit. The node's own limit is worth waiting for: it holds for every
    /// peer. Any other refusal ends it (`None`), but a peer's limit only when it would take
    /// longer than `patience`.
    pub fn wait_for_bytes<'g>(
        &self,
        index: usize,
        way: Direction,
        patience: Duration,
        ask: impl Fn() -> Result<Permit<'g>, Rejection>,
    ) -> Option<Permit<'g>> {
        loop {
            let no = match ask() {
                Ok(permit) => return Some(permit),
                Err(no) => no,
            };
            let wait = self.refused(index, Some(way), &no);
            let worth_it = match no.reason {
                Reason::GlobalBytes => true,
                Reason::PeerBytes => wait <= patience,
                _ => false,
            };
            if !worth_it || self.stopped() {
                return None;
            }
            thread::sleep(wait.clamp(LEAST_WAIT, MOST_WAIT));
        }
    }

    /// Gets or pushes one piece; a fault comes with the bytes that were moved all the same.
    fn move_piece(
        &self,
        addr: SocketAddr,
        connection: &mut Option<Connection>,
        way: Direction,
        piece: usize,
    ) -> Result<(), (Fault, u64)> {
        let connection = match connection {
            Some(open) => open,
            None => {
                let dialled = Connection::dial(addr, SOCKET_TIMEOUT);
                connection.insert(dialled.map_err(|error| (error.into(), 0))?)
            }
        };
        let mut answer = Vec::new();
        match way {
            Direction::Download => {
                let before = connection.received();
                let want = u32::try_from(piece).expect("pieces are small").to_le_bytes();
                let got = connection.ask(Kind::Get, &want, (Kind::Block, piece), &mut answer);
                let moved = connection.received() - before;
                match got {
                    Ok(()) if answer.len() < piece => Err((Fault::Garbage("a short block"), moved)),
                    Ok(()) => Ok(()),
                    Err(fault) => Err((fault, moved)),
                }
            }
            // Once sent, bytes are gone, whatever is answered.
            Direction::Upload => connection
                .ask(Kind::Push, &self.blocks[..piece], (Kind::Ack, 0), &mut answer)
                .map_err(|fault| (fault, piece as u64)),
        }
    }

    fn went_well(&self, index: usize, permit: Permit<'_>, outcome: Outcome, began: Instant) {
        // A success that the breaker takes for stale is a success all the same.
        let _ = permit.record(outcome, Some(began.elapsed()), Traffic::NONE);
        self.ledger.account(index).success();
    }

    /// `failure` is what it is called when the peer said no or hung up.
    fn went_badly(&self, index: usize, permit: Permit<'_>, fault: &Fault, failure: Outcome, began: Instant) {
        let outcome = outcome_of(fault).unwrap_or(failure);
        let was_probe = permit.is_probe();
        let counted = permit.record(outcome, None, Traffic::NONE) == Recorded::Counted;
        let mut account = self.ledger.account(index);
        if let Fault::Garbage(what) = fault {
            account.garbage(what);
        }
        if let (true, Some(now)) = (counted, self.guard.view(&self.contacts[index].id)) {
            account.failure(began, was_probe, &now, &self.ledger);
        }
    }
}

/// What the guard should know a fault as; `None` is a failure of what was tried.
fn outcome_of(fault: &Fault) -> Option<Outcome> {
    use std::io::ErrorKind::*;
    let error = match fault {
        Fault::Garbage(_) => return Some(Outcome::ProtocolViolation),
        Fault::Sorry | Fault::HungUp => return None,
        Fault::Io(error) => error,
    };
    Some(match error.kind() {
        TimedOut | WouldBlock => Outcome::Timeout,
        // No ports or descriptors left: our own trouble, not the peer's.
        AddrNotAvailable | AddrInUse | OutOfMemory => Outcome::LocalError,
        _ if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) => Outcome::LocalError,
        _ => Outcome::Unreachable,
    })
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
