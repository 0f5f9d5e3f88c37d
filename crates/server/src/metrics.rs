//! What `/metrics` shows, in `OpenMetrics` text (Prometheus reads it).
//!
//! What happens is counted as it happens; what already counts itself (live connections, the
//! writer) is asked when somebody looks. Labels take values of small, fixed sets only: a route's
//! template, never its path.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use switchback_core::wire::{Timestamp, Transport};
use switchback_storage::WriterStats;

use crate::bus::BusStats;
use crate::index::IndexStats;

/// Upper edges of the fan-out lag's buckets, in seconds.
const LAG_BUCKETS_S: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
/// Upper edges of an HTTP request's buckets, in seconds.
const HTTP_BUCKETS_S: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
const US_PER_S: f64 = 1_000_000.0;

/// Seconds, with a fraction.
type SecondsCounter = Counter<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTransport {
    transport: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRequest {
    method: &'static str,
    route: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRoute {
    route: String,
}

/// The counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    events: Counter,
    lag: Histogram,
    connections: Family<ByTransport, Gauge>,
    requests: Family<ByRequest, Counter>,
    request_times: Family<ByRoute, Histogram, fn() -> Histogram>,
    rate_limited: Counter,
    rings: Family<ByCatch, Counter>,
    bus: BusMetrics,
    writer: WriterMetrics,
    index: IndexMetrics,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByHome {
    home: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCatch {
    events: &'static str,
}

/// A copy of what the bus says of itself.
#[derive(Debug, Default)]
struct BusMetrics {
    connected: Family<ByHome, Gauge>,
    connects: Counter,
    sent: Counter,
    received: Counter,
    dropped: Counter,
}

/// A copy of what the writer says of itself.
#[derive(Debug, Default)]
struct WriterMetrics {
    groups: Counter,
    operations: Counter,
    busy: SecondsCounter,
    queued: Gauge,
    largest_group: Gauge,
}

/// A copy of what the search index says of itself.
#[derive(Debug, Default)]
struct IndexMetrics {
    through: Gauge,
    behind: Gauge,
    messages: Counter,
    failures: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let http_times: fn() -> Histogram = || Histogram::new(HTTP_BUCKETS_S);
        let mut metrics = Self {
            registry: Registry::with_prefix("switchback"),
            events: Counter::default(),
            lag: Histogram::new(LAG_BUCKETS_S),
            connections: Family::default(),
            requests: Family::default(),
            request_times: Family::new_with_constructor(http_times),
            rate_limited: Counter::default(),
            rings: Family::default(),
            bus: BusMetrics::default(),
            writer: WriterMetrics::default(),
            index: IndexMetrics::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", version);
        registry.register("connections", "Live connections by transport", self.connections.clone());
        registry.register("events", "Events made visible to live connections", self.events.clone());
        let help = "Time from an event's commit until live connections are told";
        registry.register_with_unit("fan_out_lag", help, Unit::Seconds, self.lag.clone());
        let help = "HTTP requests by method, route and class of status";
        registry.register("http_requests", help, self.requests.clone());
        let help = "Time until an HTTP request's answer began";
        registry.register_with_unit("http_request", help, Unit::Seconds, self.request_times.clone());
        let help = "Requests and commands refused because they came too often";
        registry.register("rate_limited", help, self.rate_limited.clone());
        let help = "Doorbells of other nodes, by whether their events were taken or read from the database";
        registry.register("bus_doorbells", help, self.rings.clone());
        self.bus.register(registry);
        self.writer.register(registry);
        self.index.register(registry);
    }

    /// Events became visible to live connections; each time is that of its commit.
    pub(crate) fn published(&self, at: impl Iterator<Item = Timestamp>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for at in at {
            let committed = Duration::from_micros(u64::try_from(at).unwrap_or_default());
            // Clocks may step back: a lag below nothing is none.
            self.lag.observe(now.saturating_sub(committed).as_secs_f64());
            self.events.inc();
        }
    }

    /// An HTTP request was answered.
    pub(crate) fn answered(
        &self,
        method: &http::Method,
        route: &str,
        status: http::StatusCode,
        took: Duration,
    ) {
        let (route, status) = (route.to_owned(), class(status));
        self.request_times.get_or_create(&ByRoute { route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&ByRequest { method: name(method), route, status }).inc();
    }

    /// Another node has rung; `taken`: with all that was new.
    pub(crate) fn rung(&self, taken: bool) {
        let events = if taken { "taken" } else { "read" };
        self.rings.get_or_create(&ByCatch { events }).inc();
    }

    /// A request or command was refused because it came too often.
    pub(crate) fn rate_limited(&self) {
        self.rate_limited.inc();
    }

    /// Everything as text, with these figures of the hub, the writer, the search index and the bus.
    pub(crate) fn render(
        &self,
        connections: &HashMap<Transport, usize>,
        writer: &WriterStats,
        index: &IndexStats,
        (home, bus): (&'static str, &BusStats),
    ) -> String {
        for (transport, name) in
            [(Transport::Websocket, "websocket"), (Transport::Sse, "sse"), (Transport::Batch, "batch")]
        {
            let count = connections.get(&transport).copied().unwrap_or_default();
            let gauge = self.connections.get_or_create_owned(&ByTransport { transport: name });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.writer.copy(writer);
        self.index.copy(index);
        self.bus.copy(home, bus);
        let mut text = String::new();
        if let Err(error) = text::encode(&mut text, &self.registry) {
            tracing::error!(%error, "the metrics could not be written");
        }
        text
    }
}

impl BusMetrics {
    fn register(&self, registry: &mut Registry) {
        let help = "Whether the other nodes can be heard, by where the bus is at home";
        registry.register("bus_connected", help, self.connected.clone());
        registry.register("bus_connects", "Lines opened to the other nodes", self.connects.clone());
        registry.register("bus_sent", "Messages sent to the other nodes", self.sent.clone());
        registry.register("bus_received", "Messages of other nodes received", self.received.clone());
        let help = "Frames for the other nodes that could not be sent";
        registry.register("bus_dropped", help, self.dropped.clone());
    }

    fn copy(&self, home: &'static str, stats: &BusStats) {
        let BusStats { connected, connects, sent, received, dropped } = *stats;
        self.connected.get_or_create_owned(&ByHome { home }).set(connected.into());
        self.connects.inner().store(connects, Ordering::Relaxed);
        self.sent.inner().store(sent, Ordering::Relaxed);
        self.received.inner().store(received, Ordering::Relaxed);
        self.dropped.inner().store(dropped, Ordering::Relaxed);
    }
}

impl WriterMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("commit_groups", "Transactions committed", self.groups.clone());
        registry.register("commit_operations", "Operations in them", self.operations.clone());
        let help = "Time spent in transactions";
        registry.register_with_unit("commit_time", help, Unit::Seconds, self.busy.clone());
        registry.register("commit_queue", "Operations waiting for the writer", self.queued.clone());
        let help = "Operations in the largest transaction so far";
        registry.register("commit_group_largest", help, self.largest_group.clone());
    }

    fn copy(&self, stats: &WriterStats) {
        let WriterStats { commits, operations, busy_us, queued, largest_group } = *stats;
        self.groups.inner().store(commits, Ordering::Relaxed);
        self.operations.inner().store(operations, Ordering::Relaxed);
        // Exact up to 285 years.
        #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
        let busy_s = busy_us as f64 / US_PER_S;
        self.busy.inner().store(busy_s.to_bits(), Ordering::Relaxed);
        self.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        self.largest_group.set(i64::try_from(largest_group).unwrap_or(i64::MAX));
    }
}

impl IndexMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "search_indexed",
            "The log's position up to which there is an index",
            self.through.clone(),
        );
        registry.register("search_behind", "Events of the log that are not indexed yet", self.behind.clone());
        registry.register("search_messages", "Messages taken into the index", self.messages.clone());
        let help = "Times that the index could not be extended";
        registry.register("search_failures", help, self.failures.clone());
    }

    fn copy(&self, stats: &IndexStats) {
        let IndexStats { through, behind, messages, failures } = *stats;
        self.through.set(i64::try_from(through).unwrap_or(i64::MAX));
        self.behind.set(i64::try_from(behind).unwrap_or(i64::MAX));
        self.messages.inner().store(messages, Ordering::Relaxed);
        self.failures.inner().store(failures, Ordering::Relaxed);
    }
}

/// A method of the usual ones: peers can make up others without end.
fn name(method: &http::Method) -> &'static str {
    const USUAL: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"];
    USUAL.into_iter().find(|usual| *usual == method.as_str()).unwrap_or("other")
}

