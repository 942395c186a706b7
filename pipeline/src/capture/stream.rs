//! The bytes of an input: opened, counted, decompressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use zstd::zstd_safe::{DCtx, InBuffer, OutBuffer, get_error_name};

/// The bytes of a capture, decompressed where its first bytes ask for it.
pub(super) enum Stream {
    Plain(Raw),
    Gzip(Box<MultiGzDecoder<BufReader<Raw>>>),
    Zstd(Box<Zstd>),
    /// Read to its end.
    Closed,
}

/// An input as it is stored. The bytes looked at to recognise it are chained back in front.
type Raw = Chain<Cursor<Vec<u8>>, Counted>;

/// Counts what is read from an input, for whoever watches the progress.
pub(super) struct Counted {
    source: Box<dyn Read + Send>,
    bytes_read: Arc<AtomicU64>,
}

/// Decompresses zstd frames one after the other.
///
/// `zstd::Decoder` does this as well, but cannot say how much memory its window takes.
pub(super) struct Zstd {
    context: DCtx<'static>,
    source: BufReader<Raw>,
    /// Whether the last frame is complete.
    at_boundary: bool,
}

impl Stream {
    /// Recognises the compression by the first bytes of `source`.
    pub(super) fn new(mut source: Counted) -> io::Result<Self> {
        let magic = source.first_bytes()?;
        let kind = Compression::of(&magic);
        let raw = Cursor::new(magic).chain(source);
        Ok(match kind {
            None => Self::Plain(raw),
            Some(Compression::Gzip) => {
                let source = BufReader::with_capacity(COMPRESSED_BUFFER_LEN, raw);
                Self::Gzip(Box::new(MultiGzDecoder::new(source)))
            }
            Some(Compression::Zstd) => Self::Zstd(Box::new(Zstd::new(raw)?)),
        })
    }

    /// The name of the compression, if there is one.
    pub(super) fn compression(&self) -> Option<&'static str> {
        match self {
            Self::Plain(_) | Self::Closed => None,
            Self::Gzip(_) => Some("gzip"),
            Self::Zstd(_) => Some("zstd"),
        }
    }

    /// Memory of the decompressor.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Plain(_) | Self::Closed => 0,
            Self::Gzip(_) => COMPRESSED_BUFFER_LEN + INFLATE_STATE_LEN,
            Self::Zstd(zstd) => COMPRESSED_BUFFER_LEN + zstd.context.sizeof(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(bytes),
            Self::Gzip(decoder) => decoder.read(bytes),
            Self::Zstd(decoder) => decoder.read(bytes),
            Self::Closed => Ok(0),
        }
    }
}

impl Counted {
    pub(super) fn new(source: Box<dyn Read + Send>, bytes_read: Arc<AtomicU64>) -> Self {
        Self { source, bytes_read }
    }

    /// As many bytes as any magic number has, or fewer at the end.
    fn first_bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(MAGIC_LEN);
        self.by_ref().take(MAGIC_LEN as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = self.source.read(bytes)?;
        self.bytes_read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

impl Zstd {
    fn new(raw: Raw) -> io::Result<Self> {
        let context = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        let source = BufReader::with_capacity(COMPRESSED_BUFFER_LEN, raw);
        Ok(Self { context, source, at_boundary: true })
    }
}

impl Read for Zstd {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let compressed = self.source.fill_buf()?;
            let at_end = compressed.is_empty();
            if bytes.is_empty() || (at_end && self.at_boundary) {
                return Ok(0);
            }
            let mut input = InBuffer::around(compressed);
            let mut output = OutBuffer::around(&mut *bytes);
            let wanted = self
                .context
                .decompress_stream(&mut output, &mut input)
                .map_err(|code| io::Error::new(io::ErrorKind::InvalidData, get_error_name(code)))?;
            let (consumed, produced) = (input.pos(), output.pos());
            self.source.consume(consumed);
            self.at_boundary = wanted == 0;
            if produced > 0 {
                return Ok(produced);
            }
            if at_end {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "incomplete frame"));
            }
        }
    }
}

enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// RFC 1952, section 2.3; RFC 8878, sections 3.1.1 and 3.1.2 (parallel compressors write a
    /// skippable frame first).
    fn of(magic: &[u8]) -> Option<Self> {
        match magic {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// An open input, and its size if it has one.
pub(super) struct Opened {
    pub(super) source: Box<dyn Read + Send>,
    pub(super) len: Option<u64>,
    /// If it can be read from its beginning any number of times.
    pub(super) file: Option<Arc<File>>,
}

impl Opened {
    /// Opens a file, or standard input for `-`.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        if is_standard_input(path) {
            // Not `std::io::Stdin`, which would copy everything through a buffer of its own.
            let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
            let len = len_of(&file)?;
            return Ok(Self { source: Box::new(file), len, file: None });
        }
        let file = File::open(path)?;
        Ok(match len_of(&file)? {
            None => Self { source: Box::new(file), len: None, file: None },
            Some(len) => Self { len: Some(len), ..Self::again(Arc::new(file)) },
        })
    }

    /// The same file from its beginning, even if its name has gone to another one since.
    pub(super) fn again(file: Arc<File>) -> Self {
        let reader = FileReader { file: Arc::clone(&file), offset: 0 };
        Self { source: Box::new(reader), len: None, file: Some(file) }
    }
}

/// The length of a regular file; a pipe has none.
fn len_of(file: &File) -> io::Result<Option<u64>> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(metadata.is_file().then_some(metadata.len()))
}

/// Reads a file at a place of its own, so that several can read one.
struct FileReader {
    file: Arc<File>,
    offset: u64,
}

impl Read for FileReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read_at(bytes, self.offset)?;
        self.offset += len as u64;
        Ok(len)
    }
}

/// Whether an input is named `-`.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Length of the magic numbers of captures and of compressions.
pub(super) const MAGIC_LEN: usize = 4;
/// Compressed bytes read at once. Small, because a decompressor that meets damage drops what it
/// made of this call's bytes.
const COMPRESSED_BUFFER_LEN: usize = 16 << 10;
/// Inflate's 32 KiB window with its code tables, rounded up.
const INFLATE_STATE_LEN: usize = 64 << 10;
