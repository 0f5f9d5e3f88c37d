//! Everything that is not live: `/api/v1`, one request and one answer at a time.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use switchback_core::wire::{
    History, MemberList, Message, Problem, RoomList, RoomView, SessionResponse, SignInRequest, Snapshot,
    UserList,
};
use switchback_core::{MessageId, RoomId, Seq};
use tokio::time::timeout;

use crate::http::{Answer, BodyError, Credential, Http, HttpError};
use crate::{Address, ConnectError, ProxyPolicy, RestError, limits};

/// The REST interface of one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rest {
    http: Http,
}

/// What signing in gives.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who is signed in, and the session's public name.
    pub session: SessionResponse,
    /// The session's secret, ready to be a [`Credential::Cookie`].
    pub cookie: String,
}

impl SignedIn {
    /// What proves it from now on.
    pub fn credential(&self) -> Credential {
        Credential::Cookie(self.cookie.clone())
    }
}

/// Which part of a room's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryPage {
    /// The newest messages.
    Newest,
    /// Those before this position.
    Before(Seq),
    /// Those after it.
    After(Seq),
    /// Those on both sides of it.
    Around(Seq),
}

impl Rest {
    /// For a server, by the proxy that the environment names if it names one; without a credential
    /// only [`Rest::sign_in`] makes sense.
    pub fn new(
        address: Address,
        credential: Option<&Credential>,
        extra_roots: Option<&[u8]>,
    ) -> Result<Self, ConnectError> {
        Self::through(address, credential, extra_roots, &ProxyPolicy::default())
    }

    /// The same, by a proxy or by none.
    pub fn through(
        address: Address,
        credential: Option<&Credential>,
        extra_roots: Option<&[u8]>,
        proxy: &ProxyPolicy,
    ) -> Result<Self, ConnectError> {
        Ok(Self::over(Http::new(address, extra_roots, proxy, credential)?))
    }

    pub(crate) const fn over(http: Http) -> Self {
        Self { http }
    }

    /// `POST /session`: proves a password and gets a session for it.
    pub async fn sign_in(&self, handle: &str, password: &str) -> Result<SignedIn, RestError> {
        let body = SignInRequest { handle: handle.to_owned(), password: password.to_owned() };
        let answer = self.ask(Method::POST, "/session", Some(&body)).await?;
        let cookies = answer.head.headers.get_all(header::SET_COOKIE);
        let cookie = cookies.iter().filter_map(|line| line.to_str().ok()).find_map(session_cookie);
        let session = read(answer).await?;
        let missing = || RestError::Broken("the answer to the sign-in set no cookie".to_owned());
        Ok(SignedIn { session, cookie: cookie.ok_or_else(missing)? })
    }

    /// `DELETE /session`: signs out.
    pub async fn sign_out(&self) -> Result<(), RestError> {
        self.ask(Method::DELETE, "/session", None::<&()>).await.map(drop)
    }

    /// `GET /session`: who asks?
    pub async fn session(&self) -> Result<SessionResponse, RestError> {
        self.get("/session").await
    }

    /// `GET /snapshot`: everything a client needs to draw, and the cursor to begin at.
    pub async fn snapshot(&self) -> Result<Snapshot, RestError> {
        self.get("/snapshot").await
    }

    /// `GET /rooms`: what the asker may see, joined or not.
    pub async fn rooms(&self) -> Result<RoomList, RestError> {
        self.get("/rooms").await
    }

    /// `GET /rooms/{id}`.
    pub async fn room(&self, room: RoomId) -> Result<RoomView, RestError> {
        self.get(&format!("/rooms/{room}")).await
    }

    /// `GET /rooms/{id}/messages`: one page, oldest first.
    pub async fn history(&self, room: RoomId, page: HistoryPage, limit: usize) -> Result<History, RestError> {
        let part = match page {
            HistoryPage::Newest => String::new(),
            HistoryPage::Before(seq) => format!("&before={seq}"),
            HistoryPage::After(seq) => format!("&after={seq}"),
            HistoryPage::Around(seq) => format!("&around={seq}"),
        };
        self.get(&format!("/rooms/{room}/messages?limit={limit}{part}")).await
    }

