//! Small files of `/proc` and `/sys`, which a test may lay out elsewhere.

use std::fs;
use std::path::PathBuf;

/// A root directory: `/`, or what a test made.
#[derive(Clone, Debug)]
pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    /// Those of the machine.
    pub(super) fn of_machine() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// The contents without white space around them; nothing where there is no such file.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok().map(|text| text.trim().to_owned())
    }

    /// The contents as a number.
    pub(super) fn number<N: std::str::FromStr>(&self, path: &str) -> Option<N> {
        self.text(path)?.parse().ok()
    }

    /// Whether there is such a file or directory.
    pub(super) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Names in a directory that begin with `prefix` and go on with a number, by that number.
    pub(super) fn numbered(&self, path: &str, prefix: &str) -> Vec<(u32, String)> {
        let Ok(entries) = fs::read_dir(self.root.join(path)) else { return Vec::new() };
        let mut names: Vec<(u32, String)> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| Some((name.strip_prefix(prefix)?.parse().ok()?, name)))
            .collect();
        names.sort();
        names
    }

    /// A root that holds these files.
    #[cfg(test)]
    pub(super) fn made_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Self) {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        for (path, text) in files {
            let path = root.path().join(path);
            let folder = path.parent().expect("a file lies in a folder");
            fs::create_dir_all(folder).expect("a folder can be made");
            fs::write(path, text).expect("a file can be written");
        }
        let files = Self { root: root.path().to_owned() };
        (root, files)
    }
}
