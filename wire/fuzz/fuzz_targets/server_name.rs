//! Any bytes as the first payload of a client.
//!
//! ```sh
//! cd wire && mkdir -p /tmp/grown
//! RUSTC_BOOTSTRAP=1 cargo fuzz run server_name /tmp/grown fuzz/corpus/server_name -- -max_len=2048
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/names/mod.rs"]
mod names;

fuzz_target!(|payload: &[u8]| {
    let _ = names::check(payload);
});
