//! Random conversations: no panic, no verdict that breaks the rules, no reset without a trace.

use std::net::IpAddr;

use proptest::prelude::*;

use crate::expectation::invariant_failures;
use crate::frame::Packet;
use crate::replay::replay;

/// One random segment of one of two flows.
#[derive(Clone, Debug)]
struct Step {
    after_ns: u64,
    from_client: bool,
    second_flow: bool,
    flags: u8,
    seq: u32,
    ack: u32,
    window: u16,
    ttl: u8,
    tos: u8,
    ip_id: u16,
    df: bool,
    payload: Vec<u8>,
    options: Vec<u8>,
    bad_checksum: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let flags = prop_oneof![
        3 => Just(4u8), 3 => Just(20), 1 => Just(2), 1 => Just(18), 3 => Just(16), 2 => Just(24),
        1 => Just(17), 1 => any::<u8>(),
    ];
    // Near each other, near the wrap, or anywhere.
    let number =
        || prop_oneof![6 => 0u32..5_000, 2 => (u32::MAX - 2_000)..=u32::MAX, 1 => any::<u32>()];
    let payload = prop_oneof![
        4 => Just(Vec::new()),
        1 => prop::collection::vec(any::<u8>(), 0..80),
        1 => Just(b"GET / HTTP/1.1".to_vec()),
        1 => Just(vec![0x33, 0xaa, 0, 9, 0, 0, 0, 0]),
        1 => Just(vec![21, 3, 3, 0, 2, 2, 40]),
    ];
    let options = prop_oneof![
        4 => Just(Vec::new()),
        2 => Just(vec![2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0, 1, 3, 3, 7]),
        2 => Just(vec![1, 1, 8, 10, 0, 0, 2, 0, 0, 0, 1, 0]),
        1 => Just(vec![30, 4, 0x80, 3]),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let time = prop_oneof![
        4 => 0u64..30_000_000, 1 => 0u64..8_000_000_000, 1 => 0u64..80_000_000_000_000,
    ];
    let numbers = (time, number(), number(), prop_oneof![any::<u16>(), 8190u16..9999]);
    let header = (any::<u8>(), any::<u8>(), any::<u16>(), any::<bool>(), any::<bool>());
    let which = (any::<bool>(), prop::bool::weighted(0.2), flags, payload, options);
    (numbers, header, which).prop_map(|(numbers, header, which)| {
        let (after_ns, seq, ack, window) = numbers;
        let (ttl, tos, ip_id, df, bad_checksum) = header;
        let (from_client, second_flow, flags, payload, options) = which;
        Step {
            after_ns,
            from_client,
            second_flow,
            flags,
            seq,
            ack,
            window,
            ttl,
            tos,
            ip_id,
            df,
            payload,
            options,
            bad_checksum,
        }
    })
}

fn packets(steps: Vec<Step>, is_v6: bool) -> Vec<Packet> {
    let [client, server] = if is_v6 {
        [1, 2].map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]))
    } else {
        [1, 2].map(|last| IpAddr::from([10, 0, 0, last]))
    };
    let mut time_ns = 0;
    let mut packet = |step: Step| {
        time_ns += step.after_ns;
        let ports = [40_000 + u16::from(step.second_flow), 443];
        let (source, destination, ports) = if step.from_client {
            (client, server, ports)
        } else {
            (server, client, [ports[1], ports[0]])
        };
        Packet {
            time_ns,
            source,
            destination,
            ports,
            seq: step.seq,
            ack: step.ack,
            flags: step.flags,
            window: step.window,
            options: step.options,
            payload: step.payload,
            ttl: step.ttl,
            tos: step.tos,
            ip_id: step.ip_id,
            df: step.df,
            label: u32::from(step.ip_id) << 3,
            mac: u8::from(step.from_client) + (step.ttl & 1),
            bad_checksum: step.bad_checksum,
            ..Packet::blank()
        }
    };
    steps.into_iter().map(&mut packet).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_sequence_of_segments_breaks_the_rules_of_a_verdict(
        steps in prop::collection::vec(step(), 1..90),
        is_v6 in any::<bool>(),
    ) {
        let failures = invariant_failures(&replay(&packets(steps, is_v6)));
        prop_assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    /// More resets of one flow than are watched at a time: the rest is counted by name.
    #[test]
    fn a_storm_of_resets_is_told_or_counted(
        seqs in prop::collection::vec(0u32..100_000, 1..200),
        gap_ns in prop_oneof![Just(1_000u64), Just(50_000_000), Just(700_000_000)],
    ) {
        let storm = (0u64..).zip(seqs).map(|(nth, seq)| Packet {
            time_ns: nth * gap_ns,
            source: IpAddr::from([10, 0, 0, 2]),
            destination: IpAddr::from([10, 0, 0, 1]),
            ports: [443, 40_000],
            seq,
            flags: 4,
            ip_id: nth as u16,
            ..Packet::blank()
        });
        let failures = invariant_failures(&replay(&storm.collect::<Vec<_>>()));
        prop_assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
