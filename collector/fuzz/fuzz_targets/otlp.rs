//! Any bytes as the body of an OTLP request, the whole way into a store: the first byte picks HTTP or gRPC frames,
//! Protocol Buffers or JSON, plain, gzip or zstd.
//!
//! ```sh
//! cd collector && mkdir -p /tmp/grown
//! RUSTC_BOOTSTRAP=1 cargo fuzz run otlp /tmp/grown fuzz/corpus/otlp -- -max_len=8192
//! ```
#![no_main]

use std::sync::{Arc, LazyLock};

use collector::fuzz::Senders;
use collector::{Store, StoreOptions};
use libfuzzer_sys::fuzz_target;

static SENDERS: LazyLock<Senders> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap().keep();
    let store = Store::open(&StoreOptions { directory, ..StoreOptions::default() }).unwrap();
    Senders::new(Arc::new(store))
});

fuzz_target!(|input: &[u8]| SENDERS.send(input));
