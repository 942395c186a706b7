//! The hosts of a script talking: from what a line says to what is on the wire.

use std::collections::BTreeMap;

use crate::frame::{ACK, FIN, Packet, RST, SYN};
use crate::host::{Host, StackKind};
use crate::segment::{Id, Name, Point, Segment, When};

/// All hosts, and the time.
#[derive(Default)]
pub(crate) struct Conversation {
    /// By flow; the client, then the server.
    flows: BTreeMap<u8, [Host; 2]>,
    pub(crate) now_ns: i64,
}

impl Conversation {
    /// The ends of a flow, made if need be.
    pub(crate) fn flow(&mut self, number: u8) -> &mut [Host; 2] {
        self.flows.entry(number).or_insert_with(|| [true, false].map(|is| Host::new(is, number)))
    }

    /// One end.
    pub(crate) fn host(&mut self, name: Name) -> &mut Host {
        &mut self.flow(name.flow)[usize::from(!name.is_client)]
    }

    /// Sends a segment; its packet, whether or not the sensor saw it.
    pub(crate) fn send(&mut self, segment: &Segment) -> Packet {
        self.now_ns = match segment.when {
            When::At(time) => time,
            When::After(span) => self.now_ns + span,
        };
        let time_ns = u64::try_from(self.now_ns).expect("a script begins at 0");
        let [client, server] = self.flow(segment.sender.flow);
        let (from, to) = if segment.sender.is_client { (client, server) } else { (server, client) };
        let habit = Habit::of(segment, from, to);
        let seq = place(segment.seq, habit.seq, from);
        let ack = place(segment.ack, habit.ack, to);
        let options = options(segment, &habit, from, to, time_ns);
        let packet = Packet {
            time_ns,
            source: from.address,
            destination: to.address,
            ports: [from.port, to.port],
            seq,
            ack,
            flags: segment.flags,
            window: segment.window.unwrap_or(habit.window),
            options,
            payload: segment.payload.clone(),
            ttl: segment.ttl.unwrap_or(from.ttl),
            tos: segment.tos.unwrap_or(from.tos),
            ip_id: identify(segment, &habit, from),
            df: segment.df.unwrap_or(from.df),
            label: segment.label.unwrap_or(from.label),
            mac: segment.mac.unwrap_or(from.mac),
            vlan: segment.vlan,
            bad_checksum: segment.bad_checksum,
            is_noise: false,
        };
        if !packet.is_reset() {
            remember(from, &packet, habit.has_timestamps);
        }
        packet
    }
}

/// What a host would write of its own accord.
struct Habit {
    seq: u32,
    ack: u32,
    window: u16,
    has_timestamps: bool,
    is_signed: bool,
    /// It takes its identification from its counter; else it is 0.
    counts: bool,
}

impl Habit {
    fn of(segment: &Segment, from: &Host, to: &Host) -> Self {
        let (is_syn, has_ack) = (segment.flags & SYN != 0, segment.flags & ACK != 0);
        let both = from.has_timestamps && (to.has_timestamps || (is_syn && !has_ack));
        let mut habit = Self {
            seq: from.next,
            ack: if has_ack { to.next } else { 0 },
            window: from.usual_window(is_syn, has_ack),
            has_timestamps: both,
            is_signed: from.is_signed,
            counts: from.stack.counts_ids(),
        };
        let writes_zero = from.stack == StackKind::Linux && is_syn && has_ack;
        habit.counts &= !writes_zero;
        if segment.flags & RST != 0 {
            habit.resets(from, to, has_ack);
        }
        if let Some(has) = segment.timestamps {
            habit.has_timestamps = has;
        }
        habit
    }

    /// The shapes of a reset by stack (classification.md, sections 2.1, 2.3 and 2.4).
    fn resets(&mut self, from: &Host, to: &Host, has_ack: bool) {
        let is_refusal = has_ack && !from.has_sent && to.has_sent_syn;
        let is_small_stack = matches!(from.stack, StackKind::Windows | StackKind::Bare);
        if !has_ack || is_refusal {
            self.seq = if has_ack { 0 } else { to.acked.unwrap_or(from.next) };
            self.window = 0;
            self.has_timestamps = false;
            self.counts = is_small_stack;
            return;
        }
        if is_small_stack {
            self.window = 0;
        }
        self.has_timestamps &= matches!(from.stack, StackKind::Linux | StackKind::Bsd);
    }
}

fn place(point: Point, usual: u32, side: &Host) -> u32 {
    let from = |base: u32, step: i64| base.wrapping_add(step as u32);
    match point {
        Point::Usual(step) => from(usual, step),
        Point::Initial(step) => from(side.isn, step),
        Point::Next(step) => from(side.next, step),
        Point::Absolute(number) => number,
    }
}

/// The identification; a reset that writes one of its own leaves the host's counter alone.
fn identify(segment: &Segment, habit: &Habit, from: &mut Host) -> u16 {
    let is_reset = segment.flags & RST != 0;
    let id = match segment.id {
        Some(Id::This(id)) => id,
        Some(Id::Step(step)) => from.last_id.wrapping_add(step as u16),
        None if habit.counts => from.next_id,
        None => 0,
    };
    let is_own = segment.id.is_none() && habit.counts;
    if is_own || (!is_reset && segment.id.is_some()) {
        (from.last_id, from.next_id) = (id, id.wrapping_add(1));
    }
    id
}

fn remember(from: &mut Host, packet: &Packet, has_timestamps: bool) {
    let controls = u32::from(packet.flags & SYN != 0) + u32::from(packet.flags & FIN != 0);
    let end = packet.seq.wrapping_add(packet.payload.len() as u32 + controls);
    if end.wrapping_sub(from.next) as i32 > 0 {
        from.next = end;
    }
    if packet.flags & ACK != 0 {
        from.acked = Some(packet.ack);
    }
    if has_timestamps {
        from.last_timestamp = from.timestamp(packet.time_ns);
    }
    from.has_sent = true;
    from.has_sent_syn |= packet.flags & SYN != 0;
}

fn options(segment: &Segment, habit: &Habit, from: &Host, to: &Host, time_ns: u64) -> Vec<u8> {
    let mut options = Vec::new();
    let step = |value: u32, step: i64| value.wrapping_add(step as u32);
    let value = step(from.timestamp(time_ns), segment.timestamp_step);
    let echo = step(to.last_timestamp, segment.echo_step);
    let layout: &[u8] = match (segment.flags & SYN != 0, segment.layout) {
        _ if segment.has_no_options => &[],
        (_, Some(layout)) => layout.syn_layout(),
        (true, None) => from.stack.syn_layout(),
        (false, None) if habit.has_timestamps => &[1, 1, 8],
        (false, None) => &[],
    };
    for &kind in layout {
        match kind {
            2 => options.extend([2, 4, 5, 0xb4]),
            3 => options.extend([3, 3, 7]),
            4 => options.extend([4, 2]),
            // A SYN/ACK bears timestamps only if the SYN did.
            8 if !habit.has_timestamps => options.extend([1, 1]),
            8 => {
                options.extend([8, 10]);
                options.extend(value.to_be_bytes());
                options.extend(echo.to_be_bytes());
            }
            kind => options.push(kind),
        }
    }
    if segment.is_signed.unwrap_or(habit.is_signed) {
        options.extend([19, 18]);
        options.extend([0x5a; 16]);
    }
    options.extend(&segment.more_options);
    options
}
