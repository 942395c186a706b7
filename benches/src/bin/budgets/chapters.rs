//! What the counts say, as tables.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::Context as _;

use crate::book::{Book, Chapter};
use crate::callgrind;
use crate::count::{Counted, Counts};
use crate::stages;

/// Every table.
pub(crate) fn book(counts: &Counts) -> anyhow::Result<Book> {
    let chapters = vec![
        turn(counts),
        compositions(counts),
        stages_of(counts)?,
        reset(counts)?,
        evidence(counts)?,
        context(counts)?,
        walk(counts),
        memory(counts)?,
    ];
    Ok(Book { made_with: made_with()?, chapters })
}

fn made_with() -> anyhow::Result<String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-V").output().context("start rustc")?;
    let rustc = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let valgrind = callgrind::version().map_err(anyhow::Error::msg)?;
    let vectors = if has_avx2() { "with AVX2" } else { "without AVX2" };
    Ok(format!("{rustc}; {valgrind}; {} {vectors}", std::env::consts::ARCH))
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

fn turn(counts: &Counts) -> Chapter {
    let row = |counted: &Counted| {
        let worker = counted.per_packet(counted.worker.total());
        let exporter = counted.exporter.total() as f64 / counted.exporter_frames;
        (counted.case.name.to_owned(), vec![worker, exporter])
    };
    Chapter {
        title: "Whole turn".to_owned(),
        text: "Instructions a packet. 20,000 flows, a table of 65,536 slots and 2 % resets where \
               nothing else is\nsaid; `with events` makes every event, all others only count, as \
               `read --summary` does;\n`packets kept` remembers the last packets of all connections. \
               Counts say nothing of cache misses: for those see \
               `cargo bench -p benches --bench tables`."
            .to_owned(),
        columns: columns(&["case", "worker", "exporter"]),
        rows: counts.cases.iter().map(row).collect(),
        is_budget: true,
        leeway: 0.0,
    }
}

fn compositions(counts: &Counts) -> Chapter {
    let row = |counted: &Counted| {
        let shares = counted.composition.shares().into_iter().map(|(_, share)| share);
        let told = |name: &str| counted.told.get(name).copied().unwrap_or_default();
        let lost = counted.told.iter().filter(|(name, _)| name.starts_with("lost "));
        let lost = lost.map(|(_, count)| count).sum::<f64>();
        let more = [counted.resets, told("flows"), lost];
        (counted.case.name.to_owned(), shares.chain(more).collect())
    };
    let first = counts.cases.first();
    let sorts = first.map_or_else(Vec::new, |counted| {
        counted.composition.shares().into_iter().map(|(name, _)| format!("{name} %")).collect()
    });
    let more = columns(&["resets told", "flows open at the end", "lost"]);
    Chapter {
        title: "What the cases consist of".to_owned(),
        text: "Per cent of the packets after the warm-up; and, of the whole run, what the sensor \
               says of it. Lost is\nthe sum of everything that the report names as a loss, flows \
               that found no place above all."
            .to_owned(),
        columns: columns(&["case"]).into_iter().chain(sorts).chain(more).collect(),
        rows: counts.cases.iter().map(row).collect(),
        is_budget: false,
        leeway: 0.0,
    }
}

fn stages_of(counts: &Counts) -> anyhow::Result<Chapter> {
    let cases =
        STAGES_OF.iter().map(|name| counts.case(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let row = |stage: &'static str| {
        let cost = |counted: &&Counted| counted.per_packet(counted.worker.of(stage));
        (stage.to_owned(), cases.iter().map(cost).collect::<Vec<f64>>())
    };
    Ok(Chapter {
        title: "Stages of the worker".to_owned(),
        text: "Instructions a packet, by the source file that the innermost inlined function of \
               ours is in;\n`stages.rs` says which files are which stage."
            .to_owned(),
        columns: columns(&["stage"]).into_iter().chain(columns(&STAGES_OF)).collect(),
        rows: stages::names()
            .map(row)
            .filter(|(_, costs)| costs.iter().any(|c| *c > 0.0))
            .collect(),
        is_budget: true,
        leeway: 5.0,
    })
}

fn reset(counts: &Counts) -> anyhow::Result<Chapter> {
    let (with, without) = (counts.case("small, 5 % resets")?, counts.case("small, no resets")?);
    let share = with.composition.rst as f64 / with.composition.frames() as f64;
    let by = |of: &dyn Fn(&Counted) -> [f64; 2]| {
        let ([worker, exporter], [worker_0, exporter_0]) = (of(with), of(without));
        let resets = with.resets / with.exporter_frames;
        vec![(worker - worker_0).max(0.0) / share, (exporter - exporter_0).max(0.0) / resets]
    };
    let total = |counted: &Counted| {
        let exporter = counted.exporter.total() as f64 / counted.exporter_frames;
        [counted.per_packet(counted.worker.total()), exporter]
    };
    let stage = |stage: &'static str| {
        let cost = move |counted: &Counted| {
            let exporter = counted.exporter.of(stage) as f64 / counted.exporter_frames;
            [counted.per_packet(counted.worker.of(stage)), exporter]
        };
        (stage.to_owned(), by(&cost))
    };
    let parts = stages::names().map(stage).filter(|(_, costs)| costs.iter().any(|c| *c >= 1.0));
    Ok(Chapter {
        title: "What a reset costs".to_owned(),
        text: "Instructions a reset: `small, 5 % resets` less `small, no resets`, by the share of \
               resets. The worker\njudges it and watches what follows, the exporter asks other \
               connections and judges it again."
            .to_owned(),
        columns: columns(&["stage", "worker", "exporter"]),
        rows: [("all".to_owned(), by(&total))].into_iter().chain(parts).collect(),
        is_budget: true,
        leeway: 0.0,
    })
}

