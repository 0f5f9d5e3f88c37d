//! Who is this: signing in and out, sessions, tokens.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use switchback_core::wire::{
    CreateTokenRequest, CreateTokenResponse, SessionInfo, SessionResponse, SignInRequest, Timestamp,
    TokenInfo, User,
};
use switchback_core::{Handle, Label, RoomId, SessionId, TokenId, limits as bounds};
use switchback_storage::{Admission, Credential, Error, Identity, SecretHash};

use super::{Ops, Refusal};
use crate::{limits, secrets};

/// From where somebody signs in.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The address, as far as trusted proxies tell it.
    pub address: IpAddr,
    /// Browser and system, for the list of sessions.
    pub label: String,
}

/// Somebody signed in.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    /// For the cookie.
    pub secret: String,
    /// For the answer.
    pub response: SessionResponse,
}

/// When credentials were last used, until it is written down.
#[derive(Default)]
pub(super) struct Touches(Mutex<HashMap<Credential, Timestamp>>);

impl Touches {
    fn note(&self, credential: Credential, at: Timestamp) {
        let mut touches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if touches.len() < limits::TOUCHES_WAITING || touches.contains_key(&credential) {
            touches.insert(credential, at);
        }
    }

    fn take(&self) -> Vec<(Credential, Timestamp)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}

impl Ops {
    /// Who the bearer of this secret (cookie or token) is.
    pub(crate) async fn identify(&self, secret: &str) -> Result<Identity, Refusal> {
        let identity = self.store().identify(secrets::hash_secret(secret)).await?;
        self.known(identity)
    }

    /// The same, and how many events a room has had that they may see.
    pub(super) async fn reader(&self, secret: &str, room: RoomId) -> Result<(Identity, u64), Refusal> {
        let reader = self.store().reader_of(secrets::hash_secret(secret), room).await?;
        let room_n = reader.as_ref().and_then(|reader| reader.room_n);
        let identity = self.known(reader.map(|reader| reader.identity))?;
        Ok((identity, room_n.ok_or(Error::NotFound("room"))?))
    }

    /// Notes that somebody who is known already has used their credential.
    pub(crate) fn recognized(&self, identity: &Identity) {
        self.inner.touches.note(identity.credential, now());
    }

    fn known(&self, identity: Option<Identity>) -> Result<Identity, Refusal> {
        let identity = identity.ok_or_else(ended)?;
        self.recognized(&identity);
        Ok(identity)
    }

    /// The same for who comes in for a live connection, with what they may see.
    pub(crate) async fn admit(&self, secret: SecretHash) -> Result<Admission, Refusal> {
        let admission = self.store().admit(secret).await?;
        let admission = admission.ok_or_else(ended)?;
        self.recognized(&admission.identity);
        Ok(admission)
    }

    /// Signs in by handle and password.
    pub(crate) async fn sign_in(&self, request: SignInRequest, peer: Peer) -> Result<SignedIn, Refusal> {
        let handle = Handle::new(&request.handle).ok();
        self.inner.limiters.sign_in(peer.address, handle.as_ref().map(Handle::as_str))?;
        let account = match &handle {
            Some(handle) => self.store().account(handle).await?,
            None => None,
        };
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let matches = self.inner.passwords.verify(request.password, hash).await?;
        match account {
            Some(account) if matches && account.user.active => self.open_session(account.user, peer).await,
            Some(_) if matches => {
                Err(Refusal::forbidden("this account is deactivated; ask an admin to let you back in"))
            }
            _ => Err(Refusal::unauthorized("handle or password is wrong")),
        }
    }

    /// Opens a session for somebody who has shown who they are.
    pub(super) async fn open_session(&self, user: User, peer: Peer) -> Result<SignedIn, Refusal> {
        let secret = secrets::new_secret();
        let label = peer.label.chars().take(bounds::LABEL_CHARS).collect();
        let session = self.store().create_session(user.id, secret.hash, label).await?;
        // Of too many sessions the oldest has ended, and its open connections end with it.
        self.inner.bus.credentials_ended(user.id).await?;
        let session = Some(SessionInfo { current: true, ..session });
        Ok(SignedIn { secret: secret.text, response: SessionResponse { user, session } })
    }

    /// Who is signed in, and in which session.
    pub(crate) async fn session(&self, caller: &Identity) -> Result<SessionResponse, Refusal> {
        let sessions = self.sessions(caller).await?;
        let session = sessions.into_iter().find(|session| session.current);
        Ok(SessionResponse { user: caller.user.clone(), session })
    }

    /// Where the caller is signed in.
    pub(crate) async fn sessions(&self, caller: &Identity) -> Result<Vec<SessionInfo>, Refusal> {
        let mut sessions = self.store().sessions(caller.user.id).await?;
        for session in &mut sessions {
            session.current = caller.credential == Credential::Session(session.id);
        }
        Ok(sessions)
    }

    /// Ends the session or token in use, and with it its open connections.
    pub(crate) async fn sign_out(&self, caller: &Identity) -> Result<(), Refusal> {
        match caller.credential {
            Credential::Session(session) => self.end_session(caller, session).await,
            Credential::Token(token) => self.end_token(caller, token).await,
        }
    }

    /// Ends one of the caller's sessions, and with it its open connections.
    pub(crate) async fn end_session(&self, caller: &Identity, session: SessionId) -> Result<(), Refusal> {
        let ended = self.store().end_session(caller.user.id, session).await?;
        self.revoked(caller, Credential::Session(session), ended, "session")
    }

    /// The caller's tokens.
    pub(crate) async fn tokens(&self, caller: &Identity) -> Result<Vec<TokenInfo>, Refusal> {
        Ok(self.store().tokens(caller.user.id).await?)
    }

    /// Makes a token; its secret is shown this once.
    pub(crate) async fn create_token(
        &self,
        caller: &Identity,
        request: CreateTokenRequest,
    ) -> Result<CreateTokenResponse, Refusal> {
        let label = Label::new(&request.label).map_err(|bad| Refusal::text("label", &bad))?;
        self.inner.limiters.command(caller.user.id)?;
        let secret = secrets::new_secret();
        let info = self.store().create_token(caller.user.id, secret.hash, label.as_str().to_owned()).await?;
        Ok(CreateTokenResponse { info, token: secret.text })
    }

    /// Ends one of the caller's tokens, and with it its open connections.
    pub(crate) async fn end_token(&self, caller: &Identity, token: TokenId) -> Result<(), Refusal> {
        let ended = self.store().end_token(caller.user.id, token).await?;
        self.revoked(caller, Credential::Token(token), ended, "token")
    }

    fn revoked(
        &self,
        caller: &Identity,
        credential: Credential,
        ended: bool,
        what: &'static str,
    ) -> Result<(), Refusal> {
        if !ended {
            return Err(Error::NotFound(what).into());
        }
        self.inner.bus.revoked(caller.user.id, credential);
        Ok(())
    }

    pub(super) async fn write_touches(&self) {
        let touches = self.inner.touches.take();
        if touches.is_empty() {
            return;
        }
        // Not worth keeping for another try: the next use notes it again.
        if let Err(error) = self.store().touch(touches).await {
            tracing::debug!(%error, "the last use of credentials was not written down");
        }
    }
}

fn ended() -> Refusal {
    Refusal::unauthorized("this session or token has ended; sign in again")
}

/// Microseconds since 1970 by this machine's clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::try_from(since.as_micros()).unwrap_or(Timestamp::MAX)
}
