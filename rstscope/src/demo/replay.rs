//! The demo without root: a capture of the same scenarios that the program carries.

use std::io::Write as _;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::Played;
use super::judge::Done;
use super::told::Told;
use crate::cli::SensorArguments;
use crate::config::Config;
use crate::sensor::{self, Reading};

/// What stands above the results.
pub(crate) const TITLE: &str =
    "REPLAY, NOT LIVE: a stored capture of ten resets that real Linux kernels made";

/// Reads the stored capture and its labels.
pub(crate) fn play() -> anyhow::Result<Played> {
    let mut file = tempfile::NamedTempFile::new().context("make a temporary file")?;
    file.write_all(&as_of_now(CAPTURE)).context("write the stored capture")?;
    file.flush().context("write the stored capture")?;
    let mut sink = Told::default();
    let path = file.path().to_owned();
    // As a live sensor keeps them, for the page.
    let evidence = Config::default().evidence.options();
    let reading = Reading { workers: 1, provisional: false, evidence };
    let (arguments, stop) = (SensorArguments::default(), AtomicBool::new(false));
    sensor::read_by(reading, &[path], &arguments, None, &stop, &mut sink)?;
    let labels = csv::Reader::from_reader(LABELS).into_deserialize::<Done>();
    let done: Vec<Done> = labels.collect::<Result<_, _>>().context("read the stored labels")?;
    let mut done: Vec<(Option<usize>, Done)> =
        done.into_iter().map(|done| (place(&done.scenario), done)).collect();
    done.sort_by_key(|(place, _)| *place);
    let done = done.into_iter().map(|(_, done)| done).collect();
    Ok(Played { done, told: sink })
}

/// The capture as if it had just been taken, so that the page shows it among the latest: all its times moved by
/// whole minutes. What does not look like a classic capture of this byte order stays as it is.
fn as_of_now(capture: &[u8]) -> Vec<u8> {
    let mut capture = capture.to_vec();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let word = |bytes: &[u8], at: usize| -> Option<u32> {
        bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes)
    };
    let (mut at, mut shift_s) = (FILE_HEADER, None);
    while let (Some(seconds), Some(len)) = (word(&capture, at), word(&capture, at + 8)) {
        // The last packet comes a few minutes after the first; a page asks for nothing of the future.
        let ahead_s = now_s.saturating_sub(u64::from(seconds) + SPAN_S);
        let shift = *shift_s.get_or_insert((ahead_s / 60 * 60) as u32);
        capture[at..at + 4].copy_from_slice(&seconds.wrapping_add(shift).to_le_bytes());
        at += RECORD_HEADER + len as usize;
    }
    capture
}

fn place(scenario: &str) -> Option<usize> {
    lab::Scenario::DEMO.iter().position(|item| item.name() == scenario)
}

/// Made by `lab run`; see `lab/captures/README.md`.
const CAPTURE: &[u8] = include_bytes!("../../../lab/captures/demo.pcap");

/// Bytes before the first record, and before the bytes of each packet.
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
/// Seconds that the capture takes at most.
const SPAN_S: u64 = 120;

/// What was really done in it.
const LABELS: &[u8] = include_bytes!("../../../lab/captures/demo.csv");

#[cfg(test)]
mod tests {
    use super::{CAPTURE, FILE_HEADER, as_of_now};

    #[test]
    fn the_capture_is_moved_to_the_last_minutes_and_otherwise_the_same() {
        let moved = as_of_now(CAPTURE);
        let seconds = |bytes: &[u8]| {
            u64::from(u32::from_le_bytes(bytes[FILE_HEADER..FILE_HEADER + 4].try_into().unwrap()))
        };
        let shift_s = seconds(&moved) - seconds(CAPTURE);
        assert!(shift_s > 0 && shift_s.is_multiple_of(60));
        assert_eq!(moved.len(), CAPTURE.len());
        let differ = moved.iter().zip(CAPTURE).filter(|(now, then)| now != then).count();
        assert!(differ > 0 && differ < CAPTURE.len() / 20);
    }
}
