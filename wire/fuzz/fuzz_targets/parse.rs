//! Any bytes on any link: the first byte is the index of the link type.
//!
//! `cargo fuzz run parse` writes what it finds into its first corpus folder; to leave the stored
//! one as it is, name another before it:
//!
//! ```sh
//! cd wire && mkdir -p /tmp/grown
//! RUSTC_BOOTSTRAP=1 cargo fuzz run parse /tmp/grown fuzz/corpus/parse -- -max_len=512
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/invariants/mod.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    if let Some((link, frame)) = invariants::split(input) {
        let _ = invariants::check(link, frame);
    }
});
