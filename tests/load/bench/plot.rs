//! Plots as SVG, by hand: bars with their figures, and curves.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 150.0;
const ROW: f64 = 26.0;
const TOP: f64 = 34.0;

/// A bar for each, with its figure beside it; nothing for what has none.
pub(super) fn bars(title: &str, bars: &[(String, f64)]) -> String {
    let most = bars.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).fold(f64::EPSILON, f64::max);
    let height = TOP + ROW * f64::from(u32::try_from(bars.len()).unwrap_or(u32::MAX)) + 8.0;
    let mut svg = open(title, height);
    let mut y = TOP;
    for (name, value) in bars.iter().filter(|(_, value)| value.is_finite()) {
        let width = value / most * (WIDTH - LEFT - 90.0);
        let colour = if name.starts_with("Switchback") { "#1a6" } else { "#9ab" };
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{:.0}\" text-anchor=\"end\">{name}</text>", LEFT - 8.0, y + 15.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{width:.1}\" height=\"18\" fill=\"{colour}\"/>",
            y + 2.0
        );
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.0}\">{}</text>", LEFT + width + 6.0, y + 15.0, figure(*value));
        y += ROW;
    }
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
