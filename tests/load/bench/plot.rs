//! Plots as SVG, by hand: bars with their figures, and curves.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 150.0;
const ROW: f64 = 26.0;
const TOP: f64 = 34.0;
const COLOURS: [&str; 4] = ["#1a6", "#37b", "#c62", "#777"];

/// A bar for each, with its figure beside it; nothing for what has none.
pub(super) fn bars(title: &str, bars: &[(String, f64)]) -> String {
    let most =
        bars.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).fold(f64::EPSILON, f64::max);
    let height = TOP + ROW * f64::from(u32::try_from(bars.len()).unwrap_or(u32::MAX)) + 8.0;
    let mut svg = open(title, height);
    let mut y = TOP;
    for (name, value) in bars.iter().filter(|(_, value)| value.is_finite()) {
        let width = value / most * (WIDTH - LEFT - 90.0);
        let colour = if name.starts_with("Switchback") { "#1a6" } else { "#9ab" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.0}\" text-anchor=\"end\">{name}</text>",
            LEFT - 8.0,
            y + 15.0
        );
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{width:.1}\" height=\"18\" fill=\"{colour}\"/>",
            y + 2.0
        );
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            LEFT + width + 6.0,
            y + 15.0,
            figure(*value)
        );
        y += ROW;
    }
    svg + "</svg>\n"
}

/// Curves over a logarithmic axis from 0 up: name, and points.
pub(super) fn curves(title: &str, across: &str, curves: &[(String, Vec<(f64, f64)>)]) -> String {
    const HEIGHT: f64 = 280.0;
    const BELOW: f64 = 44.0;
    const AXIS: f64 = 60.0;
    let points = || curves.iter().flat_map(|(_, points)| points).filter(|(_, y)| y.is_finite());
    let (least, most) =
        points().fold((f64::INFINITY, 1.0_f64), |(least, most), (x, _)| (least.min(*x), most.max(*x)));
    let top = points().map(|(_, y)| *y).fold(f64::EPSILON, f64::max) * 1.1;
    let span = (most / least).ln().max(f64::EPSILON);
    let x = |value: f64| AXIS + (value / least).ln() / span * (WIDTH - AXIS - 170.0);
    let y = |value: f64| TOP + (1.0 - value / top) * (HEIGHT - TOP - BELOW);
    let mut svg = open(title, HEIGHT);
    for part in 0..=4 {
        let value = top * f64::from(part) / 4.0;
        let _ = writeln!(svg, "<path d=\"M{AXIS} {:.1}H{:.1}\" stroke=\"#ddd\"/>", y(value), x(most));
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            AXIS - 6.0,
            y(value) + 4.0,
            figure(value)
        );
    }
    for (number, (name, points)) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let line: Vec<String> = points
            .iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for (at, _) in points {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{at:.0}</text>",
                x(*at),
                HEIGHT - BELOW + 18.0
            );
        }
        if let Some((_, last)) = points.last() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>",
                x(most) + 8.0,
                y(*last) + 4.0
            );
        }
    }
    let _ = writeln!(svg, "<text x=\"{AXIS}\" y=\"{:.1}\">{across}</text>", HEIGHT - 8.0);
    svg + "</svg>\n"
}

fn open(title: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{height:.0}\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"18\" font-weight=\"bold\">{title}</text>\n"
    )
}

fn figure(value: f64) -> String {
    if value >= 1_000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_figure_has_no_bar() {
        let svg = bars("t", &[("a".to_owned(), 1.0), ("b".to_owned(), f64::NAN)]);
        assert_eq!(svg.matches("<rect").count(), 2, "the ground, and one bar");
    }
}