    /// `GET /rooms/{id}/members`.
    pub async fn members(&self, room: RoomId) -> Result<MemberList, RestError> {
        self.get(&format!("/rooms/{room}/members")).await
    }

    /// `PUT /rooms/{id}/members/me`: comes in.
    pub async fn join(&self, room: RoomId) -> Result<(), RestError> {
        self.ask(Method::PUT, &format!("/rooms/{room}/members/me"), None::<&()>).await.map(drop)
    }

    /// `DELETE /rooms/{id}/members/me`: leaves.
    pub async fn leave(&self, room: RoomId) -> Result<(), RestError> {
        self.ask(Method::DELETE, &format!("/rooms/{room}/members/me"), None::<&()>).await.map(drop)
    }

    /// `GET /messages/{id}`.
    pub async fn message(&self, message: MessageId) -> Result<Message, RestError> {
        self.get(&format!("/messages/{message}")).await
    }

    /// `GET /users`.
    pub async fn users(&self) -> Result<UserList, RestError> {
        self.get("/users").await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RestError> {
        let exchange = async { read(self.ask(Method::GET, path, None::<&()>).await?).await };
        timeout(limits::REST_REQUEST, exchange).await.map_err(|_| RestError::Timeout)?
    }

    /// Sends a request under `/api/v1`; an answer that is not a success is an error.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Answer, RestError> {
        let body = body.map(serde_json::to_vec).transpose()?.map(Bytes::from);
        let request = self.http.request(method, &format!("/api/v1{path}"), body);
        let answer = timeout(limits::REST_REQUEST, self.http.send(request))
            .await
            .map_err(|_| RestError::Timeout)?
            .map_err(unsent)?;
        if answer.status().is_success() { Ok(answer) } else { Err(refused(answer).await) }
    }
}

async fn read<T: DeserializeOwned>(answer: Answer) -> Result<T, RestError> {
    let (status, content_type) = (answer.status(), answer.media_type());
    if content_type != "application/json" {
        return Err(foreign(status, content_type));
    }
    let body = timeout(limits::REST_REQUEST, answer.read(limits::REST_BODY_BYTES));
    let body = body.await.map_err(|_| RestError::Timeout)?.map_err(unread)?;
    Ok(serde_json::from_slice(&body)?)
}

async fn refused(answer: Answer) -> RestError {
    let (status, content_type) = (answer.status(), answer.media_type());
    if content_type != "application/problem+json" {
        return foreign(status, content_type);
    }
    match timeout(limits::REST_REQUEST, answer.read(limits::PROBLEM_BODY_BYTES)).await {
        Err(_) => RestError::Timeout,
        Ok(Err(error)) => unread(error),
        Ok(Ok(body)) => match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => RestError::Problem(Box::new(problem)),
            Err(error) => error.into(),
        },
    }
}

fn foreign(status: StatusCode, content_type: String) -> RestError {
    let content_type = if content_type.is_empty() { "no content type".to_owned() } else { content_type };
    RestError::Foreign { status, content_type }
}

fn unsent(error: HttpError) -> RestError {
    match error {
        HttpError::Dial(error) => RestError::Dial(error),
        HttpError::Broken(error) => RestError::Broken(error.to_string()),
    }
}

fn unread(error: BodyError) -> RestError {
    match error {
        BodyError::TooLong => RestError::TooLong,
        BodyError::Broken(why) => RestError::Broken(why),
    }
}

/// `name=value` of a `Set-Cookie` line that sets the session, whichever of its two names it has.
fn session_cookie(line: &str) -> Option<String> {
    let pair = line.split(';').next()?.trim();
    let (name, value) = pair.split_once('=')?;
    let ours = matches!(name, "switchback_session" | "__Host-switchback_session");
    (ours && !value.is_empty()).then(|| pair.to_owned())
}
