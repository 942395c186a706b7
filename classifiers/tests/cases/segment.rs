//! One line `client > PSH ACK 120 bytes ...`: what a script says of a segment.

use crate::frame::FLAGS;
use crate::host::StackKind;
use crate::payload;
use crate::words::{Words, number};

/// Who sends: an end of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Name {
    pub(crate) is_client: bool,
    /// From 1.
    pub(crate) flow: u8,
}

impl Name {
    /// `client`, `server`, `client2` ...
    pub(crate) fn of(word: &str) -> Option<Self> {
        let (is_client, number) = match (word.strip_prefix("client"), word.strip_prefix("server")) {
            (Some(number), _) => (true, number),
            (_, Some(number)) => (false, number),
            _ => return None,
        };
        flow_number(number).map(|flow| Self { is_client, flow })
    }
}

/// The number behind a word; none is the first flow.
pub(crate) fn flow_number(digits: &str) -> Option<u8> {
    if digits.is_empty() { Some(1) } else { digits.parse().ok().filter(|&flow| flow > 0) }
}

/// When a segment passes the sensor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    At(i64),
    After(i64),
}

/// A sequence number as a script writes it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    /// So far from where it would be anyway.
    Usual(i64),
    /// So far from the initial number of the side it counts for.
    Initial(i64),
    /// So far from the next number of that side.
    Next(i64),
    /// This very number.
    Absolute(u32),
}

/// An identification as a script writes it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Id {
    This(u16),
    /// So far from the sender's last.
    Step(i64),
}

/// A segment as written; what is absent follows from the hosts' habits.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) sender: Name,
    pub(crate) flags: u8,
    pub(crate) when: When,
    pub(crate) payload: Vec<u8>,
    pub(crate) seq: Point,
    pub(crate) ack: Point,
    pub(crate) ttl: Option<u8>,
    pub(crate) id: Option<Id>,
    pub(crate) window: Option<u16>,
    pub(crate) tos: Option<u8>,
    pub(crate) df: Option<bool>,
    pub(crate) label: Option<u32>,
    pub(crate) mac: Option<u8>,
    pub(crate) vlan: Option<u16>,
    /// Whether it bears timestamps.
    pub(crate) timestamps: Option<bool>,
    pub(crate) timestamp_step: i64,
    pub(crate) echo_step: i64,
    pub(crate) layout: Option<StackKind>,
    pub(crate) has_no_options: bool,
    pub(crate) is_signed: Option<bool>,
    /// Options behind all others.
    pub(crate) more_options: Vec<u8>,
    pub(crate) bad_checksum: bool,
    /// It was sent, but the sensor missed it.
    pub(crate) is_unseen: bool,
}

impl Segment {
    /// A segment without peculiarities.
    pub(crate) fn plain(sender: Name, flags: u8, when: When) -> Self {
        Self {
            sender,
            flags,
            when,
            payload: Vec::new(),
            seq: Point::Usual(0),
            ack: Point::Usual(0),
            ttl: None,
            id: None,
            window: None,
            tos: None,
            df: None,
            label: None,
            mac: None,
            vlan: None,
            timestamps: None,
            timestamp_step: 0,
            echo_step: 0,
            layout: None,
            has_no_options: false,
            is_signed: None,
            more_options: Vec::new(),
            bad_checksum: false,
            is_unseen: false,
        }
    }

    /// Reads what follows `client >`.
    pub(crate) fn read(sender: Name, words: &mut Words) -> Result<Self, String> {
        let mut segment = Self::plain(sender, 0, When::After(DEFAULT_STEP_NS));
        while let Some(flag) = words.peek().and_then(flag_of) {
            segment.flags |= flag;
            words.take();
        }
        while let Some(word) = words.take() {
            if let Some(text) = word.strip_prefix('"') {
                let len = segment.payload.len().max(text.len());
                segment.payload = text.as_bytes().to_vec();
                segment.payload.resize(len, b'.');
            } else if let Some(len) =
                number::<usize>(&word).filter(|_| words.peek() == Some("bytes"))
            {
                words.take();
                segment.payload.resize(len, b'.');
            } else {
                segment.attribute(&word, words)?;
            }
        }
        Ok(segment)
    }

