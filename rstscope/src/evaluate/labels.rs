//! The file of labels: which frame of which capture holds a reset, by whom and why.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use classifiers::{Cause, Origin};

use super::classes::{self, Expected};

/// One labelled reset.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    /// Capture, as the labels name it.
    pub(crate) file: String,
    /// 1-based number of the reset in it.
    pub(crate) frame: u64,
    /// Who; `None` is not judged.
    pub(crate) origin: Option<Expected<Origin>>,
    /// Why; `None` is not judged.
    pub(crate) cause: Option<Expected<Cause>>,
    /// Resets of one family were made in one way: the scenario, else the cause, else the capture.
    pub(crate) family: String,
    /// What else the file says of it.
    pub(crate) note: String,
}

/// Reads CSV with the columns `file`, `frame` and any of `origin`, `cause`, `cause_class`.
///
/// Other names for the same: `first_rst_frame` for `frame`, `sender` for `origin`. Where there is a
/// `cause_class`, `cause` is taken for a remark. Rows without a frame speak of connections without
/// a reset and are left out, and so are rows whose `confidence` is another than the one asked for.
pub(crate) fn read(path: &Path, confidence: Option<&str>) -> anyhow::Result<Vec<Label>> {
    let mut reader =
        csv::Reader::from_path(path).with_context(|| format!("open labels {}", path.display()))?;
    let header = reader.headers().with_context(|| format!("read {}", path.display()))?.clone();
    let columns: HashMap<&str, usize> =
        header.iter().enumerate().map(|(index, name)| (name.trim(), index)).collect();
    let column = |names: &[&str]| names.iter().find_map(|name| columns.get(name).copied());
    let (file, frame) = (column(&["file"]), column(&["frame", "first_rst_frame"]));
    let (Some(file), Some(frame)) = (file, frame) else {
        bail!("{}: needs the columns file and frame", path.display());
    };
    let origin = column(&["origin", "sender"]);
    let (cause, class) = (column(&["cause"]), column(&["cause_class"]));
    let scenario = column(&["scenario"]);
    let notes = [scenario, class.and(cause), column(&["evidence", "description"])];
    let sure = column(&["confidence"]);

    let mut labels = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("read {}", path.display()))?;
        let cell =
            |column: Option<usize>| column.and_then(|at| record.get(at)).unwrap_or("").trim();
        let is_wanted = confidence.is_none_or(|wanted| cell(sure) == wanted);
        if !is_wanted || cell(Some(frame)).is_empty() {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let place = || format!("{} line {line}", path.display());
        let family = [cell(scenario), cell(class.or(cause)), cell(Some(file))];
        labels.push(Label {
            family: family.into_iter().find(|name| !name.is_empty()).unwrap_or("").to_owned(),
            file: cell(Some(file)).to_owned(),
            frame: cell(Some(frame))
                .parse()
                .with_context(|| format!("{}: frame {:?}", place(), cell(Some(frame))))?,
            origin: classes::origin(cell(origin))
                .map_err(anyhow::Error::msg)
                .with_context(place)?,
            cause: match class {
                Some(_) => classes::cause_class(cell(class)),
                None => classes::cause(cell(cause)),
            }
            .map_err(anyhow::Error::msg)
            .with_context(place)?,
            note: notes
                .map(cell)
                .into_iter()
                .filter(|note| !note.is_empty())
                .collect::<Vec<_>>()
                .join("; "),
        });
    }
    Ok(labels)
}
