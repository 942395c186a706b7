//! How far files were read, in one small file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::tail::Position;

/// Positions by path; written whole and renamed, so that it is never half there.
#[derive(Debug)]
pub(super) struct Positions {
    path: PathBuf,
    kept: BTreeMap<PathBuf, Position>,
}

impl Positions {
    /// What was kept; nothing if that is not there or cannot be read.
    pub(super) fn load(directory: &Path) -> Self {
        let path = directory.join("positions.json");
        let kept = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!("{}: {error}; files are followed from their ends", path.display());
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { path, kept }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn of(&self, path: &Path) -> Option<Position> {
        self.kept.get(path).cloned()
    }

    /// Keeps them if they have changed.
    pub(super) fn keep(&mut self, now: BTreeMap<PathBuf, Position>) -> io::Result<()> {
        if now == self.kept {
            return Ok(());
        }
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let beside = self.path.with_extension("new");
        fs::write(&beside, serde_json::to_vec(&now)?)?;
        fs::rename(&beside, &self.path)?;
        self.kept = now;
        Ok(())
    }
}