    fn attribute(&mut self, word: &str, words: &mut Words) -> Result<(), String> {
        match word {
            "at" => self.when = When::At(words.span()?),
            "after" => self.when = When::After(words.span()?),
            "hex" => self.payload = payload::hex(&words.expect("hexadecimal digits")?)?,
            "tls" => self.payload = payload::tls(&words.expect("a TLS record")?)?,
            "seq" => self.seq = point(words)?,
            "ack" => self.ack = point(words)?,
            "ttl" => self.ttl = Some(words.number("TTL")?),
            "id" => self.id = Some(id(words)?),
            "win" => self.window = Some(words.number("window")?),
            "tos" => self.tos = Some(words.number("TOS")?),
            "df" => self.df = Some(true),
            "label" => self.label = Some(words.number("flow label")?),
            "mac" => self.mac = Some(words.number("last byte of a MAC address")?),
            "vlan" => self.vlan = Some(words.number("VLAN")?),
            "ts" => {
                self.timestamps = Some(true);
                if words.peek().is_some_and(|word| word.starts_with(['+', '-'])) {
                    self.timestamp_step = words.number("step of TSval")?;
                }
            }
            "ecr" => self.echo_step = words.number("step of TSecr")?,
            "opts" => self.layout = Some(stack(words)?),
            "signed" => self.is_signed = Some(true),
            "ao" => self.more_options.extend([29, 4, 1, 1]),
            "mptcp" => self.more_options.extend(mptcp(words)?),
            "bad" if words.peek() == Some("checksum") => {
                words.take();
                self.bad_checksum = true;
            }
            "unseen" => self.is_unseen = true,
            "no" => self.without(&words.expect("what it has not")?)?,
            _ => return Err(format!("{word:?} says nothing of a segment")),
        }
        Ok(())
    }

    fn without(&mut self, word: &str) -> Result<(), String> {
        match word {
            "ts" => self.timestamps = Some(false),
            "df" => self.df = Some(false),
            "label" => self.label = Some(0),
            "opts" => self.has_no_options = true,
            "signature" => self.is_signed = Some(false),
            _ => return Err(format!("\"no {word}\" says nothing of a segment")),
        }
        Ok(())
    }
}

fn flag_of(word: &str) -> Option<u8> {
    FLAGS.iter().find(|(name, _)| *name == word).map(|&(_, bit)| bit)
}

/// A stack by its name.
pub(crate) fn stack(words: &mut Words) -> Result<StackKind, String> {
    let word = words.expect("a stack")?;
    StackKind::from_name(&word).ok_or_else(|| format!("{word:?} is no stack"))
}

/// `+10`, `isn`, `isn+1`, `next`, `next+1460`, `abs 7`.
fn point(words: &mut Words) -> Result<Point, String> {
    let word = words.expect("a sequence number")?;
    let step = |text: &str| if text.is_empty() { Some(0) } else { number::<i64>(text) };
    let found = if word == "abs" {
        Some(Point::Absolute(words.number("sequence number")?))
    } else if let Some(rest) = word.strip_prefix("isn") {
        step(rest).map(Point::Initial)
    } else if let Some(rest) = word.strip_prefix("next") {
        step(rest).map(Point::Next)
    } else if word.starts_with(['+', '-']) {
        step(&word).map(Point::Usual)
    } else {
        None
    };
    found.ok_or_else(|| format!("{word:?} is no place (write +10, isn+1, next, abs 7)"))
}

fn id(words: &mut Words) -> Result<Id, String> {
    if words.peek().is_some_and(|word| word.starts_with(['+', '-'])) {
        words.number("step of the ID").map(Id::Step)
    } else {
        words.number("IP ID").map(Id::This)
    }
}

/// MP_TCPRST with its reason, or MP_FASTCLOSE with a key (RFC 8684, sections 3.5 and 3.6).
fn mptcp(words: &mut Words) -> Result<Vec<u8>, String> {
    match words.expect("an MPTCP option")?.as_str() {
        "rst" => Ok(vec![30, 4, 0x80, words.number("MPTCP reason")?]),
        "fastclose" => Ok(vec![30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
        "capable" => Ok(vec![30, 4, 0x01, 0x81]),
        word => Err(format!("{word:?} is no MPTCP option known here")),
    }
}

/// Between lines that name no time.
const DEFAULT_STEP_NS: i64 = 1_000_000;