/// The folder or file that a path below `folder` is in, without its ending.
fn piece<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let within = path.strip_prefix(folder)?;
    let piece = within.split('/').next().unwrap_or(within);
    Some(piece.trim_end_matches(".rs"))
}

fn pieces<'c>(counted: &'c Counted, folder: &str) -> BTreeSet<&'c str> {
    let files = counted.worker.files.keys().chain(counted.exporter.files.keys());
    files.filter_map(|file| piece(file, folder)).collect()
}

fn pieces_by_reset(counted: &Counted, folder: &str, name: &str) -> Vec<(String, Vec<f64>)> {
    let row = |piece: &str| {
        let cost = |spent: &stages::Spent| {
            spent.below(&format!("{folder}{piece}.rs")) + spent.below(&format!("{folder}{piece}/"))
        };
        let exporter = cost(&counted.exporter) as f64 / counted.resets;
        (format!("{name}{piece}"), vec![counted.per_reset(cost(&counted.worker)), exporter])
    };
    pieces(counted, folder).into_iter().map(row).collect()
}

fn evidence(counts: &Counts) -> anyhow::Result<Chapter> {
    let counted = counts.case("small, 5 % resets")?;
    let clues = pieces_by_reset(counted, "classifiers/src/clues/", "clue: ");
    let parts = pieces_by_reset(counted, "classifiers/src/", "");
    let parts = parts.into_iter().filter(|(name, _)| name != "context" && name != "clues");
    Ok(Chapter {
        title: "Each evidence".to_owned(),
        text: "Instructions a reset of `small, 5 % resets`: the code of each clue, and of what \
               else a verdict is made\nof, with what was inlined from outside our sources."
            .to_owned(),
        columns: columns(&["part", "worker", "exporter"]),
        rows: clues.into_iter().chain(parts).collect(),
        is_budget: false,
        leeway: 0.0,
    })
}

fn context(counts: &Counts) -> anyhow::Result<Chapter> {
    let counted = counts.case("small, 5 % resets")?;
    let mut rows = pieces_by_reset(counted, "classifiers/src/context/", "");
    // The worker asks none of them.
    rows.iter_mut().for_each(|(_, costs)| costs.reverse());
    rows.iter_mut().for_each(|(_, costs)| costs.truncate(1));
    Ok(Chapter {
        title: "Each table of the context".to_owned(),
        text: "Instructions of the exporter a reset of `small, 5 % resets`; notes of connections \
               without resets are in it."
            .to_owned(),
        columns: columns(&["table", "exporter"]),
        rows,
        is_budget: false,
        leeway: 0.0,
    })
}

fn walk(counts: &Counts) -> Chapter {
    let row = |counted: &Counted| Some((counted.case.name.to_owned(), vec![counted.walk?]));
    Chapter {
        title: "Walk of a capture".to_owned(),
        text: "Instructions a packet to lend the frames of a pcap file, all threads; not part of \
               the turn above."
            .to_owned(),
        columns: columns(&["capture", "walk"]),
        rows: counts.cases.iter().filter_map(row).collect(),
        is_budget: true,
        leeway: 0.0,
    }
}

fn memory(counts: &Counts) -> anyhow::Result<Chapter> {
    let counted = counts.case("small, 1 M flows, 2 M slots")?;
    let slots = counted.case.slots as f64;
    let item = |(name, bytes): (&String, &f64)| {
        // The frames of the measuring are no part of the sensor.
        let name = name.strip_prefix("bytes of ").filter(|name| *name != "capture buffers")?;
        Some((name.to_owned(), vec![bytes / slots, bytes / f64::from(1 << 20)]))
    };
    let mut rows: Vec<(String, Vec<f64>)> = counted.told.iter().filter_map(item).collect();
    rows.sort_by(|(_, a), (_, b)| b[0].total_cmp(&a[0]));
    Ok(Chapter {
        title: "Memory".to_owned(),
        text: format!("Of a table of {slots} flow slots; only the flow table grows with it."),
        columns: columns(&["what", "bytes a flow slot", "MiB"]),
        rows,
        is_budget: true,
        leeway: 0.0,
    })
}

impl Counts {
    fn case(&self, name: &str) -> anyhow::Result<&Counted> {
        let found = self.cases.iter().find(|counted| counted.case.name == name);
        found.with_context(|| format!("case {name:?} was not counted"))
    }
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Cases whose stages are told apart.
const STAGES_OF: [&str; 7] =
    ["small, no resets", "small", "imix, no resets", "vxlan", "ipv6", "churn", "syn-flood"];