fn class(status: http::StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, StatusCode};

    use super::*;

    #[test]
    fn what_happened_is_in_the_text() {
        let metrics = Metrics::new();
        metrics.published([0, i64::MAX].into_iter());
        metrics.answered(&Method::GET, "/api/v1/rooms/{id}", StatusCode::OK, Duration::from_millis(3));
        metrics.rate_limited();
        let stats =
            WriterStats { commits: 2, operations: 9, busy_us: 1_500_000, queued: 1, largest_group: 7 };
        metrics.rung(true);
        let bus = BusStats { connected: false, connects: 3, sent: 8, received: 6, dropped: 1 };
        let index = IndexStats { through: 40, behind: 2, messages: 30, failures: 1 };
        let text = metrics.render(&HashMap::from([(Transport::Sse, 4)]), &stats, &index, ("nats", &bus));
        for line in [
            "switchback_events_total 2",
            "switchback_fan_out_lag_seconds_count 2",
            "switchback_connections{transport=\"sse\"} 4",
            "switchback_connections{transport=\"websocket\"} 0",
            "switchback_http_requests_total{method=\"GET\",route=\"/api/v1/rooms/{id}\",status=\"2xx\"} 1",
            "switchback_http_request_seconds_count{route=\"/api/v1/rooms/{id}\"} 1",
            "switchback_rate_limited_total 1",
            "switchback_commit_groups_total 2",
            "switchback_commit_operations_total 9",
            "switchback_commit_time_seconds_total 1.5",
            "switchback_commit_queue 1",
            "switchback_commit_group_largest 7",
            "switchback_search_indexed 40",
            "switchback_search_behind 2",
            "switchback_search_messages_total 30",
            "switchback_search_failures_total 1",
            "switchback_bus_doorbells_total{events=\"taken\"} 1",
            "switchback_bus_connected{home=\"nats\"} 0",
            "switchback_bus_connects_total 3",
            "switchback_bus_sent_total 8",
            "switchback_bus_received_total 6",
            "switchback_bus_dropped_total 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line:?} is not in:\n{text}");
        }
        assert!(text.contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))));
    }

    #[test]
    fn made_up_methods_are_one() {
        let method = |name: &[u8]| Method::from_bytes(name).map(|method| super::name(&method)).ok();
        assert_eq!(method(b"BREW"), Some("other"));
        assert_eq!(method(b"PATCH"), Some("PATCH"));
    }
}
