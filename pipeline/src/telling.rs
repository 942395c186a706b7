//! From a finding to an event: names, strings and seconds, off the packet path.

use std::net::IpAddr;

use classifiers::{Setting, hops, judge};
use events::{
    Baseline, CaptureQuality, ContextFields, Endpoint, Event, EventStatus, PerSide, ResetFields,
    RoleSource, SCHEMA, TunnelFields, UtcTime, VerdictFields, community_id, event_id,
};
use flowtable::{Direction, FlowRecord, Marks, PayloadClass, Side, Sight, Ticks, Watch};
use wire::TunnelKind;

use crate::window::{Finding, unpack};

/// How the inputs are called.
#[derive(Clone, Debug)]
pub(crate) enum Names {
    /// Capture files.
    Files(Vec<String>),
    /// Interfaces.
    Interfaces(Vec<String>),
}

/// Tells findings as events.
#[derive(Debug)]
pub(crate) struct Teller {
    pub(crate) names: Names,
    pub(crate) community_id_seed: u16,
    /// Makes live event ids unique across restarts.
    pub(crate) run: String,
    /// What is wrong with the tap now.
    pub(crate) tap: CaptureQuality,
}

impl Teller {
    /// Whether time goes on while no packet comes.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.names, Names::Interfaces(_))
    }

    /// The event of a finding, judged by what other connections tell of it.
    pub(crate) fn event(&self, finding: &Finding, setting: &Setting) -> Event {
        let watch = &finding.watch;
        let verdict = judge(watch, finding.was_watched, setting);
        let (before, reset) = (&watch.before, &watch.reset);
        let client = before.client();
        let receipt = unpack(watch.receipt);
        let ts = UtcTime(reset.time.0);
        let input = usize::from(receipt.input);
        let name = |names: &[String]| names.get(input).cloned();
        let (file, interface) = match &self.names {
            Names::Files(names) => (name(names), None),
            Names::Interfaces(names) => (None, name(names)),
        };
        let is_live = interface.is_some();
        let is_thinned = watch.sight == Sight::Thinned;
        let run = file.as_deref().unwrap_or(&self.run);
        let (client_end, server_end) = (end(watch.client()), end(watch.server()));
        let sides = |direction: Direction| before.side(direction);
        Event {
            id: event_id(run, receipt.queue, receipt.frame, ts),
            schema: SCHEMA,
            ts,
            status: if finding.is_final { EventStatus::Final } else { EventStatus::Provisional },
            frame: file.is_some().then_some(receipt.frame),
            file,
            queue: is_live.then_some(receipt.queue),
            interface,
            client: client_end,
            server: server_end,
            role_source: role_source(before),
            vlan: reset.vlan.iter().copied().filter(|&vlan| vlan != 0).collect(),
            tunnel: reset.tunnel.map(|tunnel| TunnelFields {
                kind: tunnel_name(tunnel.kind).to_owned(),
                id: tunnel.id,
            }),
            community_id: community_id(client_end, server_end, self.community_id_seed),
            claimed: side_name(before, watch.direction),
            verdict: VerdictFields::from(&verdict),
            idle_before_s: verdict.idle.map(|idle| round(idle.seconds(), 6)),
            answered_after_s: answered_after(watch).map(|(span, _)| round(span.seconds(), 6)),
            one_way_ms_max: answered_after(watch).map(|(_, span)| milliseconds(span) / 2.0),
            longest_silence_s: Some(before.longest_gap().seconds() as u32)
                .filter(|gap_s| *gap_s > 0),
            late_after_close_s: late_after_close(watch).map(|span| round(span.seconds(), 6)),
            age_s: age(before, reset.time.seconds()),
            rtt_ms: per_side(client, |side| before.round_trip(side).map(milliseconds)),
            packets: per_side(client, |side| u64::from(sides(side).packets)),
            bytes: per_side(client, |side| u64::from(before.bytes(side))),
            rst: reset_fields(finding),
            peer: baseline(before, watch.direction, reset.marks.has(Marks::V6)),
            rst_count: u32::from(watch.ordinal) + 1 + u32::from(watch.aftermath.train.count),
            other_side_rst: other_side_rst(finding),
            other_side_rst_after_s: watch
                .aftermath
                .opposite
                .map(|opposite| round(opposite.after.seconds(), 6)),
            app: per_side(client, |side| app(before.first_payload(side))),
            context: ContextFields::of(setting),
            capture: CaptureQuality {
                midstream: before.is_midstream(),
                asymmetric: is_one_sided(before),
                gap_seen: before.has_gap() && !is_thinned,
                reused_tuple: before.is_reused(),
                control_only: is_thinned,
                ..self.tap
            },
            revision: 0,
            corroboration: Vec::new(),
            conclusion: None,
        }
    }
}

impl Finding {
    /// The server of the connection.
    pub(crate) fn server(&self) -> Endpoint {
        end(self.watch.server())
    }
}

/// One side talked and the other was not seen to; a refused SYN is no such case.
fn is_one_sided(before: &FlowRecord) -> bool {
    let [low, high] = [Direction::FromLow, Direction::FromHigh].map(|side| before.side(side));
    let talks_alone =
        |one: &Side, other: &Side| other.packets == 0 && (one.packets > 1 || !one.has(Side::SYN));
    (low.packets > 0 && talks_alone(low, high)) || (high.packets > 0 && talks_alone(high, low))
}

