//! How the resets of devices look: one style for each kind of device that has been described.

use std::net::SocketAddr;

use crate::frame::{ACK, Forged, RST};
use crate::random::Random;

/// How the forged resets look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// One bare reset with hop limit, window and identification of its own (GFW type 1; Wang et al., IMC 2017).
    Bare,
    /// Three resets with ACK at the next number, 1460 and 4380 further, window and hop limit rising (GFW type 2; Wang
    /// et al., IMC 2017).
    SteppingTriple,
    /// Three resets with ACK, window and hop limit rising by one (as described by GFW Report, 20 August 2025).
    RisingTriple,
    /// One reset with ACK, the window of the trigger, identification 0, may be fragmented
    /// (as Suricata's `reject` does it, respond-reject-libnet11.c).
    CopiedWindow,
    /// The same with the numbers of the trigger itself, as Suricata sends it: to the receiver of the trigger with the
    /// trigger's own sequence number, which only fits if the trigger never arrives.
    SuricataReject,
    /// Several resets ahead of each other, own identification, may be fragmented, hop limit of the trigger
    /// (Snort 3 active response, active.cc and cd_tcp.cc).
    SnortStrafe,
    /// Acknowledges the first number instead of the one after it, with window and identification of the SYN
    /// (Zeek's trace rst-inject-rae).
    SynCopy,
    /// Bare resets at each next window, window 0 (dsniff's tcpkill).
    Tcpkill,
    /// One reset with ACK, window 0, type of service 0x10 (pf `return-rst`, ipfw `reset`).
    LowDelay,
    /// One reset with ACK, window 0, a counter of its own and the highest hop limit (home routers, gateways).
    Gateway,
    /// A window that holds a code of the vendor's reason (Citrix NetScaler), highest hop limit.
    WindowCode(u16),
    /// One reset with ACK and a payload that says why (draft-boucadair-tcpm-rst-diagnostic-payload, or plain text).
    Payload(&'static [u8]),
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
    pub(crate) fn describe(self) -> String {
        let text = match self {
            Self::Bare => "one bare reset a side with a hop limit, window and ID of its own",
            Self::SteppingTriple => {
                "three RST/ACK a side at the next number, +1460 and +4380, window and hop limit rising"
            }
            Self::RisingTriple => {
                "three RST/ACK a side with window and hop limit rising by one each"
            }
            Self::CopiedWindow => {
                "one RST/ACK a side with the window of the trigger, ID 0 and DF clear"
            }
            Self::SuricataReject => {
                "Suricata reject: one RST/ACK with window and numbers of the trigger, ID 0, DF clear, hop limit 64"
            }
            Self::SnortStrafe => {
                "Snort 3 active response: RST/ACKs ahead of each other, window 0, DF clear, hop limit of the trigger"
            }
            Self::SynCopy => "one RST/ACK that acknowledges the ISN, window and ID of the SYN",
            Self::Tcpkill => "tcpkill: bare resets a window apart, window 0",
            Self::LowDelay => "pf return-rst: RST/ACK with window 0 and type of service 0x10",
            Self::Gateway => {
                "gateway: RST/ACK with window 0, a counter of its own, hop limit from 255"
            }
            Self::WindowCode(code) => return format!("NetScaler: reset code {code} in the window"),
            Self::Payload(bytes) => {
                return format!("reset with payload {}", bytes.escape_ascii());
            }
            Self::Guessed => "eight bare resets, 4,000 sequence numbers apart",
        };
        text.to_owned()
    }
}

/// The newest state of one side of a flow, as a device on the path has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// MAC addresses of sender and receiver on the device's link.
    pub(crate) macs: ([u8; 6], [u8; 6]),
    /// Sequence number after everything this side has sent; 0 if it has sent nothing.
    pub(crate) next: u32,
    /// Its newest segment: sequence number, acknowledgment, window, identification, hop limit.
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    pub(crate) identification: u16,
    pub(crate) hop_limit: u8,
}

