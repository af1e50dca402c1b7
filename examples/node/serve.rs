//! The node's own door: peers dial it and ask for blocks, or push theirs.
//!
//! A greedy peer asks as fast as it is answered. It needs no special treatment: each answer costs it
//! bytes of its own limit, and while those are used up its connection is simply not read, so
//! that TCP itself slows it down.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use peerguard::{Direction, Outcome, PeerId, Permit, Traffic};

use crate::node::Node;
use crate::port::accept_within;
use crate::wire::{Connection, Fault, Kind};

const IDLE: Duration = Duration::from_secs(2);
const MAX_CONNECTIONS: usize = 64;
/// The pause after a partial answer: without it, slivers would be all that is ever granted.
const TICK: Duration = Duration::from_millis(20);

/// Accepts until the node stops.
pub fn serve<'scope>(
    node: &'scope Node,
    listener: &TcpListener,
    open: &'scope AtomicUsize,
    scope: &'scope Scope<'scope, '_>,
) {
    while !node.stopped() {
        match accept_within(listener, Duration::from_millis(100)) {
            Ok(Some(stream)) if open.load(Ordering::Relaxed) < MAX_CONNECTIONS => {
                open.fetch_add(1, Ordering::Relaxed);
                scope.spawn(|| {
                    // A peer that hangs up here has done no wrong.
                    drop(converse(node, stream));
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Ok(_) => {}
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn converse(node: &Node, stream: TcpStream) -> Result<(), Fault> {
    let mut connection = Connection::over(stream, IDLE)?;
    let mut payload = Vec::new();
    let hello = connection.read_header()?;
    connection.read_payload(&hello, &mut payload)?;
    let Ok(id) = PeerId::from_slice(&payload) else {
        return Err(Fault::Garbage("no hello"));
    };
    let Some(index) = node.index_of(&id) else {
        return Ok(());
    };
    // For as long as the connection lasts its record is at hand, without looking it up each time.
    let peer = node.guard.peer(&id);
    while !node.stopped() {
        let header = connection.read_header()?;
        match header.kind {
            Kind::Get => {
                connection.read_payload(&header, &mut payload)?;
                let asked = u32::from_le_bytes(payload[..].try_into().expect("checked by the frame"));
                let want = u64::from(asked).clamp(1, node.piece(Direction::Upload) as u64);
                let ask = || peer.grant_up_to(Direction::Upload, want);
                let Some(permit) = node.wait_for_bytes(index, Direction::Upload, IDLE, ask) else {
                    return Ok(());
                };
                let granted = permit.bytes();
                let sent = connection.send(Kind::Block, &node.blocks[..granted as usize]);
                // Once sent, bytes are gone, even if not all of them arrive.
                node.meter(Direction::Upload).add(granted);
                served(permit);
                sent?;
                if granted < want {
                    thread::sleep(TICK);
                }
            }
            Kind::Push => {
                // Only the header has been read: the payload waits in the socket for its bytes.
                let length = header.length as u64;
                let ask = || peer.admit_bytes(Direction::Download, length);
                let Some(mut permit) = node.wait_for_bytes(index, Direction::Download, IDLE, ask) else {
                    return Ok(());
                };
                let before = connection.received();
                let read = connection.read_payload(&header, &mut payload);
                let moved = connection.received() - before;
                permit.refund(length - moved);
                node.meter(Direction::Download).add(moved);
                served(permit);
                read?;
                connection.send(Kind::Ack, &[])?;
            }
            _ => {
                let _ = peer.report(Outcome::ProtocolViolation, None, Traffic::NONE);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Having served a peer says nothing about how well it answers: its permit is dropped, which is
/// neutral. The bytes stay spent.
fn served(permit: Permit<'_>) {
    drop(permit);
}
