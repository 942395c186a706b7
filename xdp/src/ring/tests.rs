//! Rings against a `VecDeque`, on fake ring memory: a memfd mapped twice, once for either side.

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;

const OFFSETS: Offsets = Offsets { producer: 0, consumer: 64, flags: 128, entries: 192 };

/// A ring whose counters start at `start`, with us on both sides.
fn ring(size: u32, start: u32) -> (Producer<u64>, Consumer<u64>, File) {
    // SAFETY: the name is a C string; the result is checked.
    let fd = unsafe { libc::memfd_create(c"ring".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: just opened, nobody else knows it.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    let len = OFFSETS.entries + 8 * size as usize;
    file.set_len(len.next_multiple_of(4096) as u64).unwrap();
    file.write_all_at(&start.to_ne_bytes(), OFFSETS.producer as u64).unwrap();
    file.write_all_at(&start.to_ne_bytes(), OFFSETS.consumer as u64).unwrap();
    let map = || Mapping::shared(file.as_fd(), len, 0).unwrap();
    (Producer::new(map(), OFFSETS, size), Consumer::new(map(), OFFSETS, size), file)
}

#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    Publish,
    Take(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..20_u32).prop_map(Step::Push),
        Just(Step::Publish),
        (1..20_u32).prop_map(Step::Take),
    ]
}

proptest! {
    #[test]
    fn a_ring_is_a_queue_across_the_wrap_of_its_counters(
        size_log in 0..6_u32,
        start in prop_oneof![Just(0), Just(u32::MAX), any::<u32>(), u32::MAX - 64..=u32::MAX],
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let size = 1 << size_log;
        let (mut producer, mut consumer, _file) = ring(size, start);
        let mut pushed = VecDeque::new();
        let mut published = VecDeque::new();
        let mut value = 0_u64;
        for step in steps {
            match step {
                Step::Push(count) => {
                    let free = producer.free();
                    prop_assert_eq!(free as usize, size as usize - pushed.len() - published.len());
                    for _ in 0..count.min(free) {
                        producer.push(value);
                        pushed.push_back(value);
                        value += 1;
                    }
                }
                Step::Publish => {
                    producer.publish();
                    published.append(&mut pushed);
                }
                Step::Take(count) => {
                    let available = consumer.available();
                    prop_assert_eq!(available as usize, published.len());
                    let count = count.min(available);
                    for ahead in 0..count {
                        prop_assert_eq!(consumer.peek(ahead), published[ahead as usize]);
                    }
                    consumer.release(count);
                    published.drain(..count as usize);
                }
            }
        }
    }
}

#[test]
fn two_threads_pass_every_entry_in_order() {
    const ENTRIES: u64 = 200_000;
    let (mut producer, mut consumer, _file) = ring(64, u32::MAX - 1000);
    let sender = std::thread::spawn(move || {
        let mut next = 0;
        while next < ENTRIES {
            for _ in 0..u64::from(producer.free()).min(ENTRIES - next) {
                producer.push(next);
                next += 1;
            }
            producer.publish();
            std::thread::yield_now();
        }
    });
    let mut expected = 0;
    while expected < ENTRIES {
        let available = consumer.available();
        for ahead in 0..available {
            assert_eq!(consumer.peek(ahead), expected);
            expected += 1;
        }
        consumer.release(available);
        std::thread::yield_now();
    }
    sender.join().unwrap();
}

#[test]
fn the_wakeup_flag_is_the_kernels_word() {
    let (producer, _consumer, file) = ring(8, 0);
    assert!(!producer.needs_wakeup());
    file.write_all_at(&1_u32.to_ne_bytes(), OFFSETS.flags as u64).unwrap();
    assert!(producer.needs_wakeup());
}

#[test]
#[should_panic(expected = "push into a full ring")]
fn a_full_ring_takes_no_more() {
    let (mut producer, _consumer, _file) = ring(4, 7);
    for value in 0..5 {
        producer.push(value);
    }
}

#[test]
#[should_panic(expected = "peek at unwritten entry")]
fn an_entry_that_was_not_published_cannot_be_read() {
    let (mut producer, mut consumer, _file) = ring(4, 7);
    producer.push(1);
    assert_eq!(consumer.available(), 0);
    consumer.peek(0);
}

#[test]
#[should_panic(expected = "ring counters")]
fn counters_that_cannot_be_are_refused() {
    let (_producer, mut consumer, file) = ring(4, 0);
    file.write_all_at(&9_u32.to_ne_bytes(), OFFSETS.producer as u64).unwrap();
    consumer.available();
}

#[test]
#[should_panic(expected = "lie outside")]
fn entries_outside_the_mapping_are_refused() {
    let mapping = Mapping::anonymous(4096, 0).unwrap();
    let _ring = Producer::<u64>::new(mapping, OFFSETS, 512);
}

#[test]
fn a_batch_is_the_same_as_one_by_one() {
    let (mut producer, mut consumer, _file) = ring(8, u32::MAX - 2);
    producer.push_all([1, 2, 3, 4, 5, 6].into_iter(), 6);
    producer.publish();
    assert_eq!(consumer.available(), 6);
    assert_eq!(consumer.first(4).collect::<Vec<_>>(), [1, 2, 3, 4]);
    consumer.release(4);
    producer.push_all([7, 8, 9].into_iter(), 3);
    producer.publish();
    assert_eq!(consumer.available(), 5);
    assert_eq!(consumer.first(5).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
}

#[test]
#[should_panic(expected = "push of 3 into a ring of 4")]
fn a_batch_without_room_is_refused() {
    let (mut producer, _consumer, _file) = ring(4, 0);
    producer.push_all([1, 2].into_iter(), 2);
    producer.push_all([3, 4, 5].into_iter(), 3);
}

#[test]
#[should_panic(expected = "peek at unwritten entries")]
fn a_batch_past_what_is_there_is_refused() {
    let (mut producer, mut consumer, _file) = ring(4, 0);
    producer.push(1);
    producer.publish();
    consumer.available();
    let _none = consumer.first(2).count();
}
