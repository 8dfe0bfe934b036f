//! The run over time, as a picture: latency above, throughput below, one point for each second.
#![expect(clippy::float_arithmetic, reason = "pixels and axes, never money")]

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::BenchFault;
use super::latency::{Second, milliseconds};
use super::report::{Report, grouped};

const WIDTH: u32 = 1080;
const HEIGHT: u32 = 680;
const TITLE_HEIGHT: u32 = 84;
const LATENCY_HEIGHT: u32 = 350;
const INK: RGBColor = RGBColor(31, 41, 55);
const MUTED: RGBColor = RGBColor(107, 114, 128);
const GRID: RGBColor = RGBColor(229, 231, 235);
const MEDIAN: RGBColor = RGBColor(37, 99, 235);
const TAIL: RGBColor = RGBColor(217, 119, 6);
const WORST: RGBColor = RGBColor(185, 28, 28);
const THROUGHPUT: RGBColor = RGBColor(5, 122, 85);

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Column = fn(&Second) -> Option<u64>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws a report into an SVG file.
pub(super) fn draw(report: &Report, path: &Path) -> Result<(), BenchFault> {
    let mut picture = String::new();
    paint(report, &mut picture)
        .map_err(|error| BenchFault::Chart { path: path.to_owned(), reason: error.to_string() })?;
    std::fs::write(path, picture).map_err(|source| BenchFault::Write { path: path.to_owned(), source })
}

