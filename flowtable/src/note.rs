//! What a connection did that other connections are judged by.
//!
//! A reset is told as a [`crate::Watch`]; notes tell the rest that cross-flow context needs: who
//! was served, who closed after what silence. They leave the packet path by value and may be lost
//! (counted) when too many come at once: context then knows less, never something false.

use crate::hosts::Look;
use crate::key::Endpoint;
use crate::silence::Silence;
use crate::time::Timestamp;

/// One thing that happened to one connection; `Copy`, about 80 bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Note {
    /// When.
    pub time: Timestamp,
    /// Keyed hash of the connection, the same for all its notes.
    pub flow: u64,
    /// Who opened it.
    pub client: Endpoint,
    /// Who was called.
    pub server: Endpoint,
    /// What happened.
    pub what: Happening,
}

/// What a note tells.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Happening {
    /// The three-way handshake was completed.
    Established,
    /// The first FIN of the connection, of whichever side.
    FirstFin {
        /// Sent by the client.
        by_client: bool,
        /// The silence that it ends, and those that the connection had survived.
        silence: Silence,
    },
    /// Both sides have sent FIN.
    Closed,
    /// The server's SYN/ACK looks different from the one before: another machine, or another path.
    NewLook {
        /// Of the server's SYN/ACK before.
        before: Look,
        /// Of this one.
        now: Look,
    },
    /// The server's first data.
    Answered {
        /// Hop limit of the SYN/ACK; 0 if it was not seen.
        syn_ack_hop_limit: u8,
        /// Hop limit of the data: a front end may have shaken hands for another machine.
        data_hop_limit: u8,
    },
}

/// The name that a client asked a server for; `Copy`, about 140 bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NameNote {
    /// When.
    pub time: Timestamp,
    /// Keyed hash of the connection, as in [`Note::flow`].
    pub flow: u64,
    /// Who asked.
    pub client: Endpoint,
    /// Who was asked.
    pub server: Endpoint,
    /// Keyed hash of the name: the same name has the same hash until the sensor is restarted.
    pub hash: u64,
    /// The name itself, if the operator wants to see names.
    pub plain: Option<PlainName>,
}

/// The first bytes of a name; visible ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlainName {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl PlainName {
    /// Most bytes kept.
    pub const MAX: usize = 64;

    /// The first bytes of `name`.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let len = name.len().min(Self::MAX);
        let mut bytes = [0; Self::MAX];
        bytes[..len].copy_from_slice(&name[..len]);
        Self { bytes, len: len as u8 }
    }

    /// As text; "" if it is none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("")
    }
}

impl core::fmt::Debug for PlainName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}
