//! A script: lines to packets and what is expected of their resets.

use std::net::IpAddr;

use crate::clause::Clause;
use crate::conversation::Conversation;
use crate::frame::{ACK, Packet, SYN};
use crate::segment::{Name, Segment, When, flow_number, stack};
use crate::words::Words;

/// A script, read.
pub(crate) struct Script {
    /// In the order of their times.
    pub(crate) packets: Vec<Packet>,
    pub(crate) expectations: Vec<Expectation>,
}

/// What one line expects of one reset.
pub(crate) struct Expectation {
    pub(crate) line: usize,
    /// Of the verdict said at once, not of the final one.
    pub(crate) is_provisional: bool,
    /// Number of the reset's frame, from 1.
    pub(crate) frame: u64,
    pub(crate) clauses: Vec<Clause>,
}

#[derive(Default)]
struct Reader {
    conversation: Conversation,
    /// In the order of the lines, each with its place in that order.
    packets: Vec<(usize, Packet)>,
    last: Option<Packet>,
    last_reset: Option<usize>,
    mirror: Option<(u64, i64)>,
    expectations: Vec<(usize, bool, usize, Vec<Clause>)>,
}

impl Script {
    /// Reads the text of a script.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('#') {
            return Err("1: the first line says why this case exists".to_owned());
        }
        let mut reader = Reader::default();
        for (line, content) in (1..).zip(text.lines()) {
            reader.line(line, content.trim()).map_err(|problem| format!("{line}: {problem}"))?;
        }
        if reader.expectations.is_empty() {
            return Err("0: nothing is expected of any reset".to_owned());
        }
        let mut packets = reader.packets;
        packets.sort_by_key(|(_, packet)| packet.time_ns);
        let frame_of = |order: usize| {
            packets.iter().position(|(at, _)| *at == order).expect("it is a packet's") as u64 + 1
        };
        let expectations = reader
            .expectations
            .into_iter()
            .map(|(line, is_provisional, order, clauses)| Expectation {
                line,
                is_provisional,
                frame: frame_of(order),
                clauses,
            })
            .collect();
        Ok(Self { packets: packets.into_iter().map(|(_, packet)| packet).collect(), expectations })
    }
}

impl Reader {
    fn line(&mut self, line: usize, content: &str) -> Result<(), String> {
        if content.is_empty() || content.starts_with('#') {
            return Ok(());
        }
        if let Some(rest) = content.strip_prefix(['=', '~']) {
            let order = self.last_reset.ok_or("there is no reset above")?;
            let clauses = rest.split(',').map(Clause::parse).collect::<Result<_, _>>()?;
            self.expectations.push((line, content.starts_with('~'), order, clauses));
            return Ok(());
        }
        let mut words = Words::of(content)?;
        let first = words.expect("a word")?;
        if let Some(sender) = Name::of(&first).filter(|_| words.peek() == Some(">")) {
            words.take();
            let segment = Segment::read(sender, &mut words)?;
            self.send(&segment);
            return Ok(());
        }
        self.directive(&first, &mut words)?;
        words.take().map_or(Ok(()), |word| Err(format!("{word:?} is too much")))
    }

