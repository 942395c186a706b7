//! Captures in memory, read through the whole of [`CaptureSource`].

mod damage;
mod formats;
mod merging;
mod writer;

use std::io::{self, Cursor, Read};

use super::stream::Opened;
use super::*;
use crate::BATCH_MAX;

/// A frame that has been lent, copied.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    time_ns: u64,
    bytes: Vec<u8>,
    link: Option<wire::LinkType>,
    port: u8,
    input: u16,
    frame: u64,
}

/// Brings at most so many bytes a read.
struct Dribble {
    bytes: Cursor<Vec<u8>>,
    step: usize,
}

impl Read for Dribble {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.step);
        self.bytes.read(&mut bytes[..len])
    }
}

/// A source over captures in memory, read `step` bytes at a time into buffers of `buffer_len`.
fn source_of(captures: &[Vec<u8>], step: usize, buffer_len: usize) -> CaptureSource {
    let mut source = CaptureSource::with_capacity(captures.len());
    for (index, capture) in captures.iter().enumerate() {
        let dribble = Dribble { bytes: Cursor::new(capture.clone()), step };
        let opened =
            Opened { source: Box::new(dribble), len: Some(capture.len() as u64), file: None };
        source.add(format!("{index}.pcap"), Ok(opened), buffer_len);
    }
    source
}

/// A source over one capture, read as a file would be.
fn source_of_one(capture: &[u8]) -> CaptureSource {
    source_of(&[capture.to_vec()], usize::MAX, BUFFER_LEN_USUAL)
}

/// Everything a source lends, to its end.
fn drain(source: &mut CaptureSource) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        match source.receive().unwrap() {
            Received::Frames(frames) => {
                assert!((1..=BATCH_MAX).contains(&frames));
                seen.extend((0..frames).map(|index| copied(source.frame(index))));
            }
            Received::Idle => panic!("nothing interrupts these reads"),
            Received::End => return seen,
        }
    }
}

fn copied(frame: Frame<'_>) -> Seen {
    Seen {
        time_ns: frame.time.0,
        bytes: frame.bytes.to_vec(),
        link: frame.link,
        port: frame.port.0,
        input: frame.receipt.input,
        frame: frame.receipt.frame,
    }
}

/// What is read of one capture, and the problem it ended with.
fn read(capture: &[u8]) -> (Vec<Seen>, Option<String>) {
    let mut source = source_of_one(capture);
    let seen = drain(&mut source);
    assert!(source.problems().len() <= 1);
    (seen, source.problems().first().map(Problem::to_string))
}

/// Reads a capture that has no problem.
fn read_clean(capture: &[u8]) -> Vec<Seen> {
    let (seen, problem) = read(capture);
    assert_eq!(problem, None);
    seen
}
