//! One server, a partner who is connected to it directly, and somebody behind each network.

use futures_util::future::join_all;
use serde_json::json;
use switchback_client::Credential;
use switchback_client::{HistoryPage, Rest, TransportPolicy};
use switchback_core::RoomId;

use crate::kit::Server;
use crate::kit::server::{Account, Role};
use crate::network;
use crate::record::PARTNER;

/// Accounts made at once: each costs a password's hash.
const AT_ONCE: usize = 4;

pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) partner: Account,
    /// One for each network.
    pub(crate) members: Vec<Account>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let server = Server::start().await;
        let partner = server.account(PARTNER, Role::Owner).await;
        let mut members = Vec::new();
        let handles: Vec<String> = (0..network::ALL.len()).map(|n| format!("bob{n}")).collect();
        for handles in handles.chunks(AT_ONCE) {
            let made = handles.iter().map(|handle| server.account(handle, Role::Member));
            members.extend(join_all(made).await);
        }
        Self { server, partner, members }
    }

    /// A room for the partner and each member, named for the round.
    pub(crate) async fn rooms(&self, round: &str) -> Vec<RoomId> {
        let make = self.members.iter().enumerate().map(async |(n, member)| {
            let body = json!({"kind": "private", "name": format!("{round}{n}")}).to_string();
            let answer = self.partner.request("POST", "/api/v1/rooms", &body).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
            let room = answer.json()["id"].as_str().unwrap().to_owned();
            let path = format!("/api/v1/rooms/{room}/members/{}", member.id().await);
            let status = self.partner.request("PUT", &path, "").await.status;
            assert!((200..300).contains(&status), "{status}");
            room.parse().unwrap()
        });
        join_all(make).await
    }

    /// What the server has of a room, in order.
    pub(crate) async fn stored(&self, room: RoomId) -> Vec<String> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page = self.rest().history(room, HistoryPage::After(after), 100).await.unwrap().messages;
            let Some(last) = page.last() else { return all };
            after = last.seq;
            all.extend(page.into_iter().map(|message| message.body));
        }
    }

    fn rest(&self) -> Rest {
        let credential = Credential::Token(self.partner.token.clone());
        Rest::new(self.server.url().parse().unwrap(), Some(&credential), None).unwrap()
    }

    /// The partner's own connection, which no network stands in front of.
    pub(crate) async fn partner(&self) -> switchback_client::Handle {
        let (handle, mut stream) = self.partner.connect(TransportPolicy::Auto).await;
        // Answers come in between the events, so somebody has to read them.
        tokio::spawn(async move { while stream.next().await.is_some() {} });
        handle
    }
}
