//! Draws figures as SVG. Names and numbers in, a picture out; what is drawn is the caller's to choose.

use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;
use plotters::coord::ranged1d::SegmentValue;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// One bar of a picture of bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it stands for.
    pub name: String,
    /// Its length; not negative.
    pub value: f64,
    /// What is written at its end.
    pub label: String,
    /// Whose it is, which chooses its colour.
    pub side: Side,
}

/// Whose figure a bar or a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A floor, which is no implementation.
    Floor,
    /// This project's.
    Ours,
    /// Anybody else's.
    Rival,
}

/// One line of a picture of curves.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it stands for.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Draws bars from the shortest to the longest. Those that are several times longer than most end at the edge of the picture,
/// with an arrow behind what is written.
///
/// # Errors
/// Fails when there is no bar, or the file cannot be written.
pub fn draw_bars(path: &Path, title: &str, axis: &str, mut bars: Vec<Bar>) -> anyhow::Result<()> {
    bars.sort_by(|a, b| a.value.total_cmp(&b.value));
    let quartile = bars.get(bars.len() / 4).context("there is nothing to draw")?.value;
    let longest = bars.last().map_or(0.0, |bar| bar.value);
    let end = longest.min(quartile * QUARTILES_MAX);
    let rows = i32::try_from(bars.len())?;
    let height = HEAD_PX + ROW_PX * u32::try_from(rows)?;

    let area = SVGBackend::new(path, (WIDTH_PX, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, font(20).into_text_style(&area))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(190)
        // Room for what is written behind the longest bar.
        // The last row of a segmented range is within it.
        .build_cartesian_2d(0.0..end * 1.18, (0..rows - 1).into_segmented())?;
    let name = |row: &SegmentValue<i32>| match row {
        // The first bar is at the top.
        SegmentValue::CenterOf(row) | SegmentValue::Exact(row) => usize::try_from(rows - 1 - row)
            .ok()
            .and_then(|index| bars.get(index))
            .map_or(String::new(), |bar| bar.name.clone()),
        SegmentValue::Last => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_desc(axis)
        .x_labels(9)
        .y_labels(bars.len())
        .y_label_formatter(&name)
        .label_style(font(14))
        .draw()?;
    for (row, bar) in (0..rows).rev().zip(&bars) {
        let shown = bar.value.min(end);
        let corners = [(0.0, SegmentValue::Exact(row)), (shown, SegmentValue::Exact(row + 1))];
        let mut rectangle = Rectangle::new(corners, bar.side.colour().filled());
        rectangle.set_margin(4, 4, 0, 0);
        chart.draw_series([rectangle])?;
        let label = if bar.value > end { format!("{} ►", bar.label) } else { bar.label.clone() };
        let style = font(13).into_text_style(&area).pos(Pos::new(HPos::Left, VPos::Center));
        let at = EmptyElement::at((shown, SegmentValue::CenterOf(row)));
        chart.draw_series([at + Text::new(label, (6, 0), style)])?;
    }
    area.present().with_context(|| format!("writing {}", path.display()))
}

/// Draws curves with a legend; both axes are linear and begin at zero.
///
/// # Errors
/// Fails when there is no point, or the file cannot be written.
pub fn draw_lines(
    path: &Path,
    title: &str,
    axes: (&str, &str),
    lines: &[Line],
) -> anyhow::Result<()> {
    let points = || lines.iter().flat_map(|line| &line.points);
    anyhow::ensure!(points().next().is_some(), "there is nothing to draw");
    let range = |of: fn(&(f64, f64)) -> f64| -> Range<f64> {
        0.0..points().map(of).fold(0.0, f64::max).max(f64::MIN_POSITIVE) * 1.05
    };
    let area = SVGBackend::new(path, (WIDTH_PX, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, font(20).into_text_style(&area))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(range(|point| point.0), range(|point| point.1))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_desc(axes.0)
        .y_desc(axes.1)
        .label_style(font(14))
        .draw()?;
    for (index, line) in lines.iter().enumerate() {
        let style = Palette99::pick(index).stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style))?
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(font(13))
        .draw()?;
    area.present().with_context(|| format!("writing {}", path.display()))
}

impl Side {
    fn colour(self) -> RGBColor {
        match self {
            Self::Floor => RGBColor(160, 160, 160),
            Self::Ours => RGBColor(214, 93, 14),
            Self::Rival => RGBColor(69, 113, 163),
        }
    }
}

fn font(px: i32) -> FontDesc<'static> {
    ("sans-serif", px).into_font()
}

const WIDTH_PX: u32 = 900;
const HEAD_PX: u32 = 110;
const ROW_PX: u32 = 26;
/// A bar is cut when it is longer than so many times the one that a quarter of them stay below.
const QUARTILES_MAX: f64 = 4.0;
const GRID: RGBColor = RGBColor(221, 221, 221);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{Bar, Line, Side, draw_bars, draw_lines};

    #[test]
    fn a_bar_beyond_the_edge_is_marked_and_none_is_lost() -> anyhow::Result<()> {
        let bar = |name: &str, value: f64| Bar {
            name: name.to_owned(),
            value,
            label: format!("{value:.2}"),
            side: Side::Rival,
        };
        let bars = vec![bar("far", 20.0), bar("near", 1.25), bar("floor", 1.0)];
        let picture = drawn("bars", |path| draw_bars(path, "title", "axis", bars))?;
        for expected in ["far", "near", "floor", "1.00", "1.25", "20.00 ►", "title", "axis"] {
            assert!(picture.contains(expected), "{expected} in {picture}");
        }
        assert!(!picture.contains("1.25 ►"), "{picture}");
        Ok(())
    }

    #[test]
    fn every_line_is_in_the_legend() -> anyhow::Result<()> {
        let line = |name: &str, points| Line { name: name.to_owned(), points };
        let lines =
            [line("one", vec![(1.0, 2.0), (2.0, 3.0)]), line("two", vec![(1.0, 1.0), (2.0, 9.0)])];
        let picture = drawn("lines", |path| draw_lines(path, "title", ("across", "up"), &lines))?;
        for expected in ["one", "two", "title", "across", "up"] {
            assert!(picture.contains(expected), "{expected} in {picture}");
        }
        // Each once as a curve and once in the legend; axes and their marks are thinner.
        assert_eq!(picture.matches("stroke-width=\"2\"").count(), 4, "{picture}");
        Ok(())
    }

    #[test]
    fn nothing_is_not_drawn() {
        let nowhere = PathBuf::from("no-such-folder/none.svg");
        assert!(draw_bars(&nowhere, "title", "axis", Vec::new()).is_err());
        assert!(draw_lines(&nowhere, "title", ("across", "up"), &[]).is_err());
    }

    fn drawn(
        name: &str,
        draw: impl FnOnce(&std::path::Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<String> {
        let path = std::env::temp_dir().join(format!("plot-{}-{name}.svg", std::process::id()));
        draw(&path)?;
        let picture = fs::read_to_string(&path)?;
        fs::remove_file(&path)?;
        Ok(picture)
    }
}
