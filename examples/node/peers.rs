//! The peers: threads with a listening socket each, that behave well or badly.
//!
//! The node learns nothing of what stands here; it sees sockets. What is true of a peer at a moment
//! (`Truth`) is read by the table and the summary, to compare what the node did with what was so.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use peerguard::PeerId;

use crate::port::{Port, accept_within};
use crate::wire::{Connection, Fault, Kind, MAX_PAYLOAD, header};

/// How a peer behaves. Their order is the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Behaviour {
    /// Answers at once.
    Healthy,
    /// Answers after 60 to 180 ms.
    Slow,
    /// Three answers of ten are `Sorry`, or break off half way.
    Flaky,
    /// Answers like a healthy peer, and asks the node for all it can get and pushes all it can.
    Greedy,
    /// Dies and comes back: its port refuses meanwhile.
    Dying,
    /// Nobody listens on its port, ever.
    Refusing,
    /// Accepts connections and never answers.
    Silent,
    /// Answers with bytes that are no frame, or a false one.
    Garbage,
}

use Behaviour::*;

/// Who is there, repeated when more peers are asked for.
const MIX: [Behaviour; 26] = [
    Healthy, Slow, Flaky, Greedy, Dying, Refusing, Silent, Garbage, Healthy, Healthy, Slow, Flaky, Greedy, Dying,
    Refusing, Garbage, Healthy, Healthy, Slow, Flaky, Greedy, Dying, Healthy, Greedy, Healthy, Healthy,
];

impl Behaviour {
    pub fn name(self) -> &'static str {
        match self {
            Healthy => "healthy",
            Slow => "slow",
            Flaky => "30 % failing",
            Greedy => "greedy",
            Dying => "dying",
            Refusing => "refusing",
            Silent => "silent",
            Garbage => "garbage",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Would answer (well or badly) since this moment.
    Alive(Instant),
    /// Answers nobody.
    Dead,
}

/// What is so, whatever the node believes.
#[derive(Debug)]
pub struct Truth(Mutex<Life>);

impl Truth {
    pub fn now(&self) -> Life {
        *self.0.lock().expect("nobody panics with it")
    }

    fn set(&self, life: Life) {
        *self.0.lock().expect("nobody panics with it") = life;
    }
}

/// The first peer, a healthy one, has the id that the queries of the documentation ask for, so that they answer as they are.
const DOCUMENTED: PeerId = PeerId::new([
    0x04, 0xb7, 0x54, 0xba, 0x2a, 0x3d, 0xa0, 0x97, 0x0d, 0x72, 0xd0, 0x8b, 0x87, 0x40, 0xfb, 0x2a, 0xd9, 0x6e, 0x63,
    0xcf, 0x8f, 0x8b, 0xef, 0x6b, 0x7f, 0x1a, 0xb8, 0x4e, 0x5b, 0x09, 0xa7, 0xf8,
]);

/// One peer, as the address book and the summary know it.
pub struct Neighbour {
    pub id: PeerId,
    pub addr: SocketAddr,
    pub behaviour: Behaviour,
    pub truth: Arc<Truth>,
}

/// Starts `count` peers; their threads run until the process ends.
pub fn start(count: usize, seed: u64, node: SocketAddr) -> io::Result<Vec<Neighbour>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let blocks: Arc<[u8]> = (0..MAX_PAYLOAD).map(|_| rng.u8(..)).collect();
    let mut behaviours: Vec<_> = MIX.into_iter().cycle().take(count).collect();
    behaviours.sort();
    let mut neighbours = Vec::with_capacity(count);
    for behaviour in behaviours {
        let drawn = PeerId::new(std::array::from_fn(|_| rng.u8(..)));
        let id = if neighbours.is_empty() { DOCUMENTED } else { drawn };
        let port = Port::reserve()?;
        let addr = port.addr();
        let life = match behaviour {
            Refusing | Silent => Life::Dead,
            _ => Life::Alive(Instant::now()),
        };
        let truth = Arc::new(Truth(Mutex::new(life)));
        // A peer that is alive listens before the node hears of it.
        let listener = match behaviour {
            Refusing => None,
            _ => Some(port.listen()?),
        };
        let peer = Peer { behaviour, rng: rng.fork(), blocks: blocks.clone(), truth: truth.clone() };
        spawn(behaviour.name(), move || peer.run(&port, listener))?;
        if behaviour == Greedy {
            let blocks = blocks.clone();
            spawn("greedy pull", move || grab(node, &id, Kind::Get, &GET_ALL))?;
            spawn("greedy push", move || grab(node, &id, Kind::Push, &blocks[..PUSH]))?;
        }
        neighbours.push(Neighbour { id, addr, behaviour, truth });
    }
    Ok(neighbours)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body)?;
    Ok(())
}