/// Time since the last and since the first packet of the receiver that the numbers of the reset
/// fit.
fn answered_after(watch: &Watch) -> Option<(Ticks, Ticks)> {
    let (before, reset) = (&watch.before, &watch.reset);
    let receiver = watch.direction.opposite();
    let to = before.side(receiver);
    let is_bare = !reset.flags.ack();
    let first = match is_bare {
        _ if to.packets == 0 => None,
        false => (reset.ack == to.next).then_some(to.advanced),
        true => (reset.seq == to.acked).then(|| before.ack_advanced(receiver)),
    }?;
    let last = if is_bare { to.last } else { first };
    let since = |then| reset.time.tick().since(then);
    Some((since(last), since(first)))
}

/// Time between the close of the named sender and the last data of the other side after it.
fn late_after_close(watch: &Watch) -> Option<Ticks> {
    let from = watch.before.side(watch.direction);
    let to = watch.before.side(watch.direction.opposite());
    // Nothing advances after a FIN, so this is when it was sent.
    let late = to.advanced.since(from.advanced);
    (from.has(Side::FIN) && to.has(Side::DATA) && late > Ticks(0)).then_some(late)
}

pub(crate) fn end(endpoint: flowtable::Endpoint) -> Endpoint {
    Endpoint { ip: IpAddr::from(endpoint.address), port: endpoint.port }
}

const fn role_source(before: &FlowRecord) -> RoleSource {
    match before.role_source() {
        flowtable::RoleSource::Syn => RoleSource::Syn,
        flowtable::RoleSource::SynAck => RoleSource::Synack,
        flowtable::RoleSource::Port => RoleSource::Port,
    }
}

fn side_name(before: &FlowRecord, direction: Direction) -> events::Side {
    if direction == before.client() { events::Side::Client } else { events::Side::Server }
}

fn age(before: &FlowRecord, now_s: u32) -> Option<f64> {
    (before.opened_s() != 0).then(|| f64::from(now_s.saturating_sub(before.opened_s())))
}

fn per_side<T>(client: Direction, fact: impl Fn(Direction) -> T) -> PerSide<T> {
    PerSide { client: fact(client), server: fact(client.opposite()) }
}

fn milliseconds(span: Ticks) -> f64 {
    round(span.seconds() * 1e3, 3)
}

fn round(value: f64, places: i32) -> f64 {
    let scale = 10f64.powi(places);
    (value * scale).round() / scale
}

fn reset_fields(finding: &Finding) -> ResetFields {
    let watch = &finding.watch;
    let (before, reset) = (&watch.before, &watch.reset);
    let (from, to) = (before.side(watch.direction), before.side(watch.direction.opposite()));
    let is_v6 = reset.marks.has(Marks::V6);
    let delta = |side: &Side, number: wire::SeqNumber| {
        (side.packets > 0).then(|| i64::from(number.distance_from(side.next)))
    };
    ResetFields {
        flags: format!("{:?}", reset.flags),
        seq_delta: delta(from, reset.seq),
        ack_delta: delta(to, reset.ack).filter(|_| reset.flags.ack()),
        ttl: reset.hop_limit,
        hops: hops(reset.hop_limit),
        ip_id: (!is_v6).then_some(reset.ip_id),
        flow_label: is_v6.then_some(reset.flow_label),
        df: (!is_v6).then(|| reset.marks.has(Marks::DF)),
        window: reset.window,
        traffic_class: reset.traffic_class,
        timestamps: reset.timestamps.is_some(),
        payload_len: reset.payload_len,
        payload_text: text(watch.note.as_bytes()),
    }
}

/// Payload of a reset as text, up to its first byte that is none: control characters become spaces.
fn text(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(&[0xf3, 0x17]).unwrap_or(bytes);
    let text = bytes.utf8_chunks().next()?.valid();
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(clean).filter(|text| !text.trim().is_empty())
}

fn baseline(before: &FlowRecord, direction: Direction, is_v6: bool) -> Option<Baseline> {
    let side = before.side(direction);
    (side.packets > 0).then(|| Baseline {
        ttl: side.hop_limit,
        hops: hops(side.hop_limit),
        ip_id: (!is_v6).then_some(side.ip_id),
        // Only its low 16 bits are remembered.
        flow_label: is_v6.then_some(u32::from(side.ip_id)),
        df: (!is_v6).then(|| side.has(Side::DF)),
        window: side.window,
        timestamps: side.has(Side::TIMESTAMPS),
        packets: u64::from(side.packets),
    })
}

fn other_side_rst(finding: &Finding) -> bool {
    let watch = &finding.watch;
    watch.aftermath.opposite.is_some() || watch.before.reset_seen(watch.direction.opposite())
}

fn app(class: PayloadClass) -> Option<String> {
    let name = match class {
        PayloadClass::Empty => return None,
        PayloadClass::Unseen => "not captured",
        class if class.is_tls() => "tls",
        PayloadClass::HttpRequest | PayloadClass::HttpResponse => "http",
        PayloadClass::Ssh => "ssh",
        PayloadClass::Greeting | PayloadClass::TurnedAway => "greeting",
        _ => "other",
    };
    Some(name.to_owned())
}

const fn tunnel_name(kind: TunnelKind) -> &'static str {
    match kind {
        TunnelKind::Gre => "gre",
        TunnelKind::Vxlan => "vxlan",
        TunnelKind::Geneve => "geneve",
        TunnelKind::GtpU => "gtp_u",
        TunnelKind::IpInIp => "ip_in_ip",
        TunnelKind::L2tp => "l2tp",
        TunnelKind::Erspan => "erspan",
        TunnelKind::Teredo => "teredo",
        TunnelKind::Pppoe => "pppoe",
    }
}
