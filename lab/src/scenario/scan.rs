//! Scans with many targets: across addresses, and with segments that begin no connection.

use std::net::SocketAddr;
use std::time::Duration;

use crate::frame::{ACK, FIN};
use crate::hand::{Draft, Hand, Stack};
use crate::scenario::Stage;
use crate::scenario::probe::syn;
use crate::{Error, Truth};

/// Addresses a horizontal scan tries: of these, [`OPEN`] listen and [`DARK`] belong to nobody.
const TARGETS: u16 = 24;
const OPEN: u16 = 6;
const DARK: u16 = 4;

/// One port on many addresses.
pub(super) fn horizontal_syn_scan(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    let listeners = (0..OPEN)
        .map(|host| stage.listen_at(stage.server_at(host, 0)))
        .collect::<Result<Vec<_>, Error>>()?;
    let mut raw = Hand::of_client(stage.topology(), Stack::SCANNER)?;
    let mut random = stage.random();
    let mut order: Vec<u16> = (0..TARGETS).collect();
    shuffle(&mut order, || random.next());
    let mut truths = Vec::new();
    let port = 40_000 + random.word() % 20_000;
    for target in order {
        let from = SocketAddr::new(stage.client_ip(), port);
        let to = if target < TARGETS - DARK {
            stage.server_at(target, 0)
        } else {
            stage.ghost_server(target, 0)
        };
        raw.send(from, to, syn(random.next() as u32))?;
        std::thread::sleep(Duration::from_millis(2 + random.below(8)));
        if target < OPEN {
            let done = "raw SYN of a scanner that tries one port on many addresses; it is open here, and the \
                        kernel of the scanner's host reset the SYN/ACK";
            truths.push(stage.truth((from, to), "client", "syn_scan", done));
        } else if target < TARGETS - DARK {
            let done =
                "raw SYN of a scanner that tries one port on many addresses; it is closed here";
            truths.push(stage.truth((from, to), "server", "port_closed", done));
        }
    }
    stage.pause(3);
    drop(listeners);
    Ok(truths)
}

/// Ports a stealth scan tries on each of its hosts; the first of them listens.
const PORTS: u16 = 6;
const HOSTS: u16 = 4;

/// FINs without a connection: a closed port resets them, an open one is silent.
pub(super) fn fin_scan(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    stealth(stage, FIN, "FIN")
}

/// Segments without any flag.
pub(super) fn null_scan(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    stealth(stage, 0, "NULL")
}

/// FIN, PSH and URG at once.
pub(super) fn xmas_scan(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    stealth(stage, FIN | 0x08 | 0x20, "Xmas")
}

/// ACKs without a connection: every port resets them.
pub(super) fn ack_scan(stage: &Stage<'_>) -> Result<Vec<Truth>, Error> {
    stealth(stage, ACK, "ACK")
}

fn stealth(stage: &Stage<'_>, flags: u8, kind: &str) -> Result<Vec<Truth>, Error> {
    let listeners = (0..HOSTS)
        .map(|host| stage.listen_at(stage.server_at(host, 0)))
        .collect::<Result<Vec<_>, Error>>()?;
    let mut raw = Hand::of_client(stage.topology(), Stack::SCANNER)?;
    let mut random = stage.random();
    let mut order: Vec<u16> = (0..HOSTS * PORTS).collect();
    shuffle(&mut order, || random.next());
    let from = SocketAddr::new(stage.ghost_client(0), 40_000 + random.word() % 20_000);
    let mut truths = Vec::new();
    for target in order {
        let (host, index) = (target / PORTS, target % PORTS);
        let to = stage.server_at(host, index);
        let seq = random.next() as u32;
        let ack = if flags & ACK == 0 { 0 } else { random.next() as u32 };
        raw.send(from, to, Draft { flags, seq, ack, ..Draft::default() })?;
        std::thread::sleep(Duration::from_millis(2 + random.below(8)));
        // RFC 9293, section 3.10.7.2: a listener resets an ACK and drops what has neither SYN, ACK nor RST.
        if index > 0 || flags & ACK != 0 {
            let state = if index == 0 { "an open" } else { "a closed" };
            let done = format!("{kind} scan of {HOSTS} hosts: one probe to {state} port");
            truths.push(stage.truth((from, to), "server", "stray_probe_response", done));
        }
    }
    stage.pause(3);
    drop(listeners);
    Ok(truths)
}

/// Fisher and Yates.
fn shuffle(order: &mut [u16], mut next: impl FnMut() -> u64) {
    for last in (1..order.len()).rev() {
        order.swap(last, (next() % (last as u64 + 1)) as usize);
    }
}
