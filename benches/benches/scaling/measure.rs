//! Runs children: under callgrind for what they do, by the clock of their threads for how long.

use std::ops::Sub;
use std::path::Path;
use std::process::Command;

use crate::child::{Run, Told, told};

/// What callgrind counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    /// Cache lines fetched from beyond the second-level cache.
    pub(crate) lines: f64,
    /// Of those, what pushed out a line that had to be written back.
    pub(crate) written_back: f64,
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self {
            instructions: self.instructions - less.instructions,
            lines: self.lines - less.lines,
            written_back: self.written_back - less.written_back,
        }
    }
}

/// The difference of a run and one of half as many packets: start-up cancels.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) packets: f64,
    pub(crate) resets: f64,
    pub(crate) workers: Cost,
    pub(crate) exporter: Cost,
    /// Of the longer run.
    pub(crate) told: Told,
}

/// Nanoseconds of processor time, as the difference of a run and one of half as many packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timed {
    pub(crate) worker_ns_a_packet: f64,
    pub(crate) exporter_ns_a_reset: f64,
}

/// Counts `run` and half of it.
pub(crate) fn count(run: &Run) -> Counted {
    let half = Run { packets: run.packets / 2, ..*run };
    let [(less, less_workers, less_exporter), (more, workers, exporter)] =
        [half, *run].map(|run| callgrind(&run));
    Counted {
        packets: (run.packets - half.packets) as f64,
        resets: more.resets - less.resets,
        workers: workers - less_workers,
        exporter: exporter - less_exporter,
        told: more,
    }
}

/// Times `run` and half of it.
pub(crate) fn time(run: &Run) -> Timed {
    let half = Run { packets: run.packets / 2, ..*run };
    let [less, more] = [half, *run].map(|run| output(child(&run, None)));
    let packets = (run.packets - half.packets) as f64;
    let resets = (more.resets - less.resets).max(1.0);
    Timed {
        worker_ns_a_packet: (more.workers_s - less.workers_s) * 1e9 / packets,
        exporter_ns_a_reset: (more.exporter_s - less.exporter_s) * 1e9 / resets,
    }
}

/// What it said, and the costs of its workers together and of its exporter.
fn callgrind(run: &Run) -> (Told, Cost, Cost) {
    let folder = std::env::temp_dir().join(format!("scaling-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let told = output(child(run, Some(&folder)));
    // The first thread exports, the second has made the frames.
    let exporter = cost(&folder, 1);
    let workers = (3..3 + run.workers).map(|thread| cost(&folder, thread));
    let workers = workers.fold(Cost::default(), |sum, more| Cost {
        instructions: sum.instructions + more.instructions,
        lines: sum.lines + more.lines,
        written_back: sum.written_back + more.written_back,
    });
    std::fs::remove_dir_all(&folder).unwrap();
    (told, workers, exporter)
}

fn child(run: &Run, callgrind: Option<&Path>) -> Command {
    let itself = std::env::current_exe().unwrap();
    let mut command = match callgrind {
        None => Command::new(itself),
        Some(folder) => {
            let mut command = Command::new("valgrind");
            let out = folder.join("callgrind");
            command
                .args(["-q", "--tool=callgrind", "--separate-threads=yes", "--fair-sched=yes"])
                .args(["--cache-sim=yes", "--simulate-wb=yes", "--D1=32768,8,64"])
                .arg(format!("--LL={SECOND_LEVEL_BYTES},16,64"))
                .arg(format!("--callgrind-out-file={}", out.display()))
                .arg(itself);
            command
        }
    };
    command.env(CHILD, run.words());
    command
}

fn output(mut command: Command) -> Told {
    let output = command.output().expect("the child starts (is valgrind installed?)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    told(&String::from_utf8(output.stdout).unwrap())
}

/// What callgrind counted for a thread.
fn cost(folder: &Path, thread: usize) -> Cost {
    let text = std::fs::read_to_string(folder.join(format!("callgrind-{thread:02}"))).unwrap();
    let line = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} of thread {thread}")).split_whitespace()
    };
    let numbers = line("totals:").map(|number| number.parse::<f64>().unwrap());
    let counted: Vec<(&str, f64)> = line("events:").zip(numbers).collect();
    let sum = |names: &[&str]| {
        counted.iter().filter(|(name, _)| names.contains(name)).map(|(_, count)| count).sum()
    };
    Cost {
        instructions: sum(&["Ir"]),
        lines: sum(&["DLmr", "DLmw"]),
        written_back: sum(&["DLdmr", "DLdmw"]),
    }
}

/// The variable that makes this program a child.
pub(crate) const CHILD: &str = "SCALING_BENCH_CHILD";
/// As of a server's core; what is fetched from beyond it comes from the shared cache or from memory.
pub(crate) const SECOND_LEVEL_BYTES: usize = 1 << 20;
