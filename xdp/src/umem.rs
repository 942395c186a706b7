//! The memory that packets arrive in, cut into frames of one size.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ptr::NonNull;

use crate::mapping::Mapping;
use crate::options::HugePages;

/// What a UMEM is made of; huge pages are worth about 40 % of a packet's cost (fewer TLB misses).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// Pages from the pool of `vm.nr_hugepages` (`MAP_HUGETLB`).
    HugeTlb,
    /// Transparent huge pages, all of it.
    Transparent,
    /// Ordinary pages, at least in part.
    Plain,
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HugeTlb => "huge pages",
            Self::Transparent => "transparent huge pages",
            Self::Plain => "plain pages",
        })
    }
}

/// Frames shared with the kernel, numbered by their first byte.
///
/// ```text
/// frame:  [ 256 bytes of headroom | packet ........ | unused ]   2048 or 4096 bytes
///         ^ address of the frame  ^ address in a descriptor
/// ```
///
/// Invariants:
/// 1. `base..base + frame_size * frames` lies inside `_mapping`.
/// 2. `frame_size` is a power of two, and so is every frame's address a multiple of it.
pub(crate) struct Umem {
    base: NonNull<u8>,
    frame_size: u32,
    /// `frame_size * frames`.
    len: u64,
    backing: Backing,
    _mapping: Mapping,
}

// SAFETY: `base` leads into `_mapping`, which moves along and is itself `Send`.
unsafe impl Send for Umem {}

impl Umem {
    /// Maps and touches the memory.
    pub(crate) fn new(frame_size: u32, frames: u32, pages: HugePages) -> io::Result<Self> {
        assert!(frame_size.is_power_of_two(), "frames of {frame_size} bytes");
        let len = frame_size as usize * frames as usize;
        if pages == HugePages::Reserved
            && let Ok(mapping) = Mapping::anonymous(
                len.next_multiple_of(HUGE_PAGE),
                libc::MAP_HUGETLB | libc::MAP_HUGE_2MB | libc::MAP_POPULATE,
            )
        {
            let base = mapping.at(0, len);
            return Ok(Self::over(mapping, base, frame_size, frames, Backing::HugeTlb));
        }
        // Room to begin at a multiple of 2 MiB, else the first and last pages stay small.
        let padded = len.next_multiple_of(HUGE_PAGE) + HUGE_PAGE;
        let mapping = Mapping::anonymous(padded, libc::MAP_NORESERVE)?;
        let skip = mapping.base().as_ptr().align_offset(HUGE_PAGE);
        let huge_len = len.next_multiple_of(HUGE_PAGE);
        // In this order: memory that was touched before the advice keeps its small pages for ever.
        // Kernels without transparent huge pages refuse the advice; the backing below says so.
        let huge = match pages {
            HugePages::Never => libc::MADV_NOHUGEPAGE,
            HugePages::Transparent | HugePages::Reserved => libc::MADV_HUGEPAGE,
        };
        let _advised = mapping.advise(skip, huge_len, huge);
        // A child made by fork must not share what the network card writes.
        mapping.advise(skip, huge_len, libc::MADV_DONTFORK)?;
        match mapping.advise(skip, huge_len, libc::MADV_POPULATE_WRITE) {
            // Before Linux 5.14: registering the memory touches it.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            result => result?,
        }
        let base = mapping.at(skip, len);
        let backing = match huge_bytes(base.as_ptr() as usize, huge_len) {
            Ok(bytes) if bytes >= huge_len => Backing::Transparent,
            _ => Backing::Plain,
        };
        Ok(Self::over(mapping, base, frame_size, frames, backing))
    }

    fn over(
        mapping: Mapping,
        base: NonNull<u8>,
        frame_size: u32,
        frames: u32,
        backing: Backing,
    ) -> Self {
        let len = u64::from(frame_size) * u64::from(frames);
        Self { base, frame_size, len, backing, _mapping: mapping }
    }

    /// The first byte.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Bytes of all frames.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of one frame.
    pub(crate) fn frame_size(&self) -> u32 {
        self.frame_size
    }

    /// What pages it is made of.
    pub(crate) fn backing(&self) -> Backing {
        self.backing
    }

