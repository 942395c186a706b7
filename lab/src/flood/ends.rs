//! The ways in which honest connections end.

use std::net::Shutdown;
use std::time::Duration;

use crate::endpoint;
use crate::random::Random;
use crate::scenario::{Pair, Stage, finish};
use crate::{Error, Truth};

/// A way to end, for each of the two sides where it makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// FIN from this side, then from the other.
    Polite(Side),
    /// SYN to a closed port.
    Refused,
    /// The client closes before the SYN/ACK is there.
    Cancelled,
    /// `SO_LINGER` 0 in the middle of a transfer.
    Aborted(Side),
    /// close() with unread data.
    Unread(Side),
    /// `SO_LINGER` 0 after everything was said and acknowledged.
    Fast(Side),
    /// Both close while the last data is under way.
    Race,
    /// This side closes, the other one goes on sending.
    Late(Side),
    /// This side's socket vanishes; the other one speaks later.
    Forgotten(Side),
    /// The server resets a connection after seconds of silence.
    Idle,
}

/// Client or server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// How many of a hundred flows end in which way.
const SHARES: [(u64, Ending); 16] = [
    (13, Ending::Polite(Side::Client)),
    (7, Ending::Polite(Side::Server)),
    (10, Ending::Refused),
    (6, Ending::Cancelled),
    (7, Ending::Aborted(Side::Client)),
    (7, Ending::Aborted(Side::Server)),
    (5, Ending::Unread(Side::Client)),
    (5, Ending::Unread(Side::Server)),
    (8, Ending::Fast(Side::Client)),
    (4, Ending::Fast(Side::Server)),
    (7, Ending::Race),
    (5, Ending::Late(Side::Client)),
    (7, Ending::Late(Side::Server)),
    (2, Ending::Forgotten(Side::Client)),
    (4, Ending::Forgotten(Side::Server)),
    (2, Ending::Idle),
];

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl Ending {
    /// Draws one by the shares.
    pub(super) fn choose(random: &mut Random) -> Self {
        let mut ticket = random.below(SHARES.iter().map(|(share, _)| share).sum());
        for (share, ending) in SHARES {
            match ticket.checked_sub(share) {
                None => return ending,
                Some(rest) => ticket = rest,
            }
        }
        Self::Race
    }

    /// Ends an established connection in this way. Refusals and cancelled calls never come so far.
    pub(super) fn end(
        self,
        stage: &Stage<'_>,
        mut pair: Pair,
        random: &mut Random,
    ) -> Result<Option<Truth>, Error> {
        let flow = pair.flow();
        talk(&mut pair, random)?;
        match self {
            Self::Polite(Side::Client) => finish(&mut pair)?,
            Self::Polite(Side::Server) => finish_from_server(&mut pair)?,
            Self::Refused | Self::Cancelled => return Ok(None),
            Self::Aborted(side) => {
                // The last piece is still on the wire when the application gives up.
                endpoint::say(&mut pair.server, &vec![b'.'; 1 + random.below(6000) as usize])?;
                abort(stage, pair, side)?;
            }
            Self::Unread(side) => close_unread(stage, pair, side, random)?,
            Self::Fast(side) => {
                // A delayed acknowledgment leaves after 40 ms at the latest.
                stage.pause(3);
                abort(stage, pair, side)?;
            }
            Self::Race => {
                drop(pair.client);
                endpoint::say(&mut pair.server, b"second half\n")?;
                drop(pair.server);
                stage.pause(3);
            }
            Self::Late(side) => speak_late(stage, pair, side),
            Self::Forgotten(side) => {
                let (gone, mut other) = split(pair, side);
                // A delayed acknowledgment would meet no socket before the data does.
                stage.pause(3);
                endpoint::vanish(gone);
                std::thread::sleep(Duration::from_millis(200 + random.below(2000)));
                endpoint::say(&mut other, b"where were we?\n")?;
                stage.expect_reset(&mut other, flow)?;
            }
            Self::Idle => {
                std::thread::sleep(Duration::from_millis(5000 + random.below(1500)));
                abort(stage, pair, Side::Server)?;
            }
        }
        Ok(self.truth(stage, flow))
    }

    fn truth(
        self,
        stage: &Stage<'_>,
        flow: (std::net::SocketAddr, std::net::SocketAddr),
    ) -> Option<Truth> {
        let (side, cause, done) = match self {
            Self::Polite(side) => {
                let done = format!("FIN from the {} first, then from the other side", side.name());
                return Some(stage.truth(flow, "none", "none", done));
            }
            Self::Refused | Self::Cancelled => return None,
            Self::Aborted(side) => (side, "app_abort", "closed with SO_LINGER 0 in mid-transfer"),
            Self::Unread(side) => (side, "app_abort", "closed with unread data"),
            Self::Fast(side) => {
                (side, "fast_close", "closed with SO_LINGER 0 after a complete exchange")
            }
            Self::Race => (Side::Client, "close_race", "closed while the server's last data came"),
            Self::Late(side) => (side, "data_after_close", "closed, the other side said more"),
            Self::Forgotten(side) => {
                (side, "stale_connection", "lost its socket (TCP_REPAIR), the other side said more")
            }
            Self::Idle => {
                (Side::Server, "idle_timeout_endpoint", "gave up after seconds of silence")
            }
        };
        let done = format!("no middlebox: the {} {done}", side.name());
        Some(stage.truth(flow, side.name(), cause, done))
    }
}

/// A few requests and responses of all sizes.
fn talk(pair: &mut Pair, random: &mut Random) -> Result<(), Error> {
    for _ in 0..=random.below(3) {
        let request = vec![b'q'; 1 + random.below(2500) as usize];
        // Most responses fit one segment, some need many.
        let longest = if random.below(5) == 0 { 30_000 } else { 1200 };
        let response = vec![b'a'; 1 + random.below(longest) as usize];
        endpoint::exchange(&mut pair.client, &mut pair.server, &request, &response)?;
    }
    Ok(())
}

/// The end of this side, and the other one.
fn split(pair: Pair, side: Side) -> (std::net::TcpStream, std::net::TcpStream) {
    match side {
        Side::Client => (pair.client, pair.server),
        Side::Server => (pair.server, pair.client),
    }
}

fn abort(stage: &Stage<'_>, pair: Pair, side: Side) -> Result<(), Error> {
    let flow = pair.flow();
    let (gone, mut other) = split(pair, side);
    endpoint::abort(gone)?;
    stage.expect_reset(&mut other, flow)
}

fn close_unread(
    stage: &Stage<'_>,
    pair: Pair,
    side: Side,
    random: &mut Random,
) -> Result<(), Error> {
    let flow = pair.flow();
    let (gone, mut other) = split(pair, side);
    endpoint::say(&mut other, &vec![b'?'; 1 + random.below(4000) as usize])?;
    stage.pause(1);
    drop(gone);
    stage.expect_reset(&mut other, flow)
}

fn speak_late(stage: &Stage<'_>, pair: Pair, side: Side) {
    let (gone, mut other) = split(pair, side);
    drop(gone);
    stage.pause(1);
    // Whatever the kernel says now: the data left, and its answer is what this is about.
    let _ = endpoint::say(&mut other, b"and another thing\n");
    stage.pause(2);
}

fn finish_from_server(pair: &mut Pair) -> Result<(), Error> {
    let failed = |source| Error::socket("close one direction", source);
    pair.server.shutdown(Shutdown::Write).map_err(failed)?;
    endpoint::wait_for_end(&mut pair.client);
    pair.client.shutdown(Shutdown::Write).map_err(failed)?;
    endpoint::wait_for_end(&mut pair.server);
    Ok(())
}