/// The resets in the name of `side`, in the style of the device. `answers` means that the other side sent the
/// trigger, so that this reset goes back to its sender.
pub(crate) fn resets(
    side: &Side,
    other: &Side,
    style: Style,
    answers: bool,
    random: &mut Random,
) -> Vec<Forged<'static>> {
    let first = Forged {
        source_mac: side.macs.0,
        destination_mac: side.macs.1,
        source: side.source,
        destination: side.destination,
        // A device some hops away with one of the usual initial values; never that of a neighbour's Linux.
        hop_limit: [64, 128, 255][random.below(3) as usize] - 7 - random.below(12) as u8,
        traffic_class: 0,
        identification: random.word(),
        dont_fragment: true,
        flags: RST | ACK,
        seq: side.next,
        ack: other.next,
        window: 1000 + random.word() % 4000,
        options: &[],
        payload: &[],
    };
    match style {
        Style::Bare => vec![Forged { flags: RST, ack: 0, ..first }],
        Style::RisingTriple => rising(&first, [0, 0, 0]),
        Style::SteppingTriple => rising(&first, [0, 1460, 4380]),
        Style::Guessed => (1..=8)
            .map(|step| Forged {
                flags: RST,
                ack: 0,
                seq: first.seq.wrapping_add(4000 * step),
                identification: random.word(),
                ..first.clone()
            })
            .collect(),
        Style::CopiedWindow => vec![Forged { window: other.window, ..bare_header(first) }],
        Style::SuricataReject if answers => {
            vec![Forged { seq: other.ack, window: other.window, ..bare_header(first) }]
        }
        Style::SuricataReject => {
            vec![Forged { seq: side.seq, ack: side.ack, window: side.window, ..bare_header(first) }]
        }
        Style::SnortStrafe => strafe(&first, side, other, answers),
        Style::SynCopy => vec![Forged {
            // The SYN's sender is the other side; its number is acknowledged without the step for the SYN.
            ack: other.seq,
            window: other.window,
            identification: other.identification,
            hop_limit: 61 + random.below(2) as u8 * 3 - 1,
            ..first
        }],
        Style::Tcpkill => (0..3)
            .map(|step| Forged {
                flags: RST,
                ack: 0,
                seq: other.ack.max(side.next).wrapping_add(step * u32::from(other.window)),
                window: 0,
                hop_limit: 64,
                identification: random.word(),
                dont_fragment: false,
                ..first.clone()
            })
            .collect(),
        Style::LowDelay => vec![Forged { window: 0, traffic_class: 0x10, hop_limit: 64, ..first }],
        Style::Gateway => vec![Forged { window: 0, hop_limit: 255, ..first }],
        Style::WindowCode(code) => vec![Forged { window: code, hop_limit: 254, ..first }],
        Style::Payload(payload) => vec![Forged { payload, hop_limit: 254, ..first }],
    }
}

/// The header of libnet's packets.
fn bare_header(first: Forged<'static>) -> Forged<'static> {
    Forged { identification: 0, dont_fragment: false, hop_limit: 64, ..first }
}

/// Three resets; window, hop limit and identification rise by one each.
fn rising(first: &Forged<'static>, ahead: [u32; 3]) -> Vec<Forged<'static>> {
    (0..3_u16)
        .zip(ahead)
        .map(|(step, ahead)| Forged {
            seq: first.seq.wrapping_add(ahead),
            window: first.window + step,
            hop_limit: first.hop_limit + step as u8,
            identification: first.identification.wrapping_add(step),
            ..first.clone()
        })
        .collect()
}

/// Snort's resets: back to the sender of the trigger one, forward several, each further ahead.
fn strafe(
    first: &Forged<'static>,
    side: &Side,
    other: &Side,
    answers: bool,
) -> Vec<Forged<'static>> {
    let base = Forged { window: 0, dont_fragment: false, ..first.clone() };
    if answers {
        let hop_limit = (255 - other.hop_limit).max(64);
        return vec![Forged { hop_limit, ..base }];
    }
    let len = side.next.wrapping_sub(side.seq).max(1);
    [0, len, 2 * len, u32::from(side.window) / 2]
        .into_iter()
        .zip(0_u16..)
        .map(|(ahead, step)| Forged {
            seq: base.seq.wrapping_add(ahead),
            hop_limit: side.hop_limit,
            identification: base.identification.wrapping_add(step),
            ..base.clone()
        })
        .collect()
}
