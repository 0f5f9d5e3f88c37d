//! The examples of `docs/OPERATIONS.md` in the programs they are for: nginx, Caddy, `HAProxy`, Apache.
//!
//! Every scene runs behind every program, over TLS, with the server's own kit from `tests/api`. It is
//! not part of `cargo test`, which needs nothing but a compiler: `cargo xtask test --only proxies`
//! brings the programs and runs it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

#[expect(dead_code, unused_imports, reason = "the tests of the API use the rest of it")]
#[path = "../api/kit/mod.rs"]
mod kit;
mod page;
mod proxy;
mod scenes;
mod site;

use std::time::Duration;

use futures_util::future::join_all;
use proxy::Kind;
use tokio::time::timeout;

/// The longest scene takes a third of it. A client that finds nobody asks again for ever, and so would
/// the scene that waits for what it hears.
const SCENE: Duration = Duration::from_secs(150);

/// Plays a scene to its end.
async fn play(scene: impl Future<Output = ()>) {
    assert!(timeout(SCENE, scene).await.is_ok(), "no end after {} s", SCENE.as_secs());
}

/// One test for each scene behind each of these programs.
macro_rules! behind {
    ($($program:ident: $kind:expr, [$($scene:ident),* $(,)?];)*) => {
        $(mod $program {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scene() {
                play(scenes::$scene($kind)).await;
            })*
        })*
    };
}

macro_rules! every_scene_behind {
    ($($program:ident: $kind:expr;)*) => {
        behind! { $($program: $kind, [
            a_conversation_passes_on_every_way_in,
            an_event_stream_is_neither_held_back_nor_compressed,
            an_event_stream_passes_over_http2,
            signing_in_sets_a_cookie_that_only_our_own_pages_can_use,
            limits_count_for_the_visitor_and_not_for_the_proxy,
            a_large_catch_up_arrives_whole,
            a_planned_stop_is_told,
        ];)* }
    };
}

every_scene_behind! {
    nginx: Kind::Nginx;
    caddy: Kind::Caddy;
    haproxy: Kind::Haproxy;
    apache: Kind::Apache;
}

/// Together, because each of them waits for 20 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_connection_outlives_its_heartbeat() {
    let kinds = [Kind::Nginx, Kind::Caddy, Kind::Haproxy, Kind::Apache];
    play(async {
        join_all(kinds.map(scenes::a_quiet_connection_outlives_its_heartbeat)).await;
    })
    .await;
}

behind! {
    two_behind_nginx: Kind::Nginx, [one_of_two_servers_may_be_down];
    two_behind_haproxy: Kind::Haproxy, [one_of_two_servers_may_be_down];
    http2_of_haproxy: Kind::Haproxy, [a_websocket_passes_over_http2];
}
