//! One piece of mapped memory, unmapped when dropped.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use crate::system::page_size;

/// Memory from mmap(2).
///
/// Invariants:
/// 1. `base..base + len` is mapped readable and writable until `self` is dropped.
/// 2. Nobody in this process but the owner of `self` derives pointers from `base`.
///
/// The kernel may write it at any time, so no reference to it is handed out here.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory belongs to the process, not to a thread, and has one owner (invariant 2).
unsafe impl Send for Mapping {}

impl Mapping {
    /// Private memory of at least `len` bytes; `flags` are added to the usual ones of mmap(2).
    pub(crate) fn anonymous(len: usize, flags: c_int) -> io::Result<Self> {
        Self::new(len, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags, -1, 0)
    }

    /// `len` bytes of `fd` from `offset`, shared with the kernel and touched at once.
    pub(crate) fn shared(fd: BorrowedFd<'_>, len: usize, offset: libc::off_t) -> io::Result<Self> {
        Self::new(len, libc::MAP_SHARED | libc::MAP_POPULATE, fd.as_raw_fd(), offset)
    }

    fn new(len: usize, flags: c_int, fd: c_int, offset: libc::off_t) -> io::Result<Self> {
        let len = len.next_multiple_of(page_size());
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: without MAP_FIXED the kernel chooses an address that is free.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), len, access, flags, fd, offset) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).expect("mmap does not choose address zero");
        Ok(Self { base, len })
    }

    /// The first byte.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// A pointer to a `T` that lies `offset` bytes in, with room for `count` of them.
    ///
    /// Panics where they would not fit or not be aligned.
    pub(crate) fn at<T>(&self, offset: usize, count: usize) -> NonNull<T> {
        let size = size_of::<T>().checked_mul(count).expect("an array that fits in memory");
        let end = offset.checked_add(size).expect("an offset that fits in memory");
        assert!(end <= self.len, "{count} entries at {offset} lie outside {} bytes", self.len);
        // SAFETY: `offset <= len`, so the result is inside the mapping (invariant 1).
        let pointer = unsafe { self.base.add(offset) }.cast::<T>();
        assert!(pointer.is_aligned(), "offset {offset} is not aligned for its entries");
        pointer
    }

    /// Gives the kernel advice on `len` bytes from `offset`, which must lie inside.
    pub(crate) fn advise(&self, offset: usize, len: usize, advice: c_int) -> io::Result<()> {
        let start = self.at::<u8>(offset, len).as_ptr().cast::<c_void>();
        assert!(
            matches!(
                advice,
                libc::MADV_HUGEPAGE
                    | libc::MADV_NOHUGEPAGE
                    | libc::MADV_POPULATE_WRITE
                    | libc::MADV_DONTFORK
            ),
            "advice {advice} might discard memory"
        );
        // SAFETY: the range is ours (invariant 1) and none of the advices above changes contents.
        let result = unsafe { libc::madvise(start, len, advice) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let base = self.base.as_ptr().cast::<c_void>();
        // SAFETY: exactly what was mapped; nobody uses it after its owner (invariants 1 and 2).
        let result = unsafe { libc::munmap(base, self.len) };
        assert_eq!(result, 0, "munmap of our own mapping succeeds");
    }
}
