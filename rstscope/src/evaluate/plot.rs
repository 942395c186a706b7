//! The reliability diagrams as a picture (SVG).

use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::reliability::{Bin, Reliability};

/// Draws the diagrams side by side: above, the share that was right over the stated confidence,
/// with the diagonal of perfect calibration; below, how many verdicts each bin holds.
pub(crate) fn write(path: &Path, diagrams: &[Reliability]) -> anyhow::Result<()> {
    let width = PANEL_WIDTH * u32::try_from(diagrams.len())?.max(1);
    let root = SVGBackend::new(path, (width, HEIGHT)).into_drawing_area();
    draw(&root, diagrams).map_err(|error| anyhow!("{error}"))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), Box<dyn std::error::Error + 'a>>;

fn draw<'a>(root: &Area<'a>, diagrams: &[Reliability]) -> Drawn<'a> {
    root.fill(&WHITE)?;
    let panels = root.split_evenly((1, diagrams.len().max(1)));
    for (panel, diagram) in panels.iter().zip(diagrams) {
        let (above, below) = panel.split_vertically(HEIGHT * 7 / 10);
        draw_shares(&above, diagram)?;
        draw_counts(&below, diagram)?;
    }
    root.present()?;
    Ok(())
}

fn draw_shares<'a>(area: &Area<'a>, diagram: &Reliability) -> Drawn<'a> {
    let caption = format!(
        "{}: ECE {:.3}, {} verdicts",
        diagram.title, diagram.expected_calibration_error, diagram.rows
    );
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 17))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_desc("stated")
        .y_desc("right")
        .x_labels(11)
        .y_labels(11)
        .label_style((FONT, 13))
        .light_line_style(TRANSPARENT)
        .draw()?;
    chart.draw_series(diagram.bins.iter().map(|bin| {
        let (from, to) = (bin.from + GAP, bin.to - GAP);
        Rectangle::new([(from, 0.0), (to, bin.right)], BLUE.mix(0.25).filled())
    }))?;
    chart.draw_series([PathElement::new([(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.5))])?;
    // From where the bin ends to where it should: the gap that the error adds up.
    chart.draw_series(diagram.bins.iter().map(|bin| {
        let gap = [(bin.stated, bin.right), (bin.stated, bin.stated)];
        PathElement::new(gap, RED.stroke_width(2))
    }))?;
    chart.draw_series(
        diagram.bins.iter().map(|bin| Circle::new((bin.stated, bin.right), 4, BLUE.filled())),
    )?;
    Ok(())
}

fn draw_counts<'a>(area: &Area<'a>, diagram: &Reliability) -> Drawn<'a> {
    let most = diagram.bins.iter().map(|bin| bin.rows).max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..1.0, 0.0..log_rows(most) * 1.15)?;
    chart
        .configure_mesh()
        .x_desc("verdicts by stated confidence (height: logarithm)")
        .x_labels(11)
        .disable_y_mesh()
        .disable_y_axis()
        .label_style((FONT, 13))
        .light_line_style(TRANSPARENT)
        .draw()?;
    chart.draw_series(diagram.bins.iter().map(|bin| {
        let top = log_rows(bin.rows);
        Rectangle::new([(bin.from + GAP, 0.0), (bin.to - GAP, top)], BLUE.mix(0.5).filled())
    }))?;
    chart.draw_series(diagram.bins.iter().map(|bin| {
        let style = (FONT, 13).into_font().color(&BLACK);
        let place = (bin.from + GAP, log_rows(bin.rows) + log_rows(most) * 0.13);
        Text::new(count_text(bin), place, style)
    }))?;
    Ok(())
}

fn count_text(bin: &Bin) -> String {
    bin.rows.to_string()
}

/// A few verdicts must still be seen beside thousands.
fn log_rows(rows: u64) -> f64 {
    (rows as f64 + 1.0).log10()
}

const PANEL_WIDTH: u32 = 460;
const HEIGHT: u32 = 560;
const FONT: &str = "sans-serif";
/// Half the space between two bars.
const GAP: f64 = 0.006;

#[cfg(test)]
mod tests {
    use super::write;
    use crate::evaluate::Reliability;

    #[test]
    fn the_picture_tells_the_error_and_every_bin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.svg");
        let points = [(0.9, true), (0.95, false), (0.3, true)];
        write(&path, &[Reliability::of("origin", &points), Reliability::of("cause", &[])]).unwrap();
        let picture = std::fs::read_to_string(path).unwrap();
        assert!(picture.starts_with("<svg") && picture.contains("origin: ECE"));
        assert!(picture.contains("cause: ECE 0.000, 0 verdicts"));
        assert_eq!(picture.matches("<circle").count(), 2);
    }
}
