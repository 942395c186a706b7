//! A table: drawn as narrow as it can be, or as CSV.

use events::{ServerRange, UtcTime};

/// Rows under a heading.
pub(super) struct Sheet {
    pub(super) title: String,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Sheet {
    pub(super) fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        Self { title: title.into(), columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Lines of at most `width` columns: what is too long is cut in the last column, then in the widest.
    pub(super) fn draw(&self, width: usize) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|name| name.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let gaps = GAP * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let Some(widest) = widths.iter_mut().max_by_key(|width| **width) else { break };
            if *widest <= WIDTH_LEAST {
                break;
            }
            *widest -= 1;
        }
        let mut text =
            if self.title.is_empty() { String::new() } else { format!("{}\n", self.title) };
        let heads: Vec<String> = self.columns.iter().map(|name| name.to_uppercase()).collect();
        for row in std::iter::once(&heads).chain(&self.rows) {
            let cells = row.iter().zip(&widths).enumerate().map(|(place, (cell, width))| {
                let cell = cut(cell, *width);
                let room = " ".repeat(width - cell.chars().count());
                if self.is_number(place) { room + &cell } else { cell + &room }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn is_number(&self, place: usize) -> bool {
        let mut cells =
            self.rows.iter().filter_map(|row| row.get(place)).filter(|cell| !cell.is_empty());
        let is_number =
            |cell: &String| cell.bytes().all(|b| b.is_ascii_digit() || b".,% ".contains(&b));
        !self.rows.is_empty() && cells.all(is_number)
    }

    /// The same for programs: a header, then a line a row.
    ///
    /// # Errors
    /// None that can happen in memory.
    pub(super) fn csv(&self) -> anyhow::Result<String> {
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(&self.columns)?;
        for row in &self.rows {
            out.write_record(row)?;
        }
        Ok(String::from_utf8(out.into_inner()?)?)
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A server as people write it.
pub(super) fn server(server: ServerRange) -> String {
    match (server.port, server.prefix) {
        (Some(port), _) => std::net::SocketAddr::new(server.ip, port).to_string(),
        (None, Some(bits)) => format!("{}/{bits}", server.ip),
        (None, None) => server.ip.to_string(),
    }
}

/// To the second, in UTC.
pub(super) fn time(time: UtcTime) -> String {
    time.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

const GAP: usize = 2;
const WIDTH_LEAST: usize = 6;

#[cfg(test)]
mod tests {
    use super::Sheet;

    #[test]
    fn a_table_is_cut_where_it_is_widest_and_numbers_stand_right() {
        let mut sheet = Sheet::new("Title", &["name", "count"]);
        sheet.rows.push(vec!["a rather long name".into(), "7".into()]);
        sheet.rows.push(vec!["b".into(), "1,200".into()]);
        assert_eq!(
            sheet.draw(18),
            "Title\nNAME         COUNT\na rather l…      7\nb            1,200\n"
        );
        assert_eq!(sheet.csv().unwrap(), "name,count\na rather long name,7\nb,\"1,200\"\n");
    }
}
