//! Any text as what stands behind `?` in an address of the API: filters, times, servers, orders, asked of a store that
//! holds the stored records.
//!
//! ```sh
//! cd collector && mkdir -p /tmp/grown
//! RUSTC_BOOTSTRAP=1 cargo fuzz run queries /tmp/grown fuzz/corpus/queries -- -max_len=512
//! ```
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use collector::{Options, Recent, Sensor, Store, StoreOptions};
use libfuzzer_sys::fuzz_target;

static KNOWN: LazyLock<(Store, Recent)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap().keep();
    let store = Store::open(&StoreOptions { directory, ..StoreOptions::default() }).unwrap();
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/records");
    for file in std::fs::read_dir(records).unwrap() {
        collector::fuzz::records(&std::fs::read(file.unwrap().path()).unwrap(), &store);
    }
    let (name, version, interfaces) = ("tap".to_owned(), "1".to_owned(), Vec::new());
    let sensor = Sensor { name, version, interfaces };
    (store, Recent::new(&Options::default(), sensor))
});

fuzz_target!(|input: &[u8]| collector::fuzz::query(input, &KNOWN.0, &KNOWN.1));
