//! Any bytes as lines of records, put into a store twice.
//!
//! ```sh
//! cd collector && mkdir -p /tmp/grown
//! RUSTC_BOOTSTRAP=1 cargo fuzz run records /tmp/grown fuzz/corpus/records -- -max_len=16384
//! ```
#![no_main]

use std::sync::LazyLock;

use collector::{Store, StoreOptions};
use libfuzzer_sys::fuzz_target;

static STORE: LazyLock<Store> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap().keep();
    Store::open(&StoreOptions { directory, ..StoreOptions::default() }).unwrap()
});

fuzz_target!(|input: &[u8]| collector::fuzz::records(input, &STORE));
