//! Draws figures as SVG. Names and numbers in, a picture out; what is drawn is the caller's to choose.

use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;
use plotters::coord::ranged1d::{AsRangedCoord, SegmentValue, ValueFormatter};
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
    /// Whose it is, which chooses its colour.
    pub side: Side,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// One axis of a picture of curves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis<'a> {
    /// What it counts.
    pub label: &'a str,
    /// How its marks are spaced.
    pub scale: Scale,
}

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps for equal differences, from zero on.
    Linear,
    /// Equal steps for equal ratios; what is shown must be above zero.
    Logarithmic,
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

/// Draws curves with a legend and a mark at each point.
///
/// # Errors
/// Fails when there is no point, one that is not above zero lies on a logarithmic axis, or the file cannot be written.
pub fn draw_lines(
    path: &Path,
    title: &str,
    across: Axis<'_>,
    up: Axis<'_>,
    lines: &[Line],
) -> anyhow::Result<()> {
    let points = || lines.iter().flat_map(|line| &line.points);
    anyhow::ensure!(points().next().is_some(), "there is nothing to draw");
    let (x, y) = (across.range(points().map(|it| it.0))?, up.range(points().map(|it| it.1))?);
    let picture = Picture { path, title, labels: (across.label, up.label), lines };
    match (across.scale, up.scale) {
        (Scale::Linear, Scale::Linear) => picture.draw(x, y),
        (Scale::Linear, Scale::Logarithmic) => picture.draw(x, y.log_scale()),
        (Scale::Logarithmic, Scale::Linear) => picture.draw(x.log_scale(), y),
        (Scale::Logarithmic, Scale::Logarithmic) => picture.draw(x.log_scale(), y.log_scale()),
    }
}

/// Everything of a picture of curves but its axes' kinds.
struct Picture<'a> {
    path: &'a Path,
    title: &'a str,
    labels: (&'a str, &'a str),
    lines: &'a [Line],
}

impl Picture<'_> {
    fn draw<X, Y>(self, x: X, y: Y) -> anyhow::Result<()>
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let Self { path, title, labels, lines } = self;
        let area = SVGBackend::new(path, (WIDTH_PX, 480)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, font(20).into_text_style(&area))
            .margin(12)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .x_desc(labels.0)
            .y_desc(labels.1)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .label_style(font(14))
            .draw()?;
        for (index, line) in lines.iter().enumerate() {
            // Lines of one side differ by their number among themselves.
            let before = lines[..index].iter().filter(|it| it.side == line.side).count();
            let colour = line.side.shade(before);
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(line.points.iter().copied(), style))?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
            let mark = |point: &(f64, f64)| Circle::new(*point, 3, colour.filled());
            chart.draw_series(line.points.iter().map(mark))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font(font(13))
            .draw()?;
        area.present().with_context(|| format!("writing {}", path.display()))
    }
}

impl Axis<'_> {
    /// Returns what an axis shows so that all `values` are on it.
    fn range(self, values: impl Iterator<Item = f64>) -> anyhow::Result<Range<f64>> {
        let (least, most) = values
            .fold((f64::INFINITY, 0.0), |(least, most), value| (value.min(least), value.max(most)));
        match self.scale {
            Scale::Linear => Ok(0.0..most.max(f64::MIN_POSITIVE) * 1.05),
            Scale::Logarithmic => {
                anyhow::ensure!(least > 0.0, "{least} has no place on a logarithmic axis");
                Ok(least / 1.2..most * 1.2)
            }
        }
    }
}

/// Writes a number of an axis with a unit of a thousand, a million or a thousand millions.
fn short(value: f64) -> String {
    let (unit, sign) = match value.abs() {
        1e9.. => (1e9, " G"),
        1e6.. => (1e6, " M"),
        1e4.. => (1e3, " k"),
        _ => (1.0, ""),
    };
    // Steps of an axis are no sums of powers of two.
    let rounded = (value / unit * 1e4).round() / 1e4;
    format!("{rounded}{sign}")
}

impl Side {
    fn colour(self) -> RGBColor {
        match self {
            Self::Floor => RGBColor(160, 160, 160),
            Self::Ours => RGBColor(214, 93, 14),
            Self::Rival => RGBColor(69, 113, 163),
        }
    }

