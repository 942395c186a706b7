//! Several captures become one by time.

use std::sync::atomic::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;

use super::writer::ClassicWriter;
use super::*;

fn capture_of(times: &[u64]) -> Vec<u8> {
    let mut writer = ClassicWriter::new(false, true, 1);
    for (index, &time) in times.iter().enumerate() {
        writer.frame(time, &[7; 40][..index % 40]);
    }
    writer.bytes
}

/// The plain twin: sort all frames by the latest time so far in their capture, then by input.
fn sorted(captures: &[Vec<u64>]) -> Vec<(u64, u16, u64)> {
    let mut all = Vec::new();
    for (input, times) in (0..).zip(captures) {
        let mut latest = 0;
        for (frame, &time) in (1..).zip(times) {
            latest = latest.max(time);
            all.push((latest, (time, input, frame)));
        }
    }
    all.sort_by_key(|&(latest, (_, input, _))| (latest, input));
    all.into_iter().map(|(_, frame)| frame).collect()
}

#[test]
fn equal_times_keep_the_order_of_the_inputs() {
    let captures = [capture_of(&[5, 5, 9]), capture_of(&[5, 6]), capture_of(&[5])];
    let seen = drain(&mut source_of(&captures, usize::MAX, 4_096));
    let order: Vec<_> = seen.iter().map(|seen| (seen.input, seen.frame)).collect();
    assert_eq!(order, [(0, 1), (0, 2), (1, 1), (2, 1), (1, 2), (0, 3)]);
}

#[test]
fn a_damaged_input_does_not_hold_up_the_others() {
    let mut cut = capture_of(&[1, 4, 6]);
    cut.truncate(cut.len() - 1);
    let captures = [cut, b"no capture at all".to_vec(), capture_of(&[2, 3, 5, 7])];
    let mut source = source_of(&captures, usize::MAX, 4_096);
    let times: Vec<_> = drain(&mut source).iter().map(|seen| seen.time_ns).collect();
    assert_eq!(times, [1, 2, 3, 4, 5, 7]);
    let problems: Vec<_> =
        source.problems().iter().map(|found| (found.input, found.frame)).collect();
    assert_eq!(problems, [(1, 0), (0, 2)]);
    assert_eq!(source.receive().unwrap(), Received::End);
}

#[test]
fn bytes_read_are_counted_as_they_are_stored() {
    let captures = [capture_of(&[1, 2]), writer::gzipped(&capture_of(&[3]))];
    let stored: u64 = captures.iter().map(|capture| capture.len() as u64).sum();
    let mut source = source_of(&captures, 7, 64);
    let bytes_read = source.bytes_read();
    assert_eq!(source.bytes_total(), Some(stored));
    drain(&mut source);
    drop(source);
    assert_eq!(bytes_read.load(Ordering::Relaxed), stored);
}

proptest! {
    #[test]
    fn a_merge_is_a_sort(
        captures in vec(vec(0_u64..50, 0..100), 1..6),
        step in 1_usize..2_000,
        buffer_len in 64_usize..2_000,
    ) {
        let files: Vec<_> = captures.iter().map(|times| capture_of(times)).collect();
        let mut source = source_of(&files, step, buffer_len);
        let merged: Vec<_> = drain(&mut source)
            .into_iter()
            .map(|seen| {
                assert_eq!(seen.bytes, [7; 40][..(seen.frame as usize - 1) % 40]);
                (seen.time_ns, seen.input, seen.frame)
            })
            .collect();
        prop_assert_eq!(merged, sorted(&captures));
    }
}