fn paint(report: &Report, picture: &mut String) -> Drawn {
    let canvas = SVGBackend::with_string(picture, (WIDTH, HEIGHT)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let (title, panels) = canvas.split_vertically(TITLE_HEIGHT);
    let (above, below) = panels.split_vertically(LATENCY_HEIGHT);
    head(report, &title)?;
    latency(&report.outcome.seconds, &above)?;
    throughput(&report.outcome.seconds, &below)?;
    canvas.present()?;
    Ok(())
}

fn head(report: &Report, area: &Canvas<'_>) -> Drawn {
    let outcome = &report.outcome;
    let percentiles = &outcome.latency;
    let title = format!(
        "{} transactions/s, p50 {} ms, p99 {} ms, max {} ms",
        grouped(outcome.transactions_per_second),
        milliseconds(percentiles.p50_microseconds),
        milliseconds(percentiles.p99_microseconds),
        milliseconds(percentiles.max_microseconds)
    );
    area.draw(&Text::new(title, (28, 20), ("sans-serif", 28).into_font().style(FontStyle::Bold).color(&INK)))?;
    let failed = match outcome.failures.count() {
        0 => String::new(),
        count => format!(", {} requests failed", grouped(count)),
    };
    let subtitle = format!("{}{failed}", report.options.sentence());
    area.draw(&Text::new(subtitle, (28, 54), ("sans-serif", 18).into_font().color(&MUTED)))?;
    Ok(())
}

/// Seconds in which nothing was answered have no point: the line is broken there.
fn pieces(seconds: &[Second], value: impl Fn(&Second) -> Option<u64>) -> Vec<Vec<(f64, f64)>> {
    let points: Vec<Option<(f64, f64)>> = seconds
        .iter()
        .enumerate()
        .map(|(index, second)| Some(((index + 1) as f64, value(second)? as f64 / 1000.0)))
        .collect();
    points.split(Option::is_none).map(|piece| piece.iter().flatten().copied().collect()).collect()
}

fn time_axis(seconds: &[Second]) -> std::ops::Range<f64> {
    1.0..(seconds.len().max(2) as f64)
}

fn latency(seconds: &[Second], area: &Canvas<'_>) -> Drawn {
    let highest = seconds.iter().filter_map(|second| second.max_microseconds).max().unwrap_or(1000) as f64 / 1000.0;
    let lowest = seconds.iter().filter_map(|second| second.p50_microseconds).min().unwrap_or(100) as f64 / 1000.0;
    // Whole decades, a little wider, so that the axis starts and ends with a label.
    let bottom = 10f64.powf(lowest.log10().floor()) * 0.999;
    let top = 10f64.powf(highest.log10().ceil()).max(bottom * 10.0) * 1.002;
    let mut chart = ChartBuilder::on(area)
        .margin_left(18)
        .margin_right(30)
        .x_label_area_size(24)
        .y_label_area_size(84)
        .build_cartesian_2d(time_axis(seconds), (bottom..top).log_scale())?;
    chart
        .configure_mesh()
        .y_desc("latency of a request, ms")
        .axis_style(MUTED)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 16).into_font().color(&MUTED))
        .axis_desc_style(("sans-serif", 17).into_font().color(&INK))
        .x_labels(12)
        .x_label_formatter(&|second| format!("{second:.0}"))
        .y_label_formatter(&|value| format!("{}", (value * 1000.0).round() / 1000.0))
        .draw()?;
    let lines: [(&str, RGBColor, Column); 3] = [
        ("max", WORST, |second| second.max_microseconds),
        ("p99", TAIL, |second| second.p99_microseconds),
        ("p50", MEDIAN, |second| second.p50_microseconds),
    ];
    for (name, color, value) in lines {
        for (index, piece) in pieces(seconds, value).into_iter().enumerate() {
            let drawn = chart.draw_series(LineSeries::new(piece, color.stroke_width(2)))?;
            if index == 0 {
                drawn.label(name).legend(move |at| PathElement::new([at, (at.0 + 20, at.1)], color.stroke_width(3)));
            }
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .margin(8)
        .label_font(("sans-serif", 17).into_font().color(&INK))
        .draw()?;
    Ok(())
}

fn throughput(seconds: &[Second], area: &Canvas<'_>) -> Drawn {
    let highest = seconds.iter().map(|second| second.transactions).max().unwrap_or(0).max(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_left(18)
        .margin_right(30)
        .margin_top(10)
        .margin_bottom(8)
        .x_label_area_size(42)
        .y_label_area_size(84)
        .build_cartesian_2d(time_axis(seconds), 0.0..highest * 1.25)?;
    chart
        .configure_mesh()
        .x_desc("seconds since the measurement began")
        .y_desc("transactions/s")
        .axis_style(MUTED)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 16).into_font().color(&MUTED))
        .axis_desc_style(("sans-serif", 17).into_font().color(&INK))
        .x_labels(12)
        .y_labels(5)
        .x_label_formatter(&|second| format!("{second:.0}"))
        .y_label_formatter(&|value| grouped(*value as u64))
        .draw()?;
    let points = seconds.iter().enumerate().map(|(index, second)| ((index + 1) as f64, second.transactions as f64));
    chart
        .draw_series(AreaSeries::new(points, 0.0, THROUGHPUT.mix(0.15)).border_style(THROUGHPUT.stroke_width(2)))?
        .label("acknowledged transactions")
        .legend(|at| PathElement::new([at, (at.0 + 20, at.1)], THROUGHPUT.stroke_width(3)));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .margin(8)
        .label_font(("sans-serif", 17).into_font().color(&INK))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(max_microseconds: Option<u64>) -> Second {
        let transactions = max_microseconds.map_or(0, |_| 1000);
        let value = max_microseconds;
        Second { transactions, failed_requests: 0, p50_microseconds: value, p99_microseconds: value, max_microseconds }
    }

    #[test]
    fn a_stall_breaks_the_line() {
        let seconds = [second(Some(1000)), second(None), second(Some(3000)), second(Some(2000))];
        let found = pieces(&seconds, |second| second.max_microseconds);
        assert_eq!(found, [vec![(1.0, 1.0)], vec![(3.0, 3.0), (4.0, 2.0)]]);
    }

    #[test]
    fn a_run_without_answers_can_be_drawn() {
        for seconds in [vec![], vec![second(None)], vec![second(Some(1)), second(Some(3_600_000_000))]] {
            let mut picture = String::new();
            {
                let canvas = SVGBackend::with_string(&mut picture, (WIDTH, HEIGHT)).into_drawing_area();
                latency(&seconds, &canvas).expect("latency is drawn");
                throughput(&seconds, &canvas).expect("throughput is drawn");
            }
            assert!(picture.contains("transactions/s"));
        }
    }
}
