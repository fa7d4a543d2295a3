//! Parts shared by all pictures: size, colours, headings, labels, and thinning of long lines.

use std::fmt::Display;

use herdbook_domain::{Timestamp, signed_percent};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Drawing area of a picture.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const SIZE: (u32, u32) = (1_000, 560);
const MARGIN: i32 = 14;
/// Maximum number of points of a line; more would fall on the same pixels.
const MAX_POINTS: usize = 1_600;

// Colours that colour-blind people can tell apart (Okabe, Ito 2008).
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(super) const RED: RGBColor = RGBColor(213, 94, 0);
pub(super) const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(super) const GREY: RGBColor = RGBColor(120, 120, 120);

/// Draws a picture under a heading of two lines.
pub(super) fn picture(
    heading: &str,
    second_line: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, String> {
    let mut svg = String::new();
    let drawn = (|| {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        root.draw_text(heading, &("sans-serif", 20).into_text_style(&root), (MARGIN, 10))?;
        let small = ("sans-serif", 13).into_text_style(&root).color(&GREY);
        root.draw_text(second_line, &small, (MARGIN, 36))?;
        draw(&root.margin(56, MARGIN, MARGIN, MARGIN))?;
        root.present()?;
        Ok::<(), Box<dyn std::error::Error>>(())
    })();
    drawn.map_err(|error| error.to_string())?;
    Ok(svg)
}

/// The points of a line. If there are more than [`MAX_POINTS`], only the lowest and the highest value of each range of
/// bars.
pub(super) fn thinned(values: &[f64]) -> Vec<(f64, f64)> {
    let point = |idx: usize| (idx as f64, values[idx]);
    if values.len() <= MAX_POINTS {
        return (0..values.len()).map(point).collect();
    }
    let stretch = values.len().div_ceil(MAX_POINTS / 2);
    let mut points = Vec::with_capacity(MAX_POINTS);
    for start in (0..values.len()).step_by(stretch) {
        let stretch = start..(start + stretch).min(values.len());
        let by_value = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        let (low, high) = (stretch.clone().min_by(by_value), stretch.max_by(by_value));
        let mut both: Vec<usize> = low.into_iter().chain(high).collect();
        both.sort_unstable();
        both.dedup();
        points.extend(both.into_iter().map(point));
    }
    points
}

/// The range of the finite values with a margin; never empty.
pub(super) fn range(values: impl IntoIterator<Item = f64>) -> std::ops::Range<f64> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
    if low > high {
        return 0.0..1.0;
    }
    let margin = ((high - low) * 0.05).max(high.abs() * 1e-6).max(1e-9);
    low - margin..high + margin
}

pub(super) fn date(millis: i64) -> String {
    Timestamp::from_millis(millis).to_string().chars().take(10).collect()
}

/// Formats a number with decimals according to its magnitude.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        1_000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Formats labels of an axis with enough decimals to distinguish them.
pub(super) fn label_for(range: &std::ops::Range<f64>) -> impl Fn(&f64) -> String + use<> {
    let decimals = (1.5 - (range.end - range.start).log10()).ceil().clamp(0.0, 8.0) as usize;
    move |value| format!("{:.decimals$}", not_minus_zero(*value, decimals as i32))
}

pub(super) fn percent(value: f64) -> impl Display {
    signed_percent(not_minus_zero(value, 1) / 100.0, 1)
}

/// The value, or 0 where it would be printed as `-0`.
fn not_minus_zero(value: f64, decimals: i32) -> f64 {
    if (value * 10_f64.powi(decimals)).round() == 0.0 { 0.0 } else { value }
}

pub(super) fn thousands(value: f64) -> String {
    if value < 10_000.0 { format!("{value:.0}") } else { format!("{:.0}k", value / 1_000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinned_line_keeps_its_extremes_and_its_order() {
        let mut values = vec![0.0; 100_000];
        values[12_345] = 9.0;
        values[54_321] = -9.0;
        let points = thinned(&values);
        assert!(points.len() <= MAX_POINTS);
        assert!(points.contains(&(12_345.0, 9.0)) && points.contains(&(54_321.0, -9.0)));
        assert!(points.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(label_for(&(-0.8..0.1))(&-1e-17), "0.00");
        assert_eq!(label_for(&(-0.8..0.1))(&-0.25), "-0.25");
        assert_eq!(percent(-0.04).to_string(), "+0.0%");
    }

    #[test]
    fn range_is_never_empty() {
        for values in [vec![], vec![1.0], vec![f64::NAN], vec![0.0, 0.0]] {
            let range = range(values);
            assert!(range.start < range.end && range.start.is_finite() && range.end.is_finite());
        }
    }
}