    fn directive(&mut self, first: &str, words: &mut Words) -> Result<(), String> {
        match first {
            "flow" => self.flow(words)?,
            "host" => self.host(words)?,
            "wait" => self.conversation.now_ns += words.span()?,
            "again" => self.again(words)?,
            "restart" => {
                let name = name(words)?;
                self.conversation.host(name).restarts();
            }
            "mirror" => {
                let span = words.span()?.unsigned_abs();
                let step = if words.peek() == Some("ttl") {
                    words.take();
                    words.number("step of the TTL")?
                } else {
                    0
                };
                self.mirror = Some((span, step));
            }
            _ => {
                let flow = |prefix| first.strip_prefix(prefix).and_then(flow_number);
                if let Some(flow) = flow("handshake") {
                    self.handshake(flow);
                } else if let Some(flow) = flow("exchange") {
                    self.exchange(flow, words)?;
                } else {
                    return Err(format!("{first:?} begins no line"));
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, segment: &Segment) {
        let packet = self.conversation.send(segment);
        if !segment.is_unseen {
            self.capture(packet);
        }
    }

    fn capture(&mut self, packet: Packet) {
        let order = self.packets.len();
        if packet.is_reset() {
            self.last_reset = Some(order);
        }
        self.packets.push((order, packet.clone()));
        if let Some((span, step)) = self.mirror {
            let mut copy = packet.clone();
            copy.time_ns += span;
            copy.ttl = (i64::from(copy.ttl) + step) as u8;
            self.packets.push((order + 1, copy));
        }
        self.last = Some(packet);
    }

    /// The packet before, once more, byte by byte but for what the line says.
    fn again(&mut self, words: &mut Words) -> Result<(), String> {
        let mut packet = self.last.clone().ok_or("there is no packet above")?;
        let mut after = 1_000_000;
        while let Some(word) = words.take() {
            match word.as_str() {
                "after" => after = words.span()?,
                "ttl" => packet.ttl = words.number("TTL")?,
                "id" => packet.ip_id = words.number("IP ID")?,
                "mac" => packet.mac = words.number("last byte of a MAC address")?,
                _ => return Err(format!("{word:?} says nothing of a repetition")),
            }
        }
        self.conversation.now_ns = packet.time_ns as i64 + after;
        packet.time_ns = self.conversation.now_ns.unsigned_abs();
        self.capture(packet);
        Ok(())
    }

    fn flow(&mut self, words: &mut Words) -> Result<(), String> {
        let number = words.number("flow")?;
        while let Some(word) = words.take() {
            let [client, server] = self.conversation.flow(number);
            match word.as_str() {
                "v6" => {
                    client.address =
                        IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, u16::from(number)]);
                    server.address = IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 10]);
                }
                "client" | "server" => {
                    let end: std::net::SocketAddr = words.parsed("address and port")?;
                    let host = if word == "client" { client } else { server };
                    (host.address, host.port) = (end.ip(), end.port());
                }
                _ => return Err(format!("{word:?} says nothing of a flow")),
            }
        }
        Ok(())
    }

    fn host(&mut self, words: &mut Words) -> Result<(), String> {
        let name = name(words)?;
        while let Some(word) = words.take() {
            let host = self.conversation.host(name);
            match word.as_str() {
                "stack" => host.becomes(stack(words)?),
                "hops" => host.moves_to(words.number("hops")?),
                "ttl" => host.ttl = words.number("TTL")?,
                "tos" => host.tos = words.number("TOS")?,
                "mac" => host.mac = words.number("last byte of a MAC address")?,
                "win" => host.window = Some(words.number("window")?),
                "id" => host.next_id = words.number("IP ID")?,
                "label" => host.label = words.number("flow label")?,
                "rtt" => host.round_trip_ns = words.span()?,
                "signed" => host.is_signed = true,
                "no" => match words.expect("what it has not")?.as_str() {
                    "ts" => host.has_timestamps = false,
                    "df" => host.df = false,
                    "label" => host.label = 0,
                    word => return Err(format!("\"no {word}\" says nothing of a host")),
                },
                _ => return Err(format!("{word:?} says nothing of a host")),
            }
        }
        Ok(())
    }

    /// SYN, SYN/ACK, ACK, each after the round trip of its sender.
    fn handshake(&mut self, flow: u8) {
        let (client, server) = (Name { is_client: true, flow }, Name { is_client: false, flow });
        self.send(&Segment::plain(client, SYN, When::After(1_000_000)));
        for (name, flags) in [(server, SYN | ACK), (client, ACK)] {
            let answer = When::After(self.conversation.host(name).round_trip_ns);
            self.send(&Segment::plain(name, flags, answer));
        }
    }

    /// A request, its acknowledgment and response one round trip later, and the last ACK:
    /// `exchange 120 1000 x3 "GET / "`.
    fn exchange(&mut self, flow: u8, words: &mut Words) -> Result<(), String> {
        let (asked, answered) = (words.number("length")?, words.number("length")?);
        let (mut times, mut text) = (1, String::new());
        while let Some(word) = words.take() {
            match (word.strip_prefix('x'), word.strip_prefix('"')) {
                (_, Some(start)) => text = start.to_owned(),
                (Some(count), _) => times = count.parse().map_err(|_| "x is no count")?,
                _ => return Err(format!("{word:?} says nothing of an exchange")),
            }
        }
        let (client, server) = (Name { is_client: true, flow }, Name { is_client: false, flow });
        for _ in 0..times {
            let mut request = Segment::plain(client, ACK | 8, When::After(1_000_000));
            request.payload = text.clone().into_bytes();
            request.payload.resize(asked, b'.');
            self.send(&request);
            let answer = When::After(self.conversation.host(server).round_trip_ns);
            let mut response = Segment::plain(server, ACK | 8, answer);
            response.payload.resize(answered, b'.');
            self.send(&response);
            let last = When::After(self.conversation.host(client).round_trip_ns);
            self.send(&Segment::plain(client, ACK, last));
        }
        Ok(())
    }
}

fn name(words: &mut Words) -> Result<Name, String> {
    let word = words.expect("a host")?;
    Name::of(&word).ok_or_else(|| format!("{word:?} is no host"))
}
