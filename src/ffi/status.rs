//! What a call returns: yes, no, or why it could not be carried out.

/// Yes, or done.
pub const PEERGUARD_OK: i32 = 0;
/// No. A gate refused (see `peerguard_rejection`), or there is nothing of what was asked for. Not an error.
pub const PEERGUARD_NO: i32 = 1;
/// A pointer that may not be NULL is NULL.
pub const PEERGUARD_ERR_NULL: i32 = -1;
/// A pointer is not aligned for its type.
pub const PEERGUARD_ERR_ALIGNMENT: i32 = -2;
/// The handle was never given out, or stands for another kind of object.
pub const PEERGUARD_ERR_HANDLE: i32 = -3;
/// The handle was freed.
pub const PEERGUARD_ERR_FREED: i32 = -4;
/// `struct_size` is not a size that this library knows.
pub const PEERGUARD_ERR_STRUCT_SIZE: i32 = -5;
/// A length or count is out of range.
pub const PEERGUARD_ERR_LENGTH: i32 = -6;
/// A number is no enumerator of its kind.
pub const PEERGUARD_ERR_ENUM: i32 = -7;
/// A field of a configuration, an exporter's option or a limit is out of its range. `peerguard_config_check` tells which, for
/// limits too if they are put into a configuration, and `peerguard_exporter_options_check` does for options.
pub const PEERGUARD_ERR_CONFIG: i32 = -8;
/// A latency is NaN, infinite or negative.
pub const PEERGUARD_ERR_LATENCY: i32 = -9;
/// No record can be made for the peer: all places that its key may take hold peers in use or with an operator's setting.
pub const PEERGUARD_ERR_TABLE_FULL: i32 = -10;
/// The permit has been reported or cancelled already.
pub const PEERGUARD_ERR_SPENT: i32 = -11;
/// The memory holds no permit, or one that another guard or peer gave.
pub const PEERGUARD_ERR_PERMIT: i32 = -12;
/// The peer has no record, so there is no gate word to read.
pub const PEERGUARD_ERR_UNTRACKED: i32 = -13;
/// The call was made from inside another call of the same thread: from a node's clock or from a signal handler.
pub const PEERGUARD_ERR_REENTRANT: i32 = -14;
/// A bug in the library was met; the call may have taken effect in part. The next call works.
pub const PEERGUARD_ERR_PANIC: i32 = -15;
/// There are 2^20 handles of this kind already.
pub const PEERGUARD_ERR_TOO_MANY: i32 = -16;
/// The text is not what it should be: a peer id, an address, a request.
pub const PEERGUARD_ERR_TEXT: i32 = -17;
/// The library was built without this.
pub const PEERGUARD_ERR_UNSUPPORTED: i32 = -18;
/// The system refused: an address that cannot be had, or a thread.
pub const PEERGUARD_ERR_SYSTEM: i32 = -19;
/// To serve at an address that is not a loopback one, a token is needed.
pub const PEERGUARD_ERR_TOKEN: i32 = -20;

/// Why a call could not be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Failure {
    Null = PEERGUARD_ERR_NULL,
    Alignment = PEERGUARD_ERR_ALIGNMENT,
    Handle = PEERGUARD_ERR_HANDLE,
    Freed = PEERGUARD_ERR_FREED,
    StructSize = PEERGUARD_ERR_STRUCT_SIZE,
    Length = PEERGUARD_ERR_LENGTH,
    Enum = PEERGUARD_ERR_ENUM,
    Config = PEERGUARD_ERR_CONFIG,
    Latency = PEERGUARD_ERR_LATENCY,
    TableFull = PEERGUARD_ERR_TABLE_FULL,
    Spent = PEERGUARD_ERR_SPENT,
    Permit = PEERGUARD_ERR_PERMIT,
    Untracked = PEERGUARD_ERR_UNTRACKED,
    Reentrant = PEERGUARD_ERR_REENTRANT,
    TooManyHandles = PEERGUARD_ERR_TOO_MANY,
    Text = PEERGUARD_ERR_TEXT,
    #[cfg_attr(feature = "http", expect(dead_code, reason = "nothing is left out"))]
    Unsupported = PEERGUARD_ERR_UNSUPPORTED,
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "exporters ask the system"))]
    System = PEERGUARD_ERR_SYSTEM,
    Token = PEERGUARD_ERR_TOKEN,
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        match error {
            crate::Error::Config(_) => Self::Config,
            crate::Error::TableFull => Self::TableFull,
        }
    }
}

impl From<crate::ConfigError> for Failure {
    fn from(_: crate::ConfigError) -> Self {
        Self::Config
    }
}

impl From<crate::InvalidLatency> for Failure {
    fn from(_: crate::InvalidLatency) -> Self {
        Self::Latency
    }
}

/// What a call that was carried out says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Answer {
    Yes = PEERGUARD_OK,
    No = PEERGUARD_NO,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

pub(super) type Outcome = Result<Answer, Failure>;
