//! How many look-ups at a time, and how their memory is loaded ahead.

use flowtable::{Direction, FlowHash, FlowTable, Segment, Set, Slot, Timestamp};
use wire::TcpFlags;

use crate::script::{Mix, Script};
use crate::sets::Sets;
use crate::store::{Advice, Store};
use crate::{Arguments, processor_ns};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ahead {
    /// Each segment by itself.
    Nothing,
    /// Found ahead of time: what a look-up reads is loaded, and no more.
    Find,
    /// Loads whose result is used.
    Touch,
    /// Prefetch of the set; the record is loaded by finding it.
    Set,
    /// Prefetch of the set, then of both lines of the record once it is found.
    Record,
    /// Prefetch of the set, then of both lines of the record that bears the mark, unread.
    Likely,
}

const WAYS_AHEAD: [Ahead; 6] =
    [Ahead::Nothing, Ahead::Find, Ahead::Touch, Ahead::Set, Ahead::Record, Ahead::Likely];
const BATCHES: [usize; 6] = [8, 16, 32, 64, 128, 256];

/// All batches and ways in turns, on one table.
pub(crate) fn compare(arguments: &Arguments) {
    let mut store = Sets::new(arguments.flows, &mut Advice { huge: arguments.huge });
    let mut script = Script::new(Mix::Hit, arguments.flows as u64 * arguments.load / 100);
    for step in script.opening() {
        store.take(step.hash, step.now, step.seen);
    }
    let table = &mut store.0;
    let huge = xdp::bytes_on_huge_pages(table.records()).unwrap_or(0) >> 20;
    let all = size_of_val(table.records()) >> 20;
    println!("{} places, {huge} of {all} MiB of records on huge pages", arguments.flows);
    let wanted = |kind: &(Ahead, usize)| arguments.batch.is_none_or(|batch| batch == kind.1);
    let kinds: Vec<(Ahead, usize)> = WAYS_AHEAD
        .iter()
        .flat_map(|&ahead| BATCHES.map(|batch| (ahead, batch)))
        .filter(wanted)
        .collect();
    let mut times = vec![Vec::new(); kinds.len()];
    let mut hashes = vec![FlowHash(0); arguments.steps];
    for _ in 0..arguments.rounds {
        for ((ahead, batch), times) in kinds.iter().zip(&mut times) {
            let mut now = Timestamp(0);
            for hash in &mut hashes {
                let step = script.next();
                (*hash, now) = (FlowHash(step.hash), step.now);
            }
            let before = processor_ns();
            for batch in hashes.chunks(*batch) {
                turn(table, batch, *ahead, now);
            }
            times.push((processor_ns() - before) as f64 / hashes.len() as f64);
        }
    }
    for (kind, times) in kinds.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let [least, median] = [times[0], times[times.len() / 2]];
        println!(
            "  {:<8} batch {:>3}: min {least:6.1} ns, median {median:6.1}",
            format!("{:?}", kind.0),
            kind.1
        );
    }
}

/// A batch through the table, as a worker does it.
fn turn(table: &mut FlowTable, hashes: &[FlowHash], ahead: Ahead, now: Timestamp) {
    let mut slots = [None; BATCHES[BATCHES.len() - 1]];
    let touched = match ahead {
        Ahead::Nothing | Ahead::Find => 0,
        Ahead::Touch => hashes.iter().fold(0, |sum, hash| sum ^ loaded(table.set(*hash))),
        Ahead::Set | Ahead::Record | Ahead::Likely => {
            hashes.iter().for_each(|hash| xdp::prefetch(table.set(*hash)));
            0
        }
    };
    let mut found = 0;
    if ahead != Ahead::Nothing {
        for (slot, hash) in slots.iter_mut().zip(hashes) {
            *slot = if ahead == Ahead::Likely { table.likely(*hash) } else { table.find(*hash) };
            match (ahead, *slot) {
                (Ahead::Touch, Some(slot)) => found ^= u64::from(table.record(slot).opened_s()),
                (Ahead::Record | Ahead::Likely, Some(slot)) => xdp::prefetch(table.record(slot)),
                _ => {}
            }
        }
    }
    std::hint::black_box(touched ^ found);
    for (hash, slot) in hashes.iter().zip(slots) {
        observe(table, *hash, slot, now);
    }
}

/// A load that is waited for.
fn loaded(set: &Set) -> u64 {
    std::hint::black_box(*set);
    0
}

fn observe(table: &mut FlowTable, hash: FlowHash, slot: Option<Slot>, now: Timestamp) {
    let segment = Segment { flags: TcpFlags(16), time: now, ..Segment::blank() };
    if let Some(record) = slot.and_then(|slot| table.established(hash, slot, now)) {
        record.observe(Direction::FromLow, &segment, [9, 80]);
        return;
    }
    let Some(slot) = table.place(hash, slot, now) else { return };
    table.record_mut(slot).observe(Direction::FromLow, &segment, [9, 80]);
    table.refresh(slot, now);
}
