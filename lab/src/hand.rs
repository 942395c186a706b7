//! A TCP of our own: segments made by hand, from addresses that no kernel owns.
//!
//! It plays what a Linux cannot be brought to do: old stacks, appliances, scanners, and hosts whose sequence numbers
//! are wrong. A [`Hand`] sits on the wire of one side and speaks for any address there.

use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Error;
use crate::frame::{ACK, FIN, Forged, RST, SYN, Seen};
use crate::packet_socket::{FRAME_LEN_MAX, PacketSocket};
use crate::topology::{TO_CLIENT, TO_SERVER, Topology};

/// A raw socket on the wire of the client or of the server.
pub(crate) struct Hand {
    socket: PacketSocket,
    macs: ([u8; 6], [u8; 6]),
    /// How its packets look.
    pub(crate) stack: Stack,
}

/// Habits of a TCP/IP stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack {
    /// Initial hop limit.
    pub(crate) hop_limit: u8,
    /// Identification of the next IPv4 packet; counts up by one each.
    pub(crate) identification: u16,
    /// Identification does not count.
    pub(crate) fixed_identification: bool,
    /// Window of ordinary segments.
    pub(crate) window: u16,
}

impl Stack {
    /// Like nmap: one window, identification 0 on every packet.
    pub(crate) const SCANNER: Self =
        Self { hop_limit: 64, identification: 0, fixed_identification: true, window: 1024 };
}

/// A segment that was heard, without its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) seq_end: u32,
    pub(crate) payload_len: usize,
}

/// The parts of a segment that are no habit of the stack.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Draft<'bytes> {
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    /// `None`: the stack's own.
    pub(crate) window: Option<u16>,
    pub(crate) options: &'bytes [u8],
    pub(crate) payload: &'bytes [u8],
}

/// A maximum segment size of 1460 and nothing else.
pub(crate) const MSS_ONLY: [u8; 4] = [2, 4, 0x05, 0xb4];

/// Longest wait for a segment of a peer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(4);

impl Hand {
    /// On the client's wire.
    pub(crate) fn of_client(topology: &Topology, stack: Stack) -> Result<Self, Error> {
        let socket = PacketSocket::open(topology.client(), TO_SERVER)?;
        Ok(Self { socket, macs: topology.client_link_macs(), stack })
    }

    /// On the server's wire.
    pub(crate) fn of_server(topology: &Topology, stack: Stack) -> Result<Self, Error> {
        let socket = PacketSocket::open(topology.server(), TO_CLIENT)?;
        Ok(Self { socket, macs: topology.server_link_macs(), stack })
    }

    /// On the firewall's interface toward the client, in the server's name.
    pub(crate) fn of_firewall(topology: &Topology, stack: Stack) -> Result<Self, Error> {
        let socket = PacketSocket::open(topology.firewall(), TO_CLIENT)?;
        Ok(Self { socket, macs: topology.firewall_link_macs(), stack })
    }

    /// On the last router's interface toward the server, in anybody's name.
    pub(crate) fn of_spoofer(topology: &Topology, stack: Stack) -> Result<Self, Error> {
        let socket = PacketSocket::open(topology.last_router(), TO_SERVER)?;
        let (server, router) = topology.server_link_macs();
        Ok(Self { socket, macs: (router, server), stack })
    }

    /// Sends one segment.
    pub(crate) fn send(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        draft: Draft<'_>,
    ) -> Result<(), Error> {
        let segment = Forged {
            source_mac: self.macs.0,
            destination_mac: self.macs.1,
            source,
            destination,
            hop_limit: self.stack.hop_limit,
            traffic_class: 0,
            identification: self.stack.identification,
            dont_fragment: true,
            flags: draft.flags,
            seq: draft.seq,
            ack: draft.ack,
            window: draft.window.unwrap_or(self.stack.window),
            options: draft.options,
            payload: draft.payload,
        };
        if !self.stack.fixed_identification {
            self.stack.identification = self.stack.identification.wrapping_add(1);
        }
        self.socket.send(&segment.frame()).map(drop)
    }

