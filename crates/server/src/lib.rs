//! Switchback's server: live connections on `/chat`, REST under `/api/v1`, pages and assets.
//!
//! ```text
//! http, chat   the edges: decode, call one operation, encode
//!   -> ops     what somebody can do: the only place that decides and writes
//!        -> storage, index    what follows the log for those who search
//!        -> bus -> hub     who is listening, here and on the other nodes
//!   chat -> hub
//!             -> log    recent events in memory, encoded once; older ones from storage
//! ```
//!
//! Imports go along the arrows and never against them.

mod accept;
mod app;
mod bus;
mod chat;
mod config;
mod door;
pub mod echo;
mod guard;
mod http;
mod hub;
mod index;
pub mod limits;
mod log;
mod metrics;
mod ops;
mod pace;
pub mod secrets;
mod serve;
#[cfg(feature = "simulation")]
pub mod simulation;
mod socket;
mod tcp;
mod text;
mod tls;
#[doc(hidden)]
pub mod under_test;

pub use bus::{BadBus, BusHome, NatsAddress};
pub use config::{AddressRange, BadAddressRange, Config};
pub use serve::{Broken, Server, StartError};
pub use tls::{TlsError, TlsFiles, TlsReload};