    /// The addresses of all frames.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = u64> + use<> {
        let size = u64::from(self.frame_size);
        (0..self.len / size).map(move |index| index * size)
    }

    /// The address of the frame that `address` lies in.
    pub(crate) fn frame_of(&self, address: u64) -> u64 {
        address & !u64::from(self.frame_size - 1)
    }

    /// Panics unless `len` bytes at `address` lie inside one frame.
    pub(crate) fn check(&self, address: u64, len: u32) {
        let offset = (address & u64::from(self.frame_size - 1)) as u32;
        assert!(
            address < self.len && len <= self.frame_size - offset,
            "{len} bytes at {address} do not lie in one frame of {}",
            self.frame_size,
        );
    }

    /// Asks the processor to fetch the first line at `address`, wherever that is.
    ///
    /// Halves the cost of receiving and reading a header: 165-180 to 82-86 ns of user time a packet
    /// with 8,192 frames on a busy machine, three rounds each (`examples/receive`, `wait touch`).
    #[inline]
    pub(crate) fn prefetch(&self, address: u64) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let pointer = self.base.as_ptr().wrapping_add(address as usize).cast::<i8>();
            // SAFETY: a prefetch is a hint and faults nowhere.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(pointer) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = address;
    }

    /// `len` bytes at `address`.
    ///
    /// # Safety
    ///
    /// The frame is ours, not the kernel's, and nobody writes it while the slice lives.
    pub(crate) unsafe fn slice(&self, address: u64, len: u32) -> &[u8] {
        let start = self.pointer(address, len);
        // SAFETY: inside the mapping (checked by `pointer`), initialised (mapped zeroed), and the
        // caller vouches that nobody writes there.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), len as usize) }
    }

    /// Copies `bytes` to `address`.
    ///
    /// # Safety
    ///
    /// The frame is ours, not the kernel's, and no slice of it is alive.
    pub(crate) unsafe fn write(&mut self, address: u64, bytes: &[u8]) {
        let len = u32::try_from(bytes.len()).expect("a packet shorter than 4 GiB");
        let start = self.pointer(address, len);
        // SAFETY: inside the mapping (checked by `pointer`); the caller vouches that it is ours.
        unsafe { start.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    }

    fn pointer(&self, address: u64, len: u32) -> NonNull<u8> {
        self.check(address, len);
        // SAFETY: `address < frame_size * frames` by the check above (invariant 1).
        unsafe { self.base.add(address as usize) }
    }
}

/// Bytes of huge pages among `len` bytes at `start`, a multiple of [`HUGE_PAGE`].
///
/// The kernel may have merged the mapping with a neighbour that is of the same kind; the mapping
/// that holds our first byte is asked (proc_pid_smaps(5)).
pub(crate) fn huge_bytes(start: usize, len: usize) -> io::Result<usize> {
    let mut inside = false;
    for line in BufReader::new(File::open("/proc/self/smaps")?).lines() {
        let line = line?;
        if let Some((from, to)) = address_range(&line) {
            inside = from <= start && start < to;
        } else if inside && let Some(rest) = line.strip_prefix("AnonHugePages:") {
            let kib = rest.trim().strip_suffix(" kB").and_then(|kib| kib.parse::<usize>().ok());
            return Ok(kib.unwrap_or(0).saturating_mul(1024).min(len));
        }
    }
    Ok(0)
}

/// `7f00-7f10 rw-p ...` as numbers.
fn address_range(line: &str) -> Option<(usize, usize)> {
    let (from, to) = line.split_ascii_whitespace().next()?.split_once('-')?;
    Some((usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?))
}

/// The huge page of x86-64 and, with 4 KiB pages, arm64.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_tile_the_memory() {
        let umem = Umem::new(2048, 64, HugePages::Transparent).unwrap();
        let addresses: Vec<u64> = umem.addresses().collect();
        assert_eq!(addresses.len(), 64);
        assert_eq!(addresses[63], 63 * 2048);
        assert_eq!(umem.frame_of(3 * 2048 + 300), 3 * 2048);
        assert_eq!(umem.base() as usize % HUGE_PAGE, 0);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut umem = Umem::new(2048, 64, HugePages::Never).unwrap();
        assert_eq!(umem.backing(), Backing::Plain);
        // SAFETY: no kernel knows this memory, no slice is alive.
        unsafe { umem.write(2048 + 256, b"packet") };
        // SAFETY: no kernel knows this memory, nobody writes.
        let read = unsafe { umem.slice(2048 + 256, 6) };
        assert_eq!(read, b"packet");
    }

    #[test]
    #[should_panic(expected = "do not lie in one frame")]
    fn a_packet_across_two_frames_is_refused() {
        Umem::new(2048, 64, HugePages::Never).unwrap().check(2000, 49);
    }

    #[test]
    #[should_panic(expected = "do not lie in one frame")]
    fn a_packet_outside_is_refused() {
        Umem::new(2048, 64, HugePages::Never).unwrap().check(64 * 2048, 0);
    }

    #[test]
    fn only_mapping_lines_have_a_range() {
        assert_eq!(address_range("7f00-7f10 rw-p 00000000 00:00 0"), Some((0x7f00, 0x7f10)));
        assert_eq!(address_range("AnonHugePages:      2048 kB"), None);
    }
}