    /// The colour, and for the second and third of a side a darker or another one.
    fn shade(self, index: usize) -> RGBColor {
        let others = match self {
            Self::Floor => [RGBColor(96, 96, 96), RGBColor(190, 174, 140)],
            Self::Ours => [RGBColor(157, 0, 6), RGBColor(230, 160, 40)],
            Self::Rival => [RGBColor(66, 123, 88), RGBColor(143, 63, 113)],
        };
        index.checked_sub(1).map_or(self.colour(), |index| others[index % others.len()])
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

    use super::{Axis, Bar, Line, Scale, Side, draw_bars, draw_lines, short};

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
    fn every_line_is_in_the_legend_and_every_point_is_marked() -> anyhow::Result<()> {
        let lines = [
            line("one", Side::Ours, &[(10.0, 0.2), (100.0, 3.0)]),
            line("two", Side::Rival, &[(10.0, 1.0), (20_000.0, 900.0), (3e6, 901.0)]),
            line("three", Side::Rival, &[(10.0, 1.0)]),
        ];
        for scales in [(Scale::Logarithmic, Scale::Linear), (Scale::Linear, Scale::Logarithmic)] {
            let (across, up) = (axis("across", scales.0), axis("up", scales.1));
            let name = format!("lines-{scales:?}");
            let picture = drawn(&name, |path| draw_lines(path, "title", across, up, &lines))?;
            for expected in ["one", "two", "three", "title", "across", "up"] {
                assert!(picture.contains(expected), "{expected} in {picture}");
            }
            // Each once as a curve and once in the legend; axes and their marks are thinner.
            assert_eq!(picture.matches("stroke-width=\"2\"").count(), 6, "{picture}");
            assert_eq!(picture.matches("<circle").count(), 6, "{picture}");
            // Two of one side are told apart.
            for colour in ["#4571A3", "#427B58", "#D65D0E"] {
                assert!(picture.contains(colour), "{colour} in {picture}");
            }
        }
        Ok(())
    }

    #[test]
    fn a_logarithmic_axis_has_its_decades_at_equal_distances() -> anyhow::Result<()> {
        let lines = [line("one", Side::Ours, &[(1.0, 1.0), (10.0, 1.0), (100.0, 1.0)])];
        let (across, up) = (axis("across", Scale::Logarithmic), axis("up", Scale::Linear));
        let picture = drawn("decades", |path| draw_lines(path, "title", across, up, &lines))?;
        let place = |circle: &str| circle.strip_prefix(" cx=\"")?.split('"').next()?.parse().ok();
        let marks: Vec<i32> = picture.split("<circle").skip(1).filter_map(place).collect();
        let [first, second, third] = marks[..] else { panic!("{marks:?} in {picture}") };
        assert!(second - first > 100 && ((third - second) - (second - first)).abs() <= 1);
        Ok(())
    }

    #[test]
    fn numbers_of_an_axis_are_short() {
        for (value, expected) in
            [(0.1 + 0.2, "0.3"), (20.0, "20"), (3200.0, "3200"), (32e3, "32 k"), (64e6, "64 M")]
        {
            assert_eq!(short(value), expected);
        }
    }

    #[test]
    fn nothing_is_not_drawn() {
        let nowhere = PathBuf::from("no-such-folder/none.svg");
        assert!(draw_bars(&nowhere, "title", "axis", Vec::new()).is_err());
        let (across, up) = (axis("across", Scale::Logarithmic), axis("up", Scale::Linear));
        assert!(draw_lines(&nowhere, "title", across, up, &[]).is_err());
        let zero = [line("one", Side::Ours, &[(0.0, 1.0)])];
        let fault = draw_lines(&nowhere, "title", across, up, &zero);
        assert!(fault.is_err_and(|it| it.to_string().contains("no place")));
    }

    fn line(name: &str, side: Side, points: &[(f64, f64)]) -> Line {
        Line { name: name.to_owned(), side, points: points.to_vec() }
    }

    const fn axis(label: &str, scale: Scale) -> Axis<'_> {
        Axis { label, scale }
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
