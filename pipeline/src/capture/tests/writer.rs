//! Writes captures for tests, byte by byte from the formats' specifications.

use std::io::Write;

/// A classic capture under construction.
#[derive(Clone)]
pub(super) struct ClassicWriter {
    big: bool,
    nanoseconds: bool,
    modified: bool,
    pub(super) bytes: Vec<u8>,
}

/// A pcapng capture under construction.
#[derive(Clone)]
pub(super) struct PcapngWriter {
    big: bool,
    pub(super) bytes: Vec<u8>,
}

impl ClassicWriter {
    pub(super) fn new(big: bool, nanoseconds: bool, link: u32) -> Self {
        Self::with_version(big, nanoseconds, (2, 4), link)
    }

    pub(super) fn with_version(
        big: bool,
        nanoseconds: bool,
        version: (u16, u16),
        link: u32,
    ) -> Self {
        let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut writer = Self { big, nanoseconds, modified: false, bytes: Vec::new() };
        writer.header(magic, version, link);
        writer
    }

    /// Kuznetzov's format.
    pub(super) fn modified(big: bool, link: u32) -> Self {
        let mut writer = Self { big, nanoseconds: false, modified: true, bytes: Vec::new() };
        writer.header(0xa1b2_cd34, (2, 4), link);
        writer
    }

    fn header(&mut self, magic: u32, version: (u16, u16), link: u32) {
        self.words(&[magic]);
        self.bytes.extend(u16_bytes(self.big, version.0));
        self.bytes.extend(u16_bytes(self.big, version.1));
        self.words(&[0, 0, 65_535, link]);
    }

    pub(super) fn frame(&mut self, time_ns: u64, frame: &[u8]) {
        let len = frame.len() as u32;
        self.frame_of_lengths(time_ns, (len, len + 10), frame);
    }

    pub(super) fn frame_of_lengths(&mut self, time_ns: u64, lengths: (u32, u32), frame: &[u8]) {
        let unit_ns = if self.nanoseconds { 1 } else { 1_000 };
        let seconds = (time_ns / 1_000_000_000) as u32;
        let fraction = (time_ns % 1_000_000_000 / unit_ns) as u32;
        self.words(&[seconds, fraction, lengths.0, lengths.1]);
        if self.modified {
            self.words(&[3, 0]);
        }
        self.bytes.extend(frame);
    }

    fn words(&mut self, words: &[u32]) {
        for &word in words {
            self.bytes.extend(u32_bytes(self.big, word));
        }
    }
}

impl PcapngWriter {
    pub(super) fn new(big: bool) -> Self {
        let mut writer = Self { big, bytes: Vec::new() };
        writer.section(big);
        writer
    }

    pub(super) fn section(&mut self, big: bool) {
        self.big = big;
        let mut body = u32_bytes(big, 0x1a2b_3c4d).to_vec();
        body.extend(u16_bytes(big, 1));
        body.extend(u16_bytes(big, 0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body);
    }

    /// An interface with a time stamp resolution and offset, if given.
    pub(super) fn interface(
        &mut self,
        link: u16,
        snap_len: u32,
        tsresol: Option<u8>,
        tsoffset: Option<i64>,
    ) {
        let mut body = u16_bytes(self.big, link).to_vec();
        body.extend([0, 0]);
        body.extend(u32_bytes(self.big, snap_len));
        body.extend(self.option(2, b"eth0"));
        if let Some(exponent) = tsresol {
            body.extend(self.option(9, &[exponent]));
        }
        if let Some(seconds) = tsoffset {
            let seconds = if self.big { seconds.to_be_bytes() } else { seconds.to_le_bytes() };
            body.extend(self.option(14, &seconds));
        }
        body.extend(self.option(0, &[]));
        self.block(1, &body);
    }

    pub(super) fn enhanced(&mut self, interface: u32, ticks: u64, frame: &[u8]) {
        let body = self.packet_body(&u32_bytes(self.big, interface), ticks, frame);
        self.block(6, &body);
    }

    pub(super) fn enhanced_with_comment(&mut self, interface: u32, ticks: u64, frame: &[u8]) {
        let mut body = self.packet_body(&u32_bytes(self.big, interface), ticks, frame);
        body.extend(self.option(1, b"a comment"));
        body.extend(self.option(0, &[]));
        self.block(6, &body);
    }

    pub(super) fn obsolete(&mut self, interface: u16, ticks: u64, frame: &[u8]) {
        let mut front = u16_bytes(self.big, interface).to_vec();
        front.extend([0xff, 0xff]);
        let body = self.packet_body(&front, ticks, frame);
        self.block(2, &body);
    }

    pub(super) fn simple(&mut self, original_len: u32, frame: &[u8]) {
        let mut body = u32_bytes(self.big, original_len).to_vec();
        body.extend(padded(frame));
        self.block(3, &body);
    }

    pub(super) fn block(&mut self, block_type: u32, body: &[u8]) {
        let length = u32_bytes(self.big, 12 + body.len() as u32);
        self.bytes.extend(u32_bytes(self.big, block_type));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(length);
    }

    fn packet_body(&self, front: &[u8], ticks: u64, frame: &[u8]) -> Vec<u8> {
        let mut body = front.to_vec();
        for word in [(ticks >> 32) as u32, ticks as u32, frame.len() as u32, 1_500] {
            body.extend(u32_bytes(self.big, word));
        }
        body.extend(padded(frame));
        body
    }

    fn option(&self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16_bytes(self.big, code).to_vec();
        bytes.extend(u16_bytes(self.big, value.len() as u16));
        bytes.extend(padded(value));
        bytes
    }
}

pub(super) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd_compressed(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn u32_bytes(big: bool, value: u32) -> [u8; 4] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn u16_bytes(big: bool, value: u16) -> [u8; 2] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}
