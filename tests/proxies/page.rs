//! The examples of `docs/OPERATIONS.md`, as they stand there, so that the page cannot drift from what
//! was tried.

const PAGE: &str = include_str!("../../docs/OPERATIONS.md");
const FENCE: &str = "```";

/// The first example under this heading.
pub(crate) fn example(heading: &str) -> String {
    let mut lines = PAGE.lines().skip_while(|line| *line != format!("### {heading}"));
    assert!(lines.next().is_some(), "the page has no heading \"{heading}\"");
    let mut example = lines
        .take_while(|line| !line.starts_with("##"))
        .skip_while(|line| !line.starts_with(FENCE))
        .skip(1)
        .take_while(|line| *line != FENCE)
        .fold(String::new(), |example, line| example + line + "\n");
    assert!(!example.is_empty(), "there is no example under \"{heading}\"");
    example.truncate(example.trim_end().len());
    example + "\n"
}

/// The example with other names and places, each of which must be in it.
pub(crate) fn with(mut example: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        assert!(example.contains(from), "\"{from}\" is not in\n{example}");
        example = example.replace(from, to);
    }
    example
}

/// The example with the part that begins like `part` replaced by it, up to the line that ends it.
pub(crate) fn with_part(example: &str, part: &str, end: &str) -> String {
    let begin = part.lines().next().unwrap();
    let (before, rest) = example.split_once(&format!("\n{begin}\n")).unwrap();
    let after = if end.is_empty() { "" } else { rest.split_once(&format!("\n{end}\n")).unwrap().1 };
    format!("{before}\n{part}{after}")
}
