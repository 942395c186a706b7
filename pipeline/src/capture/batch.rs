//! The frames that are lent, in order.

use crate::BATCH_MAX;

use super::walk::Located;

/// Where the frames of a batch lie.
///
/// Shape: [`BATCH_MAX`] places, made once and written in place; the first `len` are lent.
#[derive(Debug)]
pub(super) struct Batch {
    places: Box<[Located; BATCH_MAX]>,
    len: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { places: Box::new([Located::BLANK; BATCH_MAX]), len: 0 }
    }

    #[inline]
    pub(super) fn lent(&self) -> &[Located] {
        &self.places[..self.len]
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == BATCH_MAX
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a frame; there must be a free place.
    #[inline]
    pub(super) fn push(&mut self, frame: Located) {
        self.places[self.len] = frame;
        self.len += 1;
    }

    /// The free places, for whoever fills several; [`Batch::grow`] then lends them.
    pub(super) fn free(&mut self) -> &mut [Located] {
        &mut self.places[self.len..]
    }

    /// Lends so many of the free places too.
    pub(super) fn grow(&mut self, places: usize) {
        assert!(places <= BATCH_MAX - self.len, "only free places are filled");
        self.len += places;
    }

    /// Keeps the frames that `is_wanted`.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&Located) -> bool) {
        let mut kept = 0;
        for index in 0..self.len {
            let frame = self.places[index];
            self.places[kept] = frame;
            kept += usize::from(is_wanted(&frame));
        }
        self.len = kept;
    }

    pub(super) const MEMORY_BYTES: usize = BATCH_MAX * size_of::<Located>();
}
