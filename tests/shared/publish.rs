//! Where the suites leave what docs/DELIVERY.md shows: their tables and plots.

use std::path::Path;

/// Names the directory; without it nothing is kept.
pub(crate) const TABLES: &str = "SWITCHBACK_TABLES";

/// Keeps `text` as this file, where that is wanted.
pub(crate) fn publish(file: &str, text: &str) -> std::io::Result<()> {
    let Some(dir) = std::env::var_os(TABLES) else { return Ok(()) };
    std::fs::create_dir_all(&dir)?;
    std::fs::write(Path::new(&dir).join(file), text)
}
