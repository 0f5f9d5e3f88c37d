//! Switchback.
fn main() {}
