//! Which captures are judged by which labels.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Labels, and the capture or the folder of captures that they speak of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pair {
    pub(crate) captures: PathBuf,
    pub(crate) labels: PathBuf,
}

/// Takes the arguments two by two; a folder alone stands for every pair in it.
///
/// In a folder, `labels.csv` speaks of the folder, any other `X.csv` of the capture `X.pcap` or
/// `X.pcapng` beside it.
pub(crate) fn of(paths: &[PathBuf]) -> anyhow::Result<Vec<Pair>> {
    if let [folder] = paths {
        return in_folder(folder);
    }
    let (pairs, rest) = paths.as_chunks::<2>();
    if let [odd] = rest {
        bail!(
            "{} has no labels: give CAPTURE and LABELS.csv in turn, or one folder",
            odd.display()
        );
    }
    Ok(pairs
        .iter()
        .map(|[captures, labels]| Pair { captures: captures.clone(), labels: labels.clone() })
        .collect())
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<Pair>> {
    let failed = || format!("read folder {}", folder.display());
    let mut tables = Vec::new();
    for entry in folder.read_dir().with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            tables.push(path);
        }
    }
    tables.sort();
    let mut pairs = Vec::new();
    for labels in tables {
        let beside = ["pcap", "pcapng"].map(|extension| labels.with_extension(extension));
        if let Some(captures) = beside.into_iter().find(|path| path.is_file()) {
            pairs.push(Pair { captures, labels });
        } else if labels.file_name().is_some_and(|name| name == "labels.csv") {
            pairs.push(Pair { captures: folder.to_owned(), labels });
        }
    }
    if pairs.is_empty() {
        bail!("{}: neither labels.csv nor a capture with its table X.csv", folder.display());
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{Pair, of};

    #[test]
    fn arguments_are_taken_two_by_two() {
        let paths = ["a.pcap", "a.csv", "b.pcap", "b.csv"].map(PathBuf::from);
        assert_eq!(of(&paths).unwrap().len(), 2);
        assert!(of(&paths[..3]).unwrap_err().to_string().contains("b.pcap"));
    }

    #[test]
    fn a_folder_stands_for_the_pairs_in_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x.csv", "x.pcap", "manifest.csv", "labels.csv", "y.pcap"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let path = |name: &str| folder.path().join(name);
        let expected = [
            Pair { captures: folder.path().to_owned(), labels: path("labels.csv") },
            Pair { captures: path("x.pcap"), labels: path("x.csv") },
        ];
        assert_eq!(of(&[folder.path().to_owned()]).unwrap(), expected);
    }
}
