//! The people of a workspace: the owner through the set-up address, the others by `switchback admin`.

use serde_json::{Value, json};
use switchback_client::{Client, ClientConfig, Credential, EventStream, Handle, Rest, TransportPolicy};
use switchback_core::RoomId;

use crate::http::{self, Connection};
use crate::stack::Stack;

const PASSWORD: &str = "correct horse battery";

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Account {
    url: String,
    token: String,
}

/// The owner ada, and bob and cyd.
pub(crate) struct Team {
    pub(crate) people: Vec<Account>,
}

impl Team {
    /// Makes the accounts by way of this node.
    pub(crate) async fn form(stack: &Stack, node: &str) -> Self {
        let token = stack.setup_secret(node).await;
        let owner = json!({"token": token, "workspace": "Engines", "handle": "ada", "name": "Ada",
                           "password": PASSWORD});
        let request = http::request("POST", "/api/v1/setup", "", &owner.to_string());
        let answer = Connection::open(stack.address).await.exchange(request).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let mut people = Vec::new();
        for handle in ["ada", "bob", "cyd"] {
            if handle != "ada" {
                let args = ["admin", "create-user", "--handle", handle, "--password-stdin"];
                stack.exec(node, &args, &format!("{PASSWORD}\n")).await;
            }
            let args = ["admin", "create-token", "--user", handle, "--label", "test"];
            let printed = stack.exec(node, &args, "").await;
            let token = printed.lines().last().unwrap().trim().to_owned();
            people.push(Account { url: stack.url(), token });
        }
        Self { people }
    }

    /// A new room with everybody in it.
    pub(crate) async fn room(&self, stack: &Stack, name: &str) -> RoomId {
        let body = json!({"kind": "public", "name": name}).to_string();
        let authorization = format!("Authorization: Bearer {}\r\n", self.people[0].token);
        let request = http::request("POST", "/api/v1/rooms", &authorization, &body);
        let answer = Connection::open(stack.address).await.exchange(request).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let room: Value = answer.json();
        let room = room["id"].as_str().unwrap().parse().unwrap();
        for person in &self.people[1..] {
            person.rest().join(room).await.unwrap();
        }
        room
    }
}

impl Account {
    fn credential(&self) -> Credential {
        Credential::Token(self.token.clone())
    }

    pub(crate) fn rest(&self) -> Rest {
        Rest::new(self.url.parse().unwrap(), Some(&self.credential()), None).unwrap()
    }

    /// A client that begins with what happens after this.
    pub(crate) async fn connect(&self, transports: TransportPolicy) -> (Handle, EventStream) {
        let mut config = ClientConfig::new(self.url.clone(), self.credential());
        config.transports = transports;
        config.cursor = Some(self.rest().snapshot().await.unwrap().cursor);
        Client::connect(&config).unwrap()
    }
}
