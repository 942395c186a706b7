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
}
