//! The progress bar: bytes read, on standard error, on a terminal only.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar drawn by a thread of its own until it is dropped.
pub(crate) struct Progress {
    bytes: Arc<AtomicU64>,
    bar: ProgressBar,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// A bar up to the length of all `files` together; without a length for standard input.
    ///
    /// `None` if nobody would see it: standard error is no terminal, or rows are being written to
    /// the same terminal and would tear it apart.
    pub(crate) fn start(files: &[PathBuf], rows_on_terminal: bool) -> Option<Self> {
        use std::io::IsTerminal as _;
        if !std::io::stderr().is_terminal() || rows_on_terminal {
            return None;
        }
        let total: Option<u64> =
            files.iter().map(|file| std::fs::metadata(file).ok().map(|data| data.len())).sum();
        // Hidden until something was read: what is said at the start would tear it apart.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = if total.is_some() { TEMPLATE } else { TEMPLATE_WITHOUT_TOTAL };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is valid"));
        let bytes = Arc::new(AtomicU64::new(0));
        let thread = std::thread::spawn({
            let (bytes, bar) = (Arc::clone(&bytes), bar.clone());
            move || {
                let mut is_drawn = false;
                while !bar.is_finished() {
                    let position = bytes.load(Ordering::Relaxed);
                    if position > 0 && !is_drawn {
                        is_drawn = true;
                        bar.set_draw_target(ProgressDrawTarget::stderr());
                    }
                    bar.set_position(position);
                    std::thread::park_timeout(REDRAW_INTERVAL);
                }
            }
        });
        Some(Self { bytes, bar, thread: Some(thread) })
    }

    /// Where the reader adds what it has read.
    pub(crate) fn bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It only draws; a panic of it is no reason to lose the results.
            let _ = thread.join();
        }
    }
}

const TEMPLATE: &str = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// Standard input does not tell how long it is.
const TEMPLATE_WITHOUT_TOTAL: &str = "{bytes} read, {bytes_per_sec}";

const REDRAW_INTERVAL: Duration = Duration::from_millis(100);
