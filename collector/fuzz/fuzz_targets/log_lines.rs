//! Any bytes as a stream of log lines: cut into messages, read, joined. The first byte says how the stream is cut.
//!
//! `cargo fuzz run` writes what it finds into its first corpus folder; to leave the stored one as it is, name
//! another before it. On stable Rust:
//!
//! ```sh
//! cd collector && mkdir -p /tmp/grown
//! RUSTC_BOOTSTRAP=1 cargo fuzz run log_lines /tmp/grown fuzz/corpus/log_lines -- -max_len=4096
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| collector::fuzz::log_lines(input));
