//! What each failure cost, as lines of a table for a person to read.

use std::fmt;
use std::time::Duration;

use crate::publish::publish;

/// One failure.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) acked: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// The longest silence of any client, by way in: WebSocket, event stream, batches.
    pub(crate) silence: [Duration; 3],
    /// How we know that it happened.
    pub(crate) proof: String,
}

pub(crate) struct Table(pub(crate) Vec<Row>);

impl Table {
    /// Prints it, and keeps it for docs/DELIVERY.md where `SWITCHBACK_TABLES` says.
    pub(crate) fn publish(&self, name: &str) {
        println!("{self}");
        publish(&format!("{name}.md"), &self.to_string()).unwrap();
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nlongest silence of any client, in seconds, while everybody posts all the time\n")?;
        let head = ["fault", "acked", "lost", "doubled", "WebSocket", "stream", "batches"];
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 7], proof: &str| {
            let [fault, acked, lost, doubled, websocket, stream, batches] = cells;
            writeln!(
                f,
                "| {fault:34} | {acked:>5} | {lost:>4} | {doubled:>7} | {websocket:>9} | {stream:>6} | {batches:>7} | {proof} |"
            )
        };
        line(f, head, "how the fault was proven")?;
        line(f, ["---", "---:", "---:", "---:", "---:", "---:", "---:"], "---")?;
        for row in &self.0 {
            let [acked, lost, doubled] = [row.acked, row.lost, row.doubled].map(|count| count.to_string());
            let silence = row.silence.map(|silence| format!("{:.1}", silence.as_secs_f64()));
            let [websocket, stream, batches] = &silence;
            line(f, [row.fault, &acked, &lost, &doubled, websocket, stream, batches], &row.proof)?;
        }
        Ok(())
    }
}
