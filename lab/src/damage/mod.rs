//! What bad taps do to captures: copies, losses, disorder, coarse clocks, half of the traffic.
//!
//! [`Damage::inflict`] changes a capture as such a tap would and carries the truth along: frames get their new
//! numbers, rows whose reset was lost go, and a copy of a reset gets a row with the sender's name and no cause. A
//! sensor that stays honest accuses nobody because of damage.
//!
//! Map: `capture` reads and writes files, `kinds` are the ways to damage, `packet` changes bytes of single frames,
//! `guard` plays live what a kernel can be made to do.

mod capture;
pub(crate) mod guard;
mod kinds;
mod packet;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::random::Random;
pub(crate) use capture::{Capture, Frame};
pub use kinds::DamageKind;
use kinds::Kept;

/// A damage to be done.
#[derive(Clone, Debug)]
pub struct Damage {
    /// Capture to read: classic pcap.
    pub input: PathBuf,
    /// Capture to write.
    pub output: PathBuf,
    /// Truths of the input, with the columns `file` and `frame`; other columns are kept as they are.
    pub truth: PathBuf,
    /// Truths of the output.
    pub out_truth: PathBuf,
    /// What happens.
    pub kind: DamageKind,
    /// Which frames it happens to.
    pub seed: u64,
    /// To what share of the frames, from 0 to 1; without it, [`DamageKind::share`].
    pub share: Option<f64>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Frames read.
    pub frames_before: usize,
    /// Frames written.
    pub frames_after: usize,
    /// Rows of the new truth that name a frame.
    pub rows: usize,
    /// Rows whose frame was lost.
    pub rows_lost: usize,
}

impl Damage {
    /// Reads, damages and writes both files.
    pub fn inflict(&self) -> Result<Damaged, Error> {
        let share = self.share.unwrap_or_else(|| self.kind.share());
        if !(0.0..=1.0).contains(&share) {
            let expected = "a share of the frames, from 0 to 1";
            return Err(Error::Option { option: "share", value: share.to_string(), expected });
        }
        let Capture { link_type, frames } = Capture::read(&self.input)?;
        let mut random = Random::new(self.seed ^ 0x6461_6d61_6765);
        let kept = self.kind.apply(&frames, share, &mut random);
        let places = Places::of(&kept);
        let frames_after = kept.len();
        let frames_before = frames.len();
        let frames = kept.into_iter().map(|kept| kept.frame).collect();
        Capture { link_type, frames }.write(&self.output)?;
        let (rows, rows_lost) = self.carry_truth(&places)?;
        Ok(Damaged { frames_before, frames_after, rows, rows_lost })
    }

    /// Writes the truth with new numbers; says how many rows name a frame and how many were lost.
    fn carry_truth(&self, places: &Places) -> Result<(usize, usize), Error> {
        let unread =
            |source: csv::Error| Error::Read { path: self.truth.clone(), source: source.into() };
        let unwritten = |source: csv::Error| Error::File {
            path: self.out_truth.clone(),
            source: source.into(),
        };
        let mut reader = csv::Reader::from_path(&self.truth).map_err(unread)?;
        let header = reader.headers().map_err(unread)?.clone();
        let column = |name: &str| header.iter().position(|column| column == name);
        let (Some(file_at), Some(frame_at)) = (column("file"), column("frame")) else {
            let value = self.truth.display().to_string();
            let expected = "a CSV file with the columns file and frame";
            return Err(Error::Option { option: "truth", value, expected });
        };
        let cause_at = column("cause");
        let mut writer = csv::Writer::from_path(&self.out_truth).map_err(unwritten)?;
        writer.write_record(&header).map_err(unwritten)?;
        let (mut rows, mut lost) = (0, 0);
        for record in reader.records() {
            let record = record.map_err(unread)?;
            let mut cells: Vec<String> = record.iter().map(str::to_owned).collect();
            file_name(&self.output).clone_into(&mut cells[file_at]);
            let Ok(number) = cells[frame_at].trim().parse::<usize>() else {
                writer.write_record(&cells).map_err(unwritten)?;
                continue;
            };
            let Some(new) = places.first.get(&number) else {
                lost += 1;
                continue;
            };
            cells[frame_at] = new.to_string();
            writer.write_record(&cells).map_err(unwritten)?;
            rows += 1;
            for copy in places.copies.get(&number).into_iter().flatten() {
                cells[frame_at] = copy.to_string();
                if let Some(at) = cause_at {
                    cells[at].clear();
                }
                writer.write_record(&cells).map_err(unwritten)?;
                rows += 1;
            }
        }
        writer.flush().map_err(|error| unwritten(error.into()))?;
        Ok((rows, lost))
    }
}

/// Where the frames of the input went; all numbers are counted from 1.
#[derive(Debug, Default)]
struct Places {
    first: HashMap<usize, usize>,
    copies: HashMap<usize, Vec<usize>>,
}

impl Places {
    fn of(kept: &[Kept]) -> Self {
        let mut places = Self::default();
        for (number, kept) in (1..).zip(kept) {
            if kept.copy {
                places.copies.entry(kept.from).or_default().push(number);
            } else {
                places.first.insert(kept.from, number);
            }
        }
        places
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
