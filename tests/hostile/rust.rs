//! The round of the Rust client.

use std::time::Duration;

use futures_util::future::join_all;
use switchback_client::{ClientConfig, Credential, ProxyPolicy};
use switchback_core::RoomId;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::network::Standing;
use crate::record::Record;
use crate::round::{Clients, set_portals, settles};
use crate::site::Site;
use crate::talker::Talker;

/// The captive portal is the first thing that somebody in its network meets.
const PORTAL_AT_FIRST: Duration = Duration::from_secs(2);

pub(crate) struct RustClients {
    talkers: Vec<std::sync::Arc<Talker>>,
    rooms: Vec<RoomId>,
    talking: watch::Sender<bool>,
    under_way: Vec<JoinHandle<()>>,
    talks: usize,
}

impl RustClients {
    pub(crate) async fn start(site: &Site, networks: &[Standing], rooms: &[RoomId]) -> Self {
        set_portals(networks, true);
        let configs = site.members.iter().zip(networks).map(async |(member, network)| {
            let (url, proxy) = network.way(site.server.address);
            let mut config = ClientConfig::new(url, Credential::Token(member.token.clone()));
            config.proxy =
                proxy.map_or(ProxyPolicy::Direct, |proxy| ProxyPolicy::Through(proxy.parse().unwrap()));
            config.cursor = Some(member.snapshot().await["cursor"].as_str().unwrap().parse().unwrap());
            config
        });
        let configs = join_all(configs).await;
        let talkers = configs
            .iter()
            .zip(rooms)
            .enumerate()
            .map(|(n, (config, room))| std::sync::Arc::new(Talker::start(format!("bob{n}"), *room, config)))
            .collect();
        sleep(PORTAL_AT_FIRST).await;
        set_portals(networks, false);
        Self {
            talkers,
            rooms: rooms.to_vec(),
            talking: watch::channel(false).0,
            under_way: Vec::new(),
            talks: 0,
        }
    }
}

impl Clients for RustClients {
    async fn live(&mut self) {
        let live = settles(|| self.talkers.iter().all(|talker| talker.had_hello())).await;
        let waiting: Vec<usize> = (0..self.talkers.len()).filter(|n| !self.talkers[*n].had_hello()).collect();
        assert!(live, "no hello on the networks {waiting:?}");
    }

    async fn talk(&mut self, go_on: bool) {
        self.talking.send_replace(go_on);
        if !go_on {
            for done in self.under_way.drain(..) {
                done.await.unwrap();
            }
            return;
        }
        self.talks += 1;
        for (talker, room) in self.talkers.iter().zip(&self.rooms) {
            let (talker, talking, number, room) =
                (std::sync::Arc::clone(talker), self.talking.subscribe(), self.talks, *room);
            self.under_way.push(tokio::spawn(async move { talker.talk(room, talking, number).await }));
        }
    }

    async fn finish(self, stored: &[Vec<String>]) -> Vec<Record> {
        // What does not settle is told by the judgement.
        settles(|| self.talkers.iter().zip(stored).all(|(talker, stored)| talker.has_settled(stored.len())))
            .await;
        self.talkers.iter().map(|talker| talker.finish()).collect()
    }
}
