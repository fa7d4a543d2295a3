//! Bar charts: shares of positions, and improvement over the parent.

use std::error::Error;

use herdbook_domain::{HEADLINE_METRICS, Improvement, percent};
use herdbook_market::Position;
use plotters::prelude::*;

use super::axes::{Area, BLUE, GREEN, GREY, ORANGE, RED, picture, short};
use crate::results::improvement::ImprovementReport;
use crate::results::pictures::input::PictureInput;

/// Draws the share of bars over which each position was held.
pub(super) fn actions(input: &PictureInput<'_>) -> Result<String, String> {
    // The first entry is the flat account before the first fill.
    let held = &input.ledger.positions()[1..];
    let share = |position: Position| {
        let n = held.iter().filter(|found| **found == position).count();
        100.0 * n as f64 / held.len().max(1) as f64
    };
    let rows: Vec<Row> =
        [(Position::Short, ORANGE), (Position::Flat, GREY), (Position::Long, BLUE)]
            .into_iter()
            .map(|(position, colour)| Row {
                name: position.as_str().to_owned(),
                value: share(position),
                text: format!("{} of the bars", percent(share(position) / 100.0, 1)),
                colour,
            })
            .collect();
    let heading = format!("{}: positions held", input.model);
    picture(&heading, &input.circumstances(), |area| chart(area, &rows))
}

/// Draws the improvement of each headline metric over the parent.
pub(super) fn improvement(
    input: &PictureInput<'_>,
    report: &ImprovementReport,
) -> Result<String, String> {
    let rows: Vec<Row> = HEADLINE_METRICS
        .iter()
        .filter_map(|name| Some(row(name, report.metrics.get(*name)?)))
        .collect();
    let basis = report.basis.describe();
    let heading = format!("{}: change over its parent", input.model);
    picture(&heading, &format!("{}; {basis}; green is better", input.circumstances()), |area| {
        chart(area, &rows)
    })
}

fn row(name: &str, found: &Improvement) -> Row {
    let values = format!("{} -> {}", short(found.parent), short(found.child));
    Row {
        name: name.to_owned(),
        // A percentage of a value near 0 says nothing, so it gets no bar.
        value: found.percent.filter(|_| !found.is_parent_near_zero).unwrap_or(0.0),
        text: format!("{}  ({values})", found.change_text(name)),
        colour: match found.better {
            Some(true) => GREEN,
            Some(false) => RED,
            None => GREY,
        },
    }
}

/// One bar of the chart, with the texts left and right of it.
struct Row {
    name: String,
    value: f64,
    text: String,
    colour: RGBColor,
}

/// Largest change in percent that is drawn to scale. Longer bars are cut; the text has the exact value.
const WIDEST: f64 = 200.0;

fn chart(area: &Area<'_>, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    const NAMES: i32 = 210;
    const TEXTS: i32 = 230;
    let (width, height) = area.dim_in_pixel();
    let clamped = |row: &Row| row.value.clamp(-WIDEST, WIDEST);
    let largest = rows.iter().map(|row| clamped(row).abs()).fold(1e-9, f64::max);
    let has_negative = rows.iter().any(|row| row.value < 0.0);
    let room = f64::from(width as i32 - NAMES - TEXTS);
    let (zero, scale) = if has_negative {
        (f64::from(NAMES) + room / 2.0, room / 2.0 / largest)
    } else {
        (f64::from(NAMES), room / largest)
    };
    let step = height as i32 / rows.len().max(1) as i32;
    let font = ("sans-serif", 15).into_text_style(area);
    for (idx, row) in rows.iter().enumerate() {
        let (top, bottom) = (idx as i32 * step + step / 4, idx as i32 * step + 3 * step / 4);
        let end = (zero + clamped(row) * scale) as i32;
        let (left, right) = ((zero as i32).min(end), (zero as i32).max(end).max(zero as i32 + 1));
        area.draw(&Rectangle::new([(left, top), (right, bottom)], row.colour.filled()))?;
        let middle = i32::midpoint(top, bottom) - 8;
        area.draw_text(&row.name, &font, (0, middle))?;
        area.draw_text(&row.text, &font, (right + 8, middle))?;
    }
    area.draw(&PathElement::new([(zero as i32, 0), (zero as i32, height as i32)], GREY))?;
    Ok(())
}
