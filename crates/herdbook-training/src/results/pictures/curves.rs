//! Line charts: equity and drawdown, price and trades, learning curve.

use std::error::Error;

use herdbook_market::Position;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::axes::{
    Area, BLUE, GREEN, GREY, ORANGE, RED, date, label_for, percent, picture, range, thinned,
    thousands,
};
use crate::results::pictures::input::PictureInput;

type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

const N_TIME_LABELS: usize = 7;
/// Maximum number of trades shown; more would overlap.
const MAX_TRADES: usize = 300;

/// Draws the return of the model and of buy-and-hold, and the model's drawdown below.
pub(super) fn equity(input: &PictureInput<'_>) -> Result<String, String> {
    let growth = |equity: &[f64]| -> Vec<f64> {
        equity.iter().map(|value| 100.0 * (value / equity[0] - 1.0)).collect()
    };
    let (model, held) = (growth(input.ledger.equity()), growth(input.held.equity()));
    let drawdown = drawdown(input.ledger.equity());
    let heading = format!("{}: return after costs, and drawdown", input.model);
    picture(&heading, &input.circumstances(), |area| {
        let (above, below) = area.split_vertically(330);
        let lines = [("model", &model, BLUE), ("buy and hold", &held, ORANGE)];
        line_chart(input, &above, &lines)?;
        area_below(input, &below, &drawdown)
    })
}

fn drawdown(equity: &[f64]) -> Vec<f64> {
    let mut peak = f64::MIN;
    let mut lost = |value: &f64| {
        peak = peak.max(*value);
        100.0 * (value / peak - 1.0)
    };
    equity.iter().map(&mut lost).collect()
}

fn line_chart(
    input: &PictureInput<'_>,
    area: &Area<'_>,
    lines: &[(&str, &Vec<f64>, RGBColor)],
) -> Result<(), Box<dyn Error>> {
    let n_bars = lines.iter().map(|(_, values, _)| values.len()).max().unwrap_or(1);
    let y = range(lines.iter().flat_map(|(_, values, _)| values.iter().copied()).chain([0.0]));
    let mut chart = ChartBuilder::on(area)
        .x_label_area_size(24)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..n_bars as f64, y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(N_TIME_LABELS)
        .x_label_formatter(&|idx| date(input.time_of(*idx as usize)))
        .y_label_formatter(&|value| percent(*value).to_string())
        .draw()?;
    chart.draw_series(LineSeries::new([(0.0, 0.0), (n_bars as f64, 0.0)], GREY.stroke_width(1)))?;
    for (name, values, colour) in lines {
        let line = LineSeries::new(thinned(values), colour.stroke_width(2));
        let colour = *colour;
        chart
            .draw_series(line)?
            .label(format!("{name} {}", percent(values[values.len() - 1])))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
    }
    legend(&mut chart)
}

fn legend(chart: &mut Chart<'_>) -> Result<(), Box<dyn Error>> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(GREY)
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(())
}

fn area_below(
    input: &PictureInput<'_>,
    area: &Area<'_>,
    values: &[f64],
) -> Result<(), Box<dyn Error>> {
    let lowest = values.iter().copied().fold(0.0, f64::min);
    let mut chart = ChartBuilder::on(area)
        .x_label_area_size(24)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..values.len() as f64, lowest.min(-0.1) * 1.1..0.0)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(N_TIME_LABELS)
        .y_labels(4)
        .y_desc("drawdown")
        .x_label_formatter(&|idx| date(input.time_of(*idx as usize)))
        .y_label_formatter(&|value| percent(*value).to_string())
        .draw()?;
    chart.draw_series(
        AreaSeries::new(thinned(values), 0.0, RED.mix(0.3)).border_style(RED.stroke_width(1)),
    )?;
    Ok(())
}

/// Draws the price, and each closed trade as a line from entry to exit.
pub(super) fn trades(input: &PictureInput<'_>) -> Result<String, String> {
    let last = input.first + input.ledger.equity().len();
    let closes: Vec<f64> =
        input.tape.bars.as_slice()[input.first..last].iter().map(|bar| bar.close).collect();
    let all = input.ledger.trades();
    let shown = &all[all.len().saturating_sub(MAX_TRADES)..];
    let count = if shown.len() < all.len() {
        format!("the last {} of {} closed trades", shown.len(), all.len())
    } else {
        format!("{} closed trades", all.len())
    };
    let heading = format!("{}: price and {count}", input.model);
    picture(&heading, &input.circumstances(), |area| {
        let y = range(closes.iter().copied());
        let label = label_for(&y);
        let mut chart = ChartBuilder::on(area)
            .x_label_area_size(24)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..closes.len() as f64, y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(N_TIME_LABELS)
            .x_label_formatter(&|idx| date(input.time_of(*idx as usize)))
            .y_label_formatter(&label)
            .draw()?;
        chart.draw_series(LineSeries::new(thinned(&closes), GREY.stroke_width(1)))?;
        for (name, side, is_won, colour) in [
            ("long, won", Position::Long, true, GREEN),
            ("long, lost", Position::Long, false, RED),
            ("short, won", Position::Short, true, BLUE),
            ("short, lost", Position::Short, false, ORANGE),
        ] {
            let of_kind =
                shown.iter().filter(|trade| trade.side == side && (trade.result > 0.0) == is_won);
            let x = |bar: usize| bar.saturating_sub(input.first) as f64;
            let lines = of_kind.map(|trade| {
                let entry = (x(trade.entry_bar_idx), trade.entry_price);
                let exit = (x(trade.exit_bar_idx), trade.exit_price);
                PathElement::new([entry, exit], colour.stroke_width(2))
            });
            let lines: Vec<_> = lines.collect();
            let label = format!("{name}: {}", lines.len());
            chart.draw_series(lines)?.label(label).legend(move |(x, y)| {
                PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3))
            });
        }
        legend(&mut chart)
    })
}

/// Draws the mean reward on the validation window over timesteps.
pub(super) fn learning(
    input: &PictureInput<'_>,
    evaluations: &[(u64, f64)],
) -> Result<String, String> {
    let points: Vec<(f64, f64)> =
        evaluations.iter().map(|(step, reward)| (*step as f64, *reward)).collect();
    let heading = format!("{}: mean reward on the validation window", input.model);
    let second_line =
        "five episodes, deterministic policy, after costs; doing nothing has reward 0";
    picture(&heading, second_line, |area| {
        let last = points.last().map_or(1.0, |point| point.0);
        let first = points.first().map_or(0.0, |point| point.0.min(last - 1.0));
        let y = range(points.iter().map(|point| point.1).chain([0.0]));
        let label = label_for(&y);
        let mut chart = ChartBuilder::on(area)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(first..last, y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("timesteps, including those of the parent")
            .x_label_formatter(&|value| thousands(*value))
            .y_label_formatter(&label)
            .draw()?;
        chart.draw_series(LineSeries::new([(first, 0.0), (last, 0.0)], GREY.stroke_width(1)))?;
        chart.draw_series(LineSeries::new(points.clone(), BLUE.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, BLUE.filled())))?;
        Ok(())
    })
}
