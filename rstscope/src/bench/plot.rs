//! What `bench core` measured, as a picture (SVG).

use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::report::{LINKS, Measured, Point, Report, Sweep, line_rate_mpps};

/// Draws packets against connections, packets against size and bits against size, side by side,
/// each with the links that one core would fill.
pub(super) fn write(path: &Path, report: &Report) -> anyhow::Result<()> {
    let root = SVGBackend::new(path, (3 * PANEL_WIDTH, HEIGHT)).into_drawing_area();
    draw(&root, report).map_err(|error| anyhow!("{error}"))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), Box<dyn std::error::Error + 'a>>;

/// What a panel shows.
struct Panel<'p> {
    title: &'static str,
    x_title: &'static str,
    y_title: &'static str,
    /// Of a point, its place on the x axis.
    x: fn(&Point) -> f64,
    /// Of a measurement, lowest, median and highest round.
    y: fn(&Measured) -> [f64; 3],
    /// A link's rate at that point.
    link: fn(f64, &Measured) -> f64,
    points: Vec<&'p Point>,
}

fn draw<'a>(root: &Area<'a>, report: &Report) -> Drawn<'a> {
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(HEAD);
    let style = (FONT, 14).into_font();
    let title = "rstscope bench core: one worker on one core";
    head.draw(&Text::new(title, (14, 8), (FONT, 18).into_font()))?;
    head.draw(&Text::new(report.machine.line(), (14, 34), style.clone()))?;
    let resets = report.resets_percent;
    for (place, colour, text) in [
        (14, NO_RESETS, "no resets".to_owned()),
        (120, RESETS, format!("{resets} % resets")),
        (250, LINK, "a full link; bars: lowest and highest round".to_owned()),
    ] {
        head.draw(&Rectangle::new([(place, 58), (place + 18, 66)], colour.filled()))?;
        head.draw(&Text::new(text, (place + 24, 54), style.clone()))?;
    }
    let rates = |measured: &Measured| {
        let mpps = measured.mpps;
        [mpps.min, mpps.median, mpps.max]
    };
    let by_flows = Panel {
        title: "packets against connections (60 bytes)",
        x_title: "connections",
        y_title: "million packets a second",
        x: |point| point.flows as f64,
        y: rates,
        link: |gbps, measured| line_rate_mpps(gbps, measured.mean_len),
        points: report.of(Sweep::Flows).collect(),
    };
    let by_size = Panel {
        title: "packets against size",
        x_title: "bytes of a frame with data",
        x: |point| point.frame_len as f64,
        points: report.of(Sweep::Size).collect(),
        ..by_flows
    };
    let bits = Panel {
        title: "bits on the wire against size",
        y_title: "Gbit/s",
        y: |measured| {
            let bits = measured.gbps / measured.mpps.median.max(1e-9);
            [measured.mpps.min * bits, measured.gbps, measured.mpps.max * bits]
        },
        link: |gbps, _| gbps,
        points: report.of(Sweep::Size).collect(),
        ..by_size
    };
    let panels = body.split_evenly((1, 3));
    for (area, panel) in panels.iter().zip([&by_flows, &by_size, &bits]) {
        if !panel.points.is_empty() {
            panel.draw(area)?;
        }
    }
    root.present()?;
    Ok(())
}

impl Panel<'_> {
    /// Both axes logarithmic: connections and links lie orders of magnitude apart.
    fn draw<'a>(&self, area: &Area<'a>) -> Drawn<'a> {
        let (x, y) = (self.x_range(), self.y_range());
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, (FONT, 16))
            .margin(12)
            .margin_right(28)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())?;
        chart
            .configure_mesh()
            .x_desc(self.x_title)
            .y_desc(self.y_title)
            .x_label_formatter(&|x| short(*x))
            .y_label_formatter(&|y| short(*y))
            .x_labels(5)
            .label_style((FONT, 12))
            .bold_line_style(BLACK.mix(0.07))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for link in LINKS {
            let rate = |point: &Point| (self.link)(link, &point.with_resets);
            let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else {
                continue;
            };
            let inner = self.points.iter().map(|point| ((self.x)(point), rate(point)));
            let line: Vec<(f64, f64)> =
                [(x.0, rate(first))].into_iter().chain(inner).chain([(x.1, rate(last))]).collect();
            chart.draw_series([PathElement::new(line, LINK.stroke_width(1))])?;
            let style = (FONT, 11).into_font().color(&LINK);
            let place = (x.0 * 1.03, rate(first) * 1.18);
            chart.draw_series([Text::new(format!("{link:.0} GbE"), place, style)])?;
        }
        for (colour, measured) in
            [(NO_RESETS, without_resets as fn(&Point) -> &Measured), (RESETS, with_resets)]
        {
            let rates: Vec<(f64, [f64; 3])> = self
                .points
                .iter()
                .map(|point| ((self.x)(point), (self.y)(measured(point))))
                .collect();
            let medians = rates.iter().map(|&(x, [_, median, _])| (x, median));
            chart.draw_series([PathElement::new(
                medians.clone().collect::<Vec<_>>(),
                colour.stroke_width(2),
            )])?;
            chart.draw_series(rates.iter().map(|&(x, [min, _, max])| {
                PathElement::new([(x, min), (x, max)], colour.stroke_width(3))
            }))?;
            chart.draw_series(medians.map(|at| Circle::new(at, 4, colour.filled())))?;
        }
        Ok(())
    }

    /// A little more than the points take.
    fn x_range(&self) -> (f64, f64) {
        let x = || self.points.iter().map(|point| (self.x)(point));
        (x().fold(f64::MAX, f64::min) / 1.3, x().fold(0.0, f64::max) * 1.3)
    }

    /// Room for all rounds and all links.
    fn y_range(&self) -> (f64, f64) {
        let rates = self.points.iter().flat_map(|point| {
            let both = [&point.without_resets, &point.with_resets];
            let links = LINKS.map(|link| (self.link)(link, &point.with_resets));
            both.into_iter().flat_map(|measured| (self.y)(measured)).chain(links)
        });
        let (lowest, highest) = rates
            .filter(|rate| *rate > 0.0)
            .fold((f64::MAX, 0.0_f64), |(low, high), rate| (low.min(rate), high.max(rate)));
        (lowest / 1.3, highest * 1.5)
    }
}

fn without_resets(point: &Point) -> &Measured {
    &point.without_resets
}

fn with_resets(point: &Point) -> &Measured {
    &point.with_resets
}

/// `65536` as `66 k`: decimal, since labels lie at powers of ten.
fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{:.0} M", value / 1e6),
        1e4.. => format!("{:.0} k", value / 1e3),
        1.0.. => format!("{value:.0}"),
        _ => format!("{value}"),
    }
}

const PANEL_WIDTH: u32 = 470;
const HEAD: u32 = 84;
const HEIGHT: u32 = 520;
const FONT: &str = "sans-serif";
const NO_RESETS: RGBColor = RGBColor(31, 119, 180);
const RESETS: RGBColor = RGBColor(214, 39, 40);
const LINK: RGBColor = RGBColor(120, 120, 120);
