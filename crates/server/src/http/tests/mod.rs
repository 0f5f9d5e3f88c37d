//! The whole edge over a real store in a temporary directory, request by request.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod around;
mod entering;
mod foreign;
mod history;
mod pages;
mod problems;
mod rest;
mod search;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use switchback_core::wire::Role;
use switchback_core::{DisplayName, Handle, Password, RoomId, UserId};
use switchback_storage::{NewUser, OpenMode, Store};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::accept::Connection;
use crate::app::App;
use crate::bus::Bus;
use crate::chat::Chat;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::ops::Ops;
use crate::{Config, secrets};

const PASSWORD: &str = "correct horse";

/// A server without a socket.
struct Site {
    router: Router,
    app: App,
    store: Store,
    directory: TempDir,
}

/// What came back.
#[derive(Debug, PartialEq)]
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// A request on its way.
struct Asking<'s> {
    site: &'s Site,
    request: http::request::Builder,
    body: Body,
}

impl Site {
    /// Nobody owns it yet.
    async fn empty() -> Self {
        Self::with(Config::default()).await
    }

    async fn with(config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), OpenMode::Server).await.unwrap();
        let hub = Arc::new(Hub::new(store.clone(), store.head().await.unwrap(), config.ring_events));
        let ops = Ops::new(store.clone(), Bus::in_process(Arc::clone(&hub)), &config);
        let metrics = Arc::new(Metrics::new());
        let app = App { ops, chat: Chat::new(hub), config: Arc::new(config), metrics };
        Self { router: super::router(app.clone()), app, store, directory }
    }

    /// With the owner `ada` and the member `bob`.
    async fn of_a_team() -> Self {
        let site = Self::empty().await;
        site.person("ada", Role::Owner).await;
        site.person("bob", Role::Member).await;
        site
    }

    async fn person(&self, handle: &str, role: Role) -> UserId {
        let password_hash = secrets::hash_password(&Password::new(PASSWORD).unwrap()).unwrap();
        let (handle, name) = (Handle::new(handle).unwrap(), DisplayName::new(handle).unwrap());
        self.store.create_user(NewUser { handle, name, role, password_hash }).await.unwrap().id
    }

    /// A fresh token of somebody, as `Authorization` wants it.
    async fn token(&self, handle: &str) -> String {
        let account = self.store.account(&Handle::new(handle).unwrap()).await.unwrap().unwrap();
        let secret = secrets::new_secret();
        self.store.create_token(account.user.id, secret.hash, "test".to_owned()).await.unwrap();
        format!("Bearer {}", secret.text)
    }

    /// A fresh session of somebody, as `Cookie` wants it.
    async fn cookie(&self, handle: &str) -> String {
        let credentials = json!({ "handle": handle, "password": PASSWORD });
        let got = self.post("/api/v1/session").json(&credentials).await;
        assert_eq!(got.status, 200, "{}", got.text());
        got.cookie()
    }

    fn ask(&self, method: Method, path: &str) -> Asking<'_> {
        let request = Request::builder().method(method).uri(path).header(HOST, "chat.test");
        Asking { site: self, request, body: Body::empty() }
    }

    fn get(&self, path: &str) -> Asking<'_> {
        self.ask(Method::GET, path)
    }

    fn post(&self, path: &str) -> Asking<'_> {
        self.ask(Method::POST, path)
    }

    async fn general(&self) -> RoomId {
        let ada = self.store.account(&Handle::new("ada").unwrap()).await.unwrap().unwrap();
        self.store.rooms(ada.user.id).await.unwrap()[0].room.id
    }
}

impl Asking<'_> {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    fn bearer(self, token: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), token)
    }

    fn with_cookie(self, cookie: &str) -> Self {
        self.with(COOKIE.as_str(), cookie)
    }

    fn with_body(mut self, content_type: &str, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self.with(CONTENT_TYPE.as_str(), content_type)
    }

    async fn json(self, body: &Value) -> Got {
        self.with_body("application/json", body.to_string()).send().await
    }

    async fn form(self, body: &str) -> Got {
        self.with_body("application/x-www-form-urlencoded", body.to_owned()).send().await
    }

    async fn send(self) -> Got {
        let mut request = self.request.body(self.body).unwrap();
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        request.extensions_mut().insert(Connection { peer, tls: false, place: None });
        Got::from(self.site.router.clone().oneshot(request).await.unwrap()).await
    }
}

impl Got {
    async fn from(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The session that was set, as `Cookie` wants it.
    fn cookie(&self) -> String {
        let cookie = self.header(SET_COOKIE.as_str());
        assert!(cookie.contains("switchback_session="), "no session in {cookie:?}");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Asserts a problem of this status with these words, and its shape.
    fn assert_problem(&self, status: u16, words: &str) -> Value {
        let problem = self.json();
        assert_eq!(self.status, status, "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], status);
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("urn:switchback:error:{code}"));
        assert!(problem["retry"].is_boolean() && problem["title"].is_string(), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{words:?} is not in {problem}");
        problem
    }

    fn assert_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}
