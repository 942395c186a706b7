//! The program in the kernel and its twin here decide alike; and what they decide.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::Prefilter;
use crate::options::{Capture, Options, Ration};
use crate::program::{Program, Ticking};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const UNIT_NS: u64 = 1 << 30;

/// A plain frame of a connection; `is_back` is its other direction.
fn frame(connection: u8, is_back: bool, flags: u8) -> Vec<u8> {
    let ends = if is_back { [2, 1] } else { [1, 2] };
    let ports = if is_back { [80, 4000] } else { [4000, 80] };
    let mut bytes = [&[0_u8; 12][..], &[8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]].concat();
    ends.iter().for_each(|end| bytes.extend([10, 0, connection, *end]));
    ports.iter().for_each(|port: &u16| bytes.extend(port.to_be_bytes()));
    bytes.extend([0; 8]);
    bytes.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// The same segment over IPv6, behind a VLAN tag and a hop-by-hop header.
fn frame_v6(connection: u8, is_back: bool, flags: u8) -> Vec<u8> {
    let v4 = frame(connection, is_back, flags);
    let mut bytes = [&[0_u8; 12][..], &[0x81, 0, 0, 7, 0x86, 0xdd]].concat();
    bytes.extend([0x60, 0, 0, 0, 0, 28, 0, 64]);
    for address in [&v4[26..30], &v4[30..34]] {
        bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(address);
    }
    bytes.extend([6, 0, 1, 4, 0, 0, 0, 0]);
    bytes.extend(&v4[34..]);
    bytes
}

fn taken(filter: &mut Prefilter, frame: &[u8], now_ns: u64, times: usize) -> usize {
    (0..times).filter(|_| filter.takes(frame, now_ns)).count()
}

#[test]
fn a_direction_has_its_first_segments_and_then_one_a_unit() {
    let mut filter = Prefilter::new(&Ration { first_packets: 4, connections: 64 }, 1);
    let (there, back) = (frame(1, false, ACK), frame(1, true, ACK));
    assert_eq!(taken(&mut filter, &there, 0, 100), 4);
    assert_eq!(taken(&mut filter, &back, 0, 100), 4, "each direction has its own");
    assert_eq!(taken(&mut filter, &there, UNIT_NS, 100), 1);
    assert_eq!(taken(&mut filter, &there, 4 * UNIT_NS, 100), 3);
    assert_eq!(taken(&mut filter, &there, 60 * UNIT_NS, 100), 4, "after a silence the first again");
    assert_eq!(filter.left_out(), 96 + 96 + 99 + 97 + 96);
}

#[test]
fn control_segments_are_always_taken_and_a_syn_fills_the_budget() {
    let mut filter = Prefilter::new(&Ration { first_packets: 2, connections: 64 }, 1);
    assert_eq!(taken(&mut filter, &frame(1, false, ACK), 0, 9), 2);
    for flags in [SYN, SYN | ACK, 0, 32] {
        assert_eq!(taken(&mut filter, &frame(1, false, flags), 0, 9), 9);
    }
    assert_eq!(taken(&mut filter, &frame(1, false, ACK), 0, 9), 2);
}

#[test]
fn after_an_end_everything_is_taken_in_both_directions_for_five_seconds() {
    for end in [FIN | ACK, RST, RST | ACK] {
        let mut filter = Prefilter::new(&Ration { first_packets: 2, connections: 64 }, 7);
        for is_back in [false, true] {
            taken(&mut filter, &frame(1, is_back, ACK), 0, 9);
        }
        assert!(filter.takes(&frame(1, true, end), 0));
        for is_back in [false, true] {
            let plain = frame(1, is_back, ACK);
            assert_eq!(taken(&mut filter, &plain, 0, 50), 50);
            assert_eq!(taken(&mut filter, &plain, 4_800_000_000, 50), 50);
            assert_eq!(taken(&mut filter, &plain, 7 * UNIT_NS, 50), 2);
        }
        assert!(taken(&mut filter, &frame(2, false, ACK), 0, 9) == 2, "others keep their ration");
    }
}

#[test]
fn floods_of_control_segments_push_nobody_out() {
    let mut filter = Prefilter::new(&Ration { first_packets: 2, connections: 2 }, 1);
    taken(&mut filter, &frame(0, false, ACK), 0, 9);
    for connection in 1..=255 {
        for flags in [SYN, FIN, RST] {
            assert!(filter.takes(&frame(connection, false, flags), 0));
        }
    }
    assert_eq!(taken(&mut filter, &frame(0, false, ACK), 0, 9), 0);
}

#[test]
fn whoever_is_pushed_out_gets_more_not_less() {
    let mut filter = Prefilter::new(&Ration { first_packets: 2, connections: 2 }, 1);
    let plain: Vec<_> = (0..=255).map(|connection| frame(connection, false, ACK)).collect();
    for frame in &plain {
        assert_eq!(taken(&mut filter, frame, 0, 9), 2);
    }
    assert!(taken(&mut filter, &plain[0], 0, 9) >= 2);
}

/// One step of a random story: what is sent, and how much time passes before it.
#[derive(Clone, Debug)]
struct Step {
    frame: Vec<u8>,
    pause_ns: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flags = prop_oneof![
        12 => Just(ACK),
        4 => Just(ACK | 8),
        1 => prop::sample::select(vec![SYN, SYN | ACK, FIN | ACK, RST, RST | ACK, 0]),
    ];
    let pause_ns = prop_oneof![
        9 => 0..1_000_000_u64,
        2 => 0..3 * UNIT_NS,
        1 => 0..100_000 * UNIT_NS,
    ];
    let whole = (0_u8..40, any::<bool>(), flags, any::<bool>());
    let frame = whole.prop_map(|(connection, is_back, flags, is_v6)| match is_v6 {
        false => frame(connection, is_back, flags),
        true => frame_v6(connection, is_back, flags),
    });
    // What damage does to headers is read alike, too.
    let damage = prop::option::weighted(0.2, (12..80_usize, any::<u8>(), 14..90_usize));
    let step = (frame, pause_ns, damage).prop_map(|(mut frame, pause_ns, damage)| {
        if let Some((at, value, len)) = damage {
            let at = at.min(frame.len() - 1);
            frame[at] = value;
            frame.truncate(len);
        }
        Step { frame, pause_ns }
    });
    prop::collection::vec(step, 1..250)
}

/// Both that decide, with the same secret.
fn twins(ration: Ration) -> Option<(Program, Prefilter)> {
    static REFUSED: LazyLock<Option<String>> = LazyLock::new(|| {
        let options = Options::new("none");
        Program::load_with(&options, 1, 0, Ticking::Metadata).err().map(|error| format!("{error}"))
    });
    if let Some(reason) = &*REFUSED {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI: {reason}");
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("SKIPPED: the XDP program cannot be loaded ({reason})\n"),
        );
        return None;
    }
    let seed = 0x0123_4567_89ab_cdef;
    let options = Options { capture: Capture::Control(ration), ..Options::new("none") };
    let program = Program::load_with(&options, 1, seed, Ticking::Metadata).unwrap();
    Some((program, Prefilter::new(&ration, seed)))
}

#[test]
fn the_program_in_the_kernel_decides_alike() {
    // Few buckets, so that budgets push each other out.
    let ration = Ration { first_packets: 3, connections: 16 };
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let outcome = runner.run(&steps(), |steps| {
        let Some((program, mut twin)) = twins(ration) else { return Ok(()) };
        let mut now_ns = 1_000 * UNIT_NS;
        for (index, step) in steps.iter().enumerate() {
            now_ns += step.pause_ns;
            program.try_on(&step.frame, now_ns).unwrap();
            let here = twin.takes(&step.frame, now_ns);
            let there = program.counters().unwrap();
            let what = format!("step {index} of {steps:?}: taken here: {here}");
            prop_assert_eq!(there.left_out, twin.left_out(), "{}", what);
            prop_assert_eq!(there.packets(), index as u64 + 1);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