struct Peer {
    behaviour: Behaviour,
    rng: fastrand::Rng,
    blocks: Arc<[u8]>,
    truth: Arc<Truth>,
}

impl Peer {
    fn run(mut self, port: &Port, listener: Option<TcpListener>) {
        let Some(mut listener) = listener else {
            // The port is to stay reserved, so that dialling it is refused.
            loop {
                thread::park();
            }
        };
        if self.behaviour != Dying {
            self.listen(&listener, None);
        }
        let mut alive = self.between(2.0, 3.5);
        loop {
            self.listen(&listener, Some(Instant::now() + alive));
            self.truth.set(Life::Dead);
            drop(listener);
            thread::sleep(self.between(1.5, 3.5));
            listener = port.listen().expect("the port is reserved");
            self.truth.set(Life::Alive(Instant::now()));
            alive = self.between(8.0, 10.0);
        }
    }

    fn listen(&mut self, listener: &TcpListener, until: Option<Instant>) {
        const LONG: Duration = Duration::from_secs(3600);
        loop {
            let left = until.map_or(LONG, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return;
            }
            match accept_within(listener, left) {
                // How a conversation ended is for the node to judge.
                Ok(Some(stream)) => drop(self.converse(stream, until)),
                Ok(None) => {}
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Answers question after question until one side hangs up.
    fn converse(&mut self, stream: TcpStream, until: Option<Instant>) -> Result<(), Fault> {
        let mut connection = Connection::over(stream, Duration::from_secs(2))?;
        let mut payload = Vec::new();
        loop {
            let header = connection.read_header()?;
            connection.read_payload(&header, &mut payload)?;
            if until.is_some_and(|end| Instant::now() >= end) {
                return Err(Fault::HungUp);
            }
            self.answer(&mut connection, header.kind, &payload)?;
        }
    }

    fn answer(&mut self, to: &mut Connection, asked: Kind, payload: &[u8]) -> Result<(), Fault> {
        match self.behaviour {
            Silent => return Ok(()),
            Slow => thread::sleep(self.between(0.06, 0.18)),
            Flaky if self.rng.f32() < 0.3 => return self.fail(to, asked),
            Garbage => return self.babble(to),
            _ => {}
        }
        match asked {
            Kind::Get => {
                let want = u32::from_le_bytes(payload.try_into().expect("checked by the frame"));
                let len = (want as usize).clamp(1, MAX_PAYLOAD);
                to.send(Kind::Block, &self.blocks[..len])
            }
            Kind::Announce | Kind::Push => to.send(Kind::Ack, &[]),
            _ => Err(Fault::Garbage("not a question")),
        }
    }

    /// Says so, or breaks off: in the middle of a block when one was asked for.
    fn fail(&mut self, to: &mut Connection, asked: Kind) -> Result<(), Fault> {
        if self.rng.bool() {
            return to.send(Kind::Sorry, &[]);
        }
        if asked == Kind::Get {
            let block = &self.blocks[..1024];
            to.send_raw(&header(Kind::Block, block))?;
            to.send_raw(&block[..512])?;
        }
        Err(Fault::HungUp)
    }

    fn babble(&mut self, to: &mut Connection) -> Result<(), Fault> {
        let noise: [u8; 64] = std::array::from_fn(|_| self.rng.u8(..));
        match self.rng.u8(..3) {
            0 => to.send_raw(&noise)?,
            1 => {
                // A good header over a payload that it does not fit.
                to.send_raw(&header(Kind::Block, &self.blocks[..noise.len()]))?;
                to.send_raw(&noise)?;
            }
            _ => {
                let mut endless = header(Kind::Block, &noise);
                endless[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
                to.send_raw(&endless)?;
            }
        }
        Ok(())
    }

    fn between(&mut self, least: f64, most: f64) -> Duration {
        Duration::from_secs_f64(least + (most - least) * self.rng.f64())
    }
}

/// A greedy peer asks for this much each time; the node gives what it gives.
const GET_ALL: [u8; 4] = (MAX_PAYLOAD as u32).to_le_bytes();
/// And pushes blocks of this size, one on the heels of the other.
const PUSH: usize = 4 << 10;

/// Dials the node and repeats one question as fast as the answers come.
fn grab(node: SocketAddr, id: &PeerId, question: Kind, payload: &[u8]) {
    let answer = match question {
        Kind::Get => (Kind::Block, MAX_PAYLOAD),
        _ => (Kind::Ack, 0),
    };
    let mut into = Vec::new();
    let mut once = || -> Result<(), Fault> {
        let mut connection = Connection::dial(node, Duration::from_secs(10))?;
        connection.send(Kind::Hello, id.as_bytes())?;
        loop {
            connection.ask(question, payload, answer, &mut into)?;
        }
    };
    loop {
        drop(once());
        thread::sleep(Duration::from_millis(200));
    }
}
