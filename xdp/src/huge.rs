//! Huge pages under memory that somebody else has allocated.

use std::io;

use crate::umem::{HUGE_PAGE, huge_bytes};

/// Asks for huge pages under the whole 2 MiB pieces of `memory`; best before it is first written to,
/// as `Vec::spare_capacity_mut` gives it: then the kernel makes huge pages at once.
///
/// A table of 100 MB touched at random misses the TLB on nearly every access with 4 KiB pages. The
/// advice never changes contents, so nothing depends on its success. Returns the bytes advised.
///
/// # Errors
/// The kernel has no transparent huge pages, or refuses (`/sys/kernel/mm/transparent_hugepage`).
pub fn prefer_huge_pages<T>(memory: &mut [T]) -> io::Result<usize> {
    let (start, len) = whole_pieces(memory);
    if len == 0 {
        return Ok(0);
    }
    let address = memory.as_mut_ptr().with_addr(start).cast::<libc::c_void>();
    // SAFETY: the range lies inside `memory`, which is borrowed exclusively; MADV_HUGEPAGE (madvise(2))
    // changes how pages are made, never what they hold.
    let advised = unsafe { libc::madvise(address, len, libc::MADV_HUGEPAGE) };
    if advised < 0 { Err(io::Error::last_os_error()) } else { Ok(len) }
}

/// Bytes of `memory` that lie on huge pages, at most; neighbours on the same kernel mapping may count.
///
/// # Errors
/// `/proc/self/smaps` cannot be read.
pub fn bytes_on_huge_pages<T>(memory: &[T]) -> io::Result<usize> {
    // The advice has made a mapping of its own of them.
    let (start, len) = whole_pieces(memory);
    huge_bytes(start, len)
}

/// First address and length of the part that huge pages can hold.
fn whole_pieces<T>(memory: &[T]) -> (usize, usize) {
    let range = memory.as_ptr_range();
    let start = (range.start as usize).next_multiple_of(HUGE_PAGE);
    let end = range.end as usize / HUGE_PAGE * HUGE_PAGE;
    (start, end.saturating_sub(start))
}

#[cfg(test)]
mod tests {
    use super::{HUGE_PAGE, bytes_on_huge_pages, prefer_huge_pages};

    #[test]
    fn contents_survive_and_small_memory_is_left_alone() {
        let mut memory: Vec<u32> = (0..5 << 20).collect();
        // A kernel without huge pages refuses; the contents must survive that too.
        let advised = prefer_huge_pages(&mut memory).unwrap_or(0);
        assert!(advised.is_multiple_of(HUGE_PAGE) && advised <= memory.len() * 4);
        assert!(memory.iter().zip(0u32..).all(|(&value, index)| value == index));
        assert_eq!(prefer_huge_pages(&mut [0u8; 64]).unwrap(), 0);
    }

    #[test]
    fn memory_that_is_advised_first_comes_on_huge_pages_where_there_are_any() {
        let mut memory: Vec<u64> = Vec::with_capacity(4 << 20);
        let advised = prefer_huge_pages(memory.spare_capacity_mut()).unwrap_or(0);
        memory.resize(4 << 20, 7);
        let huge = bytes_on_huge_pages(&memory).unwrap();
        assert!(huge <= 32 << 20 && memory.iter().all(|&value| value == 7));
        if advised == 0 {
            assert!(huge < 32 << 20, "not asked for, but all on huge pages");
        }
    }
}
