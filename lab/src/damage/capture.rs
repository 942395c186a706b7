//! Captures as lists of frames: read whole, changed, written again.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use pcap_parser::PcapCapture;

use crate::Error;

/// One frame of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Time since the epoch.
    pub(crate) time: Duration,
    /// The bytes that were captured.
    pub(crate) bytes: Vec<u8>,
    /// Length on the wire; more than `bytes` holds if the capture cuts frames.
    pub(crate) wire_len: u32,
}

/// All frames of a classic capture file (draft-ietf-opsawg-pcap).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Capture {
    /// Type of the link (`LINKTYPE_*`).
    pub(crate) link_type: u32,
    /// Frame number `n` of the file is element `n − 1`.
    pub(crate) frames: Vec<Frame>,
}

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const SNAP_LEN: u32 = 262_144;

impl Capture {
    /// Reads a whole file. Fails on anything but the classic format.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(failed)?;
        let capture = PcapCapture::from_file(&bytes).map_err(|error| {
            let what = format!("not a whole classic pcap file: {error:?}");
            failed(std::io::Error::new(std::io::ErrorKind::InvalidData, what))
        })?;
        let fraction_ns = if capture.header.is_nanosecond_precision() { 1 } else { 1000 };
        let frames = capture
            .blocks
            .iter()
            .map(|block| Frame {
                time: Duration::from_secs(block.ts_sec.into())
                    + Duration::from_nanos(u64::from(block.ts_usec) * fraction_ns),
                bytes: block.data.to_vec(),
                wire_len: block.origlen,
            })
            .collect();
        Ok(Self { link_type: capture.header.network.0.unsigned_abs(), frames })
    }

    /// Writes a file with time stamps in nanoseconds.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let mut out = BufWriter::new(File::create(path).map_err(failed)?);
        let header = [MAGIC_NANOSECONDS, 4 << 16 | 2, 0, 0, SNAP_LEN, self.link_type];
        write_words(&mut out, &header).map_err(failed)?;
        for frame in &self.frames {
            let len = u32::try_from(frame.bytes.len()).expect("a frame is shorter than 4 GiB");
            // The format ends in the year 2106.
            let words =
                [frame.time.as_secs() as u32, frame.time.subsec_nanos(), len, frame.wire_len];
            write_words(&mut out, &words).map_err(failed)?;
            out.write_all(&frame.bytes).map_err(failed)?;
        }
        out.flush().map_err(failed)
    }
}

fn write_words(out: &mut impl std::io::Write, words: &[u32]) -> std::io::Result<()> {
    words.iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))
}
