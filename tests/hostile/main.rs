//! Networks that break what they carry, with the real programs and with boxes that do what no program
//! of Debian's does: both clients get through every one of them, and nothing is lost or doubled.
//!
//! The Rust client and the web client in Chromium go through the same networks, one round after the
//! other, all networks of a round at once. The table that comes out has a row for each network and says
//! how the network showed that it was hostile; one that was not fails the test.
//! `cargo xtask test --only hostile` brings the programs and runs it; `SWITCHBACK_HOSTILE_SECS` makes
//! everybody talk for longer, `SWITCHBACK_TABLES` names a directory for the table.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say so and stop"
)]

mod browser;
#[expect(dead_code, unused_imports, reason = "the tests of the API use the rest of it")]
#[path = "../api/kit/mod.rs"]
mod kit;
mod middlebox;
mod network;
mod program;
#[path = "../shared/publish.rs"]
mod publish;
mod record;
mod round;
mod rust;
mod site;
mod table;
mod talker;

use browser::Browser;
use rust::RustClients;
use site::Site;
use table::Table;

#[tokio::test(flavor = "multi_thread")]
async fn both_clients_get_through_every_hostile_network() {
    let site = Site::start().await;
    let rust = round::run(&site, "rust", RustClients::start).await;
    let web = round::run(&site, browser::ROUND, Browser::start).await;
    let table = Table { rust, web };
    println!("\n{table}");
    publish::publish("hostile.md", &table.to_string()).unwrap();
    let complaints = table.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
