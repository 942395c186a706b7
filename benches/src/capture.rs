//! The pcap file.

use std::io::{self, Write};

/// Writes frames into a classic pcap file with nanoseconds (magic `a1b23c4d`).
#[derive(Debug)]
pub struct CaptureWriter<W> {
    output: W,
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a capture of Ethernet frames.
    ///
    /// # Errors
    /// What the output said.
    pub fn begin(mut output: W) -> io::Result<Self> {
        let words: [u32; 6] = [0xa1b2_3c4d, 4 << 16 | 2, 0, 0, 65_535, 1];
        for word in words {
            output.write_all(&word.to_le_bytes())?;
        }
        Ok(Self { output })
    }

    /// Adds a frame received at `time_ns` since the epoch.
    ///
    /// # Errors
    /// What the output said.
    pub fn frame(&mut self, time_ns: u64, frame: &[u8]) -> io::Result<()> {
        let len = frame.len() as u32;
        let words = [(time_ns / 1_000_000_000) as u32, (time_ns % 1_000_000_000) as u32, len, len];
        for word in words {
            self.output.write_all(&word.to_le_bytes())?;
        }
        self.output.write_all(frame)
    }

    /// Writes what is buffered and gives the output back.
    ///
    /// # Errors
    /// What the output said.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}