    /// The next segment to `destination` that `wanted` accepts; `None` after a few seconds.
    pub(crate) fn await_segment(
        &self,
        destination: SocketAddr,
        wanted: impl Fn(&Heard) -> bool,
    ) -> Result<Option<Heard>, Error> {
        let deadline = Instant::now() + ANSWER_PATIENCE;
        let mut buffer = vec![0; FRAME_LEN_MAX];
        loop {
            while let Some(reception) = self.socket.receive(&mut buffer)? {
                let heard = Seen::parse(&buffer[..reception.len]).map(|seen| Heard::of(&seen));
                let fits = |heard: &Heard| heard.destination == destination && wanted(heard);
                if let Some(heard) = heard.filter(fits) {
                    return Ok(Some(heard));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let mut waiting = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(left).expect("the patience fits a poll time-out");
            // An interrupted wait is only an early look.
            let _ = poll(&mut waiting, timeout);
        }
    }
}

impl Heard {
    /// Copies what matters.
    pub(crate) fn of(seen: &Seen<'_>) -> Self {
        Self {
            source: seen.source,
            destination: seen.destination,
            flags: seen.flags,
            seq: seen.seq,
            ack: seen.ack,
            seq_end: seen.seq_end(),
            payload_len: seen.payload.len(),
        }
    }

    /// Just a SYN.
    pub(crate) fn is_syn(&self) -> bool {
        self.flags & (SYN | ACK | RST | FIN) == SYN
    }

    /// A reset of either shape.
    pub(crate) fn is_reset(&self) -> bool {
        self.flags & RST != 0
    }
}

/// One end of a connection, spoken by hand.
pub(crate) struct Talk<'hand> {
    hand: &'hand mut Hand,
    /// Our address.
    pub(crate) own: SocketAddr,
    /// The peer's address.
    pub(crate) peer: SocketAddr,
    /// Our next sequence number.
    pub(crate) next: u32,
    /// The peer's next one.
    pub(crate) expected: u32,
}

impl<'hand> Talk<'hand> {
    /// Waits for a SYN to `own` and completes the handshake; `None` if nobody calls.
    pub(crate) fn accept(
        hand: &'hand mut Hand,
        own: SocketAddr,
        isn: u32,
    ) -> Result<Option<Self>, Error> {
        let Some(syn) = hand.await_segment(own, Heard::is_syn)? else { return Ok(None) };
        let expected = syn.seq_end;
        let flags = SYN | ACK;
        let draft =
            Draft { flags, seq: isn, ack: expected, options: &MSS_ONLY, ..Draft::default() };
        hand.send(own, syn.source, draft)?;
        let next = isn.wrapping_add(1);
        let talk = Self { own, peer: syn.source, next, expected, hand };
        let peer = talk.peer;
        let done = talk.hand.await_segment(own, |heard| {
            heard.source == peer && heard.flags & (SYN | RST) == 0 && heard.ack == next
        })?;
        Ok(done.map(|_| talk))
    }

    /// Opens a connection to `peer`; `None` if it does not answer.
    pub(crate) fn open(
        hand: &'hand mut Hand,
        own: SocketAddr,
        peer: SocketAddr,
        isn: u32,
    ) -> Result<Option<Self>, Error> {
        let syn = Draft { flags: SYN, seq: isn, options: &MSS_ONLY, ..Draft::default() };
        hand.send(own, peer, syn)?;
        let answer = hand.await_segment(own, |heard| {
            heard.source == peer && heard.flags & (SYN | ACK) == SYN | ACK
        })?;
        let Some(syn_ack) = answer else { return Ok(None) };
        let next = isn.wrapping_add(1);
        let mut talk = Self { hand, own, peer, next, expected: syn_ack.seq_end };
        talk.send(ACK, &[])?;
        Ok(Some(talk))
    }

    /// Sends a segment with `flags` at the next number.
    pub(crate) fn send(&mut self, flags: u8, payload: &[u8]) -> Result<(), Error> {
        self.send_draft(Draft { flags, payload, ..Draft::default() })
    }

    /// Sends a segment whose numbers are those of the connection; window, options and payload are the draft's.
    pub(crate) fn send_draft(&mut self, draft: Draft<'_>) -> Result<(), Error> {
        let ack = if draft.flags & ACK == 0 { 0 } else { self.expected };
        self.hand.send(self.own, self.peer, Draft { seq: self.next, ack, ..draft })?;
        if draft.flags & RST == 0 {
            let len = u32::try_from(draft.payload.len()).expect("a segment is short");
            let phantom = u32::from(draft.flags & SYN != 0) + u32::from(draft.flags & FIN != 0);
            self.next = self.next.wrapping_add(len).wrapping_add(phantom);
        }
        Ok(())
    }

    /// Waits for the peer's next data or FIN and acknowledges it; false if nothing comes.
    pub(crate) fn take(&mut self) -> Result<bool, Error> {
        let (peer, expected) = (self.peer, self.expected);
        let heard = self.hand.await_segment(self.own, |heard| {
            heard.source == peer && heard.seq == expected && heard.seq_end != expected
        })?;
        let Some(heard) = heard else { return Ok(false) };
        self.expected = heard.seq_end;
        self.send(ACK, &[])?;
        Ok(true)
    }
}
