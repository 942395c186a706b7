//! A device beside the path: it listens to the link in front of the firewall and forges resets to both ends.
//!
//! The device has two hands on the link: what it sends to the client leaves on the firewall's interface, what it
//! sends to the server enters there, as if it came from the client's router. So a tap on that link sees both.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Error;
use crate::frame::{ACK, Forged, RST, Seen};
use crate::packet_socket::{FRAME_LEN_MAX, PacketSocket};
use crate::random::Random;
use crate::topology::{TO_CLIENT, Topology, WIRE_RIGHT};

/// How the forged resets look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// One bare reset with hop limit, window and identification of its own.
    Bare,
    /// Three resets with ACK, window and hop limit rising by one (as described by GFW Report, 20 August 2025).
    RisingTriple,
    /// One reset with ACK, the window of the trigger, identification 0, may be fragmented
    /// (as Suricata's `reject` does it, respond-reject-libnet11.c).
    CopiedWindow,
    /// Eight bare resets to the client only, aimed into its window but past the next number (RFC 5961, section 3).
    Guessed,
}

impl Style {
    /// One of the styles of a device that knows the sequence numbers.
    pub(crate) fn choose(random: &mut Random) -> Self {
        match random.below(3) {
            0 => Self::Bare,
            1 => Self::RisingTriple,
            _ => Self::CopiedWindow,
        }
    }

    /// The style in words.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Bare => "one bare reset a side with a hop limit, window and ID of its own",
            Self::RisingTriple => {
                "three RST/ACK a side with window and hop limit rising by one each"
            }
            Self::CopiedWindow => {
                "one RST/ACK a side with the window of the trigger, ID 0 and DF clear"
            }
            Self::Guessed => "eight bare resets to the client, 4,000 sequence numbers apart",
        }
    }
}

/// The device, listening.
pub(crate) struct Injector {
    /// On the firewall's interface: hears both directions, sends to the client.
    client_hand: PacketSocket,
    /// On the wire's end at the firewall: sends to the server.
    server_hand: PacketSocket,
}

/// The newest segment of each direction of the flow under watch.
#[derive(Default)]
struct Watched {
    from_client: Option<Side>,
    from_server: Option<Side>,
}

#[derive(Clone, Copy)]
struct Side {
    source: SocketAddr,
    destination: SocketAddr,
    macs: ([u8; 6], [u8; 6]),
    /// Sequence number after everything this side has sent.
    next: u32,
    window: u16,
}

impl Injector {
    /// Puts the device on the link. It hears everything from now on.
    pub(crate) fn open(topology: &Topology) -> Result<Self, Error> {
        Ok(Self {
            client_hand: PacketSocket::open(topology.firewall(), TO_CLIENT)?,
            server_hand: PacketSocket::open(topology.client_wire(), WIRE_RIGHT)?,
        })
    }

    /// Waits until a client at `client` says `keyword` to `server`, then forges resets to both.
    ///
    /// Returns false if the word was not heard within `patience`.
    pub(crate) fn strike(
        &self,
        client: IpAddr,
        server: SocketAddr,
        keyword: &[u8],
        style: Style,
        random: &mut Random,
        patience: Duration,
    ) -> Result<bool, Error> {
        let deadline = Instant::now() + patience;
        let mut watched = Watched::default();
        let mut buffer = vec![0; FRAME_LEN_MAX];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let mut waiting = [PollFd::new(self.client_hand.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(left).expect("the patience fits a poll time-out");
            poll(&mut waiting, timeout)
                .map_err(|source| Error::socket("wait for a frame", source))?;
            while let Some(reception) = self.client_hand.receive(&mut buffer)? {
                let Some(seen) = Seen::parse(&buffer[..reception.len]) else { continue };
                watched.note(&seen, client, server);
                let said = seen.source.ip() == client
                    && seen.destination == server
                    && seen.payload.windows(keyword.len()).any(|bytes| bytes == keyword);
                if let (true, Some(from_client), Some(from_server)) =
                    (said, watched.from_client, watched.from_server)
                {
                    self.forge(&from_client, &from_server, style, random)?;
                    return Ok(true);
                }
            }
        }
    }

    fn forge(
        &self,
        from_client: &Side,
        from_server: &Side,
        style: Style,
        random: &mut Random,
    ) -> Result<(), Error> {
        let to_client = (&self.client_hand, from_server, from_client);
        let to_server = (&self.server_hand, from_client, from_server);
        let both = [to_client, to_server];
        let targets = if style == Style::Guessed { &both[..1] } else { &both[..] };
        for &(hand, side, other) in targets {
            for reset in resets(side, other, style, random) {
                hand.send(&reset.frame())?;
            }
        }
        Ok(())
    }
}

impl Watched {
    fn note(&mut self, seen: &Seen<'_>, client: IpAddr, server: SocketAddr) {
        let slot = if seen.source.ip() == client && seen.destination == server {
            &mut self.from_client
        } else if seen.source == server && seen.destination.ip() == client {
            &mut self.from_server
        } else {
            return;
        };
        let end = seen.seq_end();
        // A retransmission does not move the edge back; a new connection starts a new count.
        let next = slot
            .filter(|side| {
                let same = (side.source, side.destination) == (seen.source, seen.destination);
                same && side.next.wrapping_sub(end) < 1 << 31
            })
            .map_or(end, |side| side.next);
        *slot = Some(Side {
            source: seen.source,
            destination: seen.destination,
            macs: (seen.source_mac, seen.destination_mac),
            next,
            window: seen.window,
        });
    }
}

/// The resets in the name of `side`, in the style of the device.
fn resets(side: &Side, other: &Side, style: Style, random: &mut Random) -> Vec<Forged<'static>> {
    let first = Forged {
        source_mac: side.macs.0,
        destination_mac: side.macs.1,
        source: side.source,
        destination: side.destination,
        // A device some hops away with one of the usual initial values; never that of a neighbour's Linux.
        hop_limit: [64, 128, 255][random.below(3) as usize] - 7 - random.below(12) as u8,
        identification: random.word(),
        dont_fragment: true,
        flags: RST | ACK,
        seq: side.next,
        ack: other.next,
        window: 1000 + random.word() % 4000,
        options: &[],
    };
    match style {
        Style::Bare => vec![Forged { flags: RST, ack: 0, ..first }],
        Style::RisingTriple => (0..3)
            .map(|step| Forged {
                window: first.window + step,
                hop_limit: first.hop_limit + step as u8,
                identification: first.identification.wrapping_add(step),
                ..first.clone()
            })
            .collect(),
        Style::Guessed => (1..=8)
            .map(|step| Forged {
                flags: RST,
                ack: 0,
                seq: first.seq.wrapping_add(4000 * step),
                identification: random.word(),
                ..first.clone()
            })
            .collect(),
        Style::CopiedWindow => vec![Forged {
            window: other.window,
            identification: 0,
            dont_fragment: false,
            hop_limit: 64,
            ..first
        }],
    }
}
