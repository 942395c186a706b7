//! From an address to a stage of the road.
//!
//! Most of the turn is one function by the time the compiler is done, so functions say little.
//! The debugger's tables name, for every instruction, the chain of functions that were put into
//! each other; it belongs to the innermost of them that is ours.

use std::collections::HashMap;
use std::path::Path;

use anyhow::anyhow;

use crate::callgrind::Part;

/// Instructions by stage and by source file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    /// Source file, or library, and its instructions.
    pub(crate) files: HashMap<String, u64>,
}

impl Spent {
    /// All of them, but for the measuring itself.
    pub(crate) fn total(&self) -> u64 {
        let counts = |file: &&String| stage(file) != Some(MEASURING);
        self.files.iter().filter(|(file, _)| counts(file)).map(|(_, cost)| cost).sum()
    }

    /// Those of a stage.
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.files.iter().filter(|(file, _)| stage(file) == Some(name)).map(|(_, cost)| cost).sum()
    }

    /// Those of the files below a folder.
    pub(crate) fn below(&self, folder: &str) -> u64 {
        self.files.iter().filter(|(file, _)| file.starts_with(folder)).map(|(_, cost)| cost).sum()
    }
}

/// Finds the source of each address of a program.
pub(crate) struct Sources<'r> {
    root: &'r Path,
    program: String,
    loader: addr2line::Loader,
}

impl<'r> Sources<'r> {
    /// Opens a program built with line tables; `root` is where our sources lie.
    pub(crate) fn open(program: &Path, root: &'r Path) -> anyhow::Result<Self> {
        let loader = addr2line::Loader::new(program)
            .map_err(|error| anyhow!("read line tables of {}: {error}", program.display()))?;
        Ok(Self { root, program: program.display().to_string(), loader })
    }

    /// Adds up the addresses of a thread by source file.
    pub(crate) fn spent(&self, part: &Part) -> Spent {
        let mut spent = Spent::default();
        for ((object, address), cost) in &part.places {
            let file = if *object == self.program {
                self.file(*address)
            } else {
                // libc is where memory is copied and compared.
                Path::new(object).file_name().unwrap_or_default().to_string_lossy().into_owned()
            };
            *spent.files.entry(file).or_default() += cost;
        }
        spent
    }

    fn file(&self, address: u64) -> String {
        let mut outermost = "unknown".to_owned();
        let Ok(mut frames) = self.loader.find_frames(address) else { return outermost };
        while let Ok(Some(frame)) = frames.next() {
            let Some(file) = frame.location.and_then(|location| location.file) else { continue };
            let relative = Path::new(file).strip_prefix(self.root);
            match relative {
                Ok(ours) => return ours.display().to_string(),
                Err(_) => outermost = library(file),
            }
        }
        outermost
    }
}

/// `hashbrown` of `/registry/src/index/hashbrown-0.17.1/src/raw.rs`, `std` of the toolchain's own.
fn library(file: &str) -> String {
    let Some((_, path)) = file.split_once("/registry/src/") else { return "std".to_owned() };
    let folder = path.split('/').nth(1).unwrap_or_default();
    folder.rsplit_once('-').map_or(folder, |(name, _)| name).to_owned()
}

/// The stages, in the order of the road: a name, and what the paths of their files begin with. A
/// file belongs to the first that fits.
const STAGES: [(&str, &[&str]); 11] = [
    (MEASURING, &["benches/"]),
    (
        "turn",
        &[
            "pipeline/src/worker",
            "pipeline/src/shard",
            "pipeline/src/batch",
            "pipeline/src/deed",
            "pipeline/src/source",
            "pipeline/src/tap/sampler",
            "pipeline/src/untangle",
            "pipeline/src/trail/mod",
            "pipeline/src/trail/ring",
        ],
    ),
    ("parse", &["wire/"]),
    (
        "key and look-up",
        &["flowtable/src/key", "flowtable/src/table", "flowtable/src/set", "foldhash"],
    ),
    (
        "segment",
        &[
            "flowtable/src/segment",
            "flowtable/src/plain",
            "flowtable/src/payload",
            "flowtable/src/stack",
            "flowtable/src/tls_record",
        ],
    ),
    ("watch", &["flowtable/src/watch", "flowtable/src/aftermath"]),
    ("observe", &["flowtable/"]),
    ("context", &["classifiers/src/context"]),
    ("judge", &["classifiers/"]),
    ("windows, names, events", &["pipeline/", "events/"]),
    ("copies and libraries", &[""]),
];

const MEASURING: &str = "measuring";

/// Stages that cost a thread something, in the order of the road.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    STAGES.iter().map(|(name, _)| *name).filter(|name| *name != MEASURING)
}

pub(crate) fn stage(file: &str) -> Option<&'static str> {
    let fits = |begins: &&[&str]| begins.iter().any(|begin| file.starts_with(begin));
    STAGES.iter().find(|(_, begins)| fits(begins)).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_stage() {
        assert_eq!(stage("wire/src/ip.rs"), Some("parse"));
        assert_eq!(stage("flowtable/src/record/observe.rs"), Some("observe"));
        assert_eq!(stage("classifiers/src/context/burst.rs"), Some("context"));
        assert_eq!(stage("classifiers/src/judge.rs"), Some("judge"));
        assert_eq!(stage("libc.so.6"), Some("copies and libraries"));
    }

    #[test]
    fn libraries_are_named_without_their_versions() {
        let path =
            "/root/.cargo/registry/src/index.crates.io-1949/crossbeam-channel-0.5.17/src/a.rs";
        assert_eq!(library(path), "crossbeam-channel");
        assert_eq!(library("/rustc/0123/library/core/src/num/mod.rs"), "std");
    }
}
