//! The sync protocol: frames with a length and a checksum, a question and an answer at a time.
//!
//! ```text
//!   0       4      5        8        12         16
//!   | magic | kind | 0 0 0  | length | checksum | payload ...
//! ```
//!
//! A frame is refused for a wrong magic, an unknown kind, a length that its kind cannot have or a
//! checksum that does not fit: that is how a peer that answers garbage is told from one that is slow
//! or gone. All numbers are little-endian.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const MAGIC: u32 = 0x6472_6750; // "Pgrd"
const HEADER: usize = 16;

/// No payload is longer.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// "I am this peer": 32 bytes. A real network would prove it with a handshake.
    Hello = 1,
    /// "My newest block has this number": 8 bytes, answered by `Ack`.
    Announce = 2,
    /// "Understood": empty.
    Ack = 3,
    /// "Send me at most so many bytes of blocks": 4 bytes, answered by `Block` or `Sorry`.
    Get = 4,
    /// Blocks that were asked for.
    Block = 5,
    /// Blocks that were not asked for, answered by `Ack` or `Sorry`.
    Push = 6,
    /// "Not this time": empty.
    Sorry = 7,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        use Kind::*;
        [Hello, Announce, Ack, Get, Block, Push, Sorry].into_iter().find(|kind| *kind as u8 == byte)
    }

    fn allows(self, length: usize) -> bool {
        match self {
            Kind::Hello => length == 32,
            Kind::Announce => length == 8,
            Kind::Get => length == 4,
            Kind::Ack | Kind::Sorry => length == 0,
            Kind::Block | Kind::Push => (1..=MAX_PAYLOAD).contains(&length),
        }
    }
}

/// Why a conversation ended badly.
#[derive(Debug)]
pub enum Fault {
    /// The socket failed, or the other side was silent for too long.
    Io(io::Error),
    /// The other side hung up in the middle of a frame, or instead of one.
    HungUp,
    /// The other side said `Sorry`.
    Sorry,
    /// What came was not a frame of this protocol, or not the one that the question allows.
    Garbage(&'static str),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::HungUp,
            _ => Fault::Io(error),
        }
    }
}

/// The first 16 bytes of a frame, already judged as far as they can be.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub kind: Kind,
    pub length: usize,
    checksum: u32,
}

/// One TCP connection, with short timeouts: a peer that is silent must not hold a worker.
pub struct Connection {
    stream: TcpStream,
    received: u64,
}

impl Connection {
    pub fn dial(addr: SocketAddr, timeout: Duration) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&addr, timeout)?, timeout)
    }

    pub fn over(stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let received = 0;
        Ok(Self { stream, received })
    }

    /// Payload bytes read so far, whole frames or not.
    pub fn received(&self) -> u64 {
        self.received
    }

    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Fault> {
        let mut frame = Vec::with_capacity(HEADER + payload.len());
        frame.extend_from_slice(&header(kind, payload));
        frame.extend_from_slice(payload);
        Ok(self.stream.write_all(&frame)?)
    }

    /// Sends bytes as they are; only peers that misbehave do.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn read_header(&mut self) -> Result<Header, Fault> {
        let mut bytes = [0; HEADER];
        self.stream.read_exact(&mut bytes)?;
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        if word(0) != MAGIC {
            return Err(Fault::Garbage("not a frame"));
        }
        let kind = Kind::from_byte(bytes[4]).ok_or(Fault::Garbage("unknown kind"))?;
        let length = word(8) as usize;
        if bytes[5..8] != [0; 3] || !kind.allows(length) {
            return Err(Fault::Garbage("impossible length"));
        }
        let checksum = word(12);
        Ok(Header { kind, length, checksum })
    }

    pub fn read_payload(&mut self, header: &Header, into: &mut Vec<u8>) -> Result<(), Fault> {
        into.resize(header.length, 0);
        let mut filled = 0;
        while filled < header.length {
            match self.stream.read(&mut into[filled..]) {
                Ok(0) => return Err(Fault::HungUp),
                Ok(n) => {
                    filled += n;
                    self.received += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if checksum(into) != header.checksum {
            return Err(Fault::Garbage("wrong checksum"));
        }
        Ok(())
    }

    /// A question and its answer, which must be of the kind that the question calls for and no
    /// longer than `most`.
    pub fn ask(
        &mut self,
        question: Kind,
        payload: &[u8],
        (answer, most): (Kind, usize),
        into: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        self.send(question, payload)?;
        let header = self.read_header()?;
        match header.kind {
            kind if kind == answer && header.length > most => Err(Fault::Garbage("more than was asked for")),
            kind if kind == answer => self.read_payload(&header, into),
            Kind::Sorry => Err(Fault::Sorry),
            _ => Err(Fault::Garbage("an answer to another question")),
        }
    }
}

/// The 16 bytes that go before `payload`.
pub fn header(kind: Kind, payload: &[u8]) -> [u8; HEADER] {
    let length = u32::try_from(payload.len()).expect("a payload is at most 1 MiB");
    let mut bytes = [0; HEADER];
    bytes[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    bytes[4] = kind as u8;
    bytes[8..12].copy_from_slice(&length.to_le_bytes());
    bytes[12..16].copy_from_slice(&checksum(payload).to_le_bytes());
    bytes
}

/// FNV-1a over words of 8 bytes, folded to 32 bits: finds accidents, not forgeries.
fn checksum(payload: &[u8]) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for chunk in payload.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash ^ (hash >> 32)) as u32
}
