//! Signing in and out, tokens, invitations.

use switchback_core::wire::{Invitation, SessionInfo, Timestamp, TokenInfo, User};
use switchback_core::{InvitationId, SessionId, TokenId, UserId};

use crate::db::values;
use crate::read::access::{oldest_alive, usable_invitation};
use crate::read::people;
use crate::tx::{Tx, new_id, now};
use crate::write::people::create;
use crate::{Credential, Error, NewInvitation, NewUser, SecretHash, Store, limits};

impl Store {
    /// Signs somebody in who is active. Of more than `limits::SESSIONS_PER_USER` sessions the one
    /// used longest ago ends.
    pub async fn create_session(
        &self,
        user: UserId,
        secret_hash: SecretHash,
        label: String,
    ) -> Result<SessionInfo, Error> {
        self.write(move |tx| Box::pin(create_session(tx, user, secret_hash, label))).await
    }

    /// Notes when credentials were last used. The caller gathers; one that is no more is skipped.
    pub async fn touch(&self, used: Vec<(Credential, Timestamp)>) -> Result<(), Error> {
        self.write(move |tx| Box::pin(touch(tx, used))).await
    }

    /// Ends a session of this person. `false`: they have no such session.
    pub async fn end_session(&self, user: UserId, session: SessionId) -> Result<bool, Error> {
        self.write(move |tx| Box::pin(end_session(tx, user, session))).await
    }

    /// Makes a token for somebody who is active; `Forbidden` beyond `limits::TOKENS_PER_USER`.
    pub async fn create_token(
        &self,
        user: UserId,
        secret_hash: SecretHash,
        label: String,
    ) -> Result<TokenInfo, Error> {
        self.write(move |tx| Box::pin(create_token(tx, user, secret_hash, label))).await
    }

    /// Ends a token of this person. `false`: they have no such token.
    pub async fn end_token(&self, user: UserId, token: TokenId) -> Result<bool, Error> {
        self.write(move |tx| Box::pin(end_token(tx, user, token))).await
    }

    /// Makes an invitation.
    pub async fn create_invitation(&self, new: NewInvitation) -> Result<Invitation, Error> {
        self.write(move |tx| Box::pin(create_invitation(tx, new))).await
    }

    /// Ends an invitation; one that has ended stays so.
    pub async fn revoke_invitation(&self, invitation: InvitationId) -> Result<(), Error> {
        self.write(move |tx| Box::pin(revoke_invitation(tx, invitation))).await
    }

    /// Makes an account by invitation and counts the use, both or neither.
    pub async fn accept_invitation(&self, secret_hash: SecretHash, new: NewUser) -> Result<User, Error> {
        self.write(move |tx| Box::pin(accept_invitation(tx, secret_hash, new))).await
    }
}

async fn create_session(
    tx: &mut Tx,
    user: UserId,
    secret_hash: SecretHash,
    label: String,
) -> Result<SessionInfo, Error> {
    people::active(&mut tx.conn, user).await?;
    let sql = "DELETE FROM sessions WHERE user_id = $1 AND (last_used_at <= $2 OR id IN \
               (SELECT id FROM sessions WHERE user_id = $1 \
               ORDER BY last_used_at DESC, id DESC LIMIT $4 OFFSET $3))";
    // All but the newest, one fewer than may be; LIMIT is there because OFFSET wants one.
    let values = values![user, oldest_alive(), limits::SESSIONS_PER_USER - 1, i64::MAX];
    tx.conn.run(sql, values).await?;
    let (id, at) = (SessionId::from_uuid(new_id()), now());
    let sql = "INSERT INTO sessions (id, user_id, secret_hash, label, created_at, last_used_at) \
               VALUES ($1, $2, $3, $4, $5, $5)";
    tx.conn.run(sql, values![id, user, secret_hash, label.as_str(), at]).await?;
    Ok(SessionInfo { id, label, created_at: at, last_used_at: at, current: false })
}

async fn touch(tx: &mut Tx, used: Vec<(Credential, Timestamp)>) -> Result<(), Error> {
    for (credential, at) in used {
        match credential {
            Credential::Session(id) => {
                let sql = "UPDATE sessions SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2";
                tx.conn.run(sql, values![id, at]).await?
            }
            Credential::Token(id) => {
                let sql = "UPDATE tokens SET last_used_at = $2 WHERE id = $1 \
                           AND coalesce(last_used_at, 0) < $2";
                tx.conn.run(sql, values![id, at]).await?
            }
        };
    }
    Ok(())
}

async fn end_session(tx: &mut Tx, user: UserId, session: SessionId) -> Result<bool, Error> {
    let sql = "DELETE FROM sessions WHERE id = $1 AND user_id = $2";
    Ok(tx.conn.run(sql, values![session, user]).await? > 0)
}

async fn create_token(
    tx: &mut Tx,
    user: UserId,
    secret_hash: SecretHash,
    label: String,
) -> Result<TokenInfo, Error> {
    people::active(&mut tx.conn, user).await?;
    let sql = "SELECT count(*) AS tokens FROM tokens WHERE user_id = $1";
    let tokens: u64 = tx.conn.one(sql, values![user]).await?.get("tokens")?;
    if tokens >= u64::try_from(limits::TOKENS_PER_USER).unwrap_or(u64::MAX) {
        return Err(Error::Forbidden("you have as many tokens as you can; delete one first"));
    }
    let (id, created_at) = (TokenId::from_uuid(new_id()), now());
    let sql = "INSERT INTO tokens (id, user_id, secret_hash, label, created_at) VALUES ($1, $2, $3, $4, $5)";
    tx.conn.run(sql, values![id, user, secret_hash, label.as_str(), created_at]).await?;
    Ok(TokenInfo { id, label, created_at, last_used_at: None })
}

async fn end_token(tx: &mut Tx, user: UserId, token: TokenId) -> Result<bool, Error> {
    let sql = "DELETE FROM tokens WHERE id = $1 AND user_id = $2";
    Ok(tx.conn.run(sql, values![token, user]).await? > 0)
}

async fn create_invitation(tx: &mut Tx, new: NewInvitation) -> Result<Invitation, Error> {
    people::active(&mut tx.conn, new.creator).await?;
    let (id, created_at) = (InvitationId::from_uuid(new_id()), now());
    let NewInvitation { creator, secret_hash, expires_at, max_uses } = new;
    let sql = "INSERT INTO invitations (id, secret_hash, created_by, created_at, expires_at, max_uses, \
               uses, revoked) VALUES ($1, $2, $3, $4, $5, $6, 0, FALSE)";
    let values = values![id, secret_hash, creator, created_at, expires_at, max_uses];
    tx.conn.run(sql, values).await?;
    let (uses, revoked, url) = (0, false, None);
    Ok(Invitation { id, created_by: creator, created_at, expires_at, max_uses, uses, revoked, url })
}

async fn revoke_invitation(tx: &mut Tx, invitation: InvitationId) -> Result<(), Error> {
    let sql = "UPDATE invitations SET revoked = TRUE WHERE id = $1";
    match tx.conn.run(sql, values![invitation]).await? {
        0 => Err(Error::NotFound("invitation")),
        _ => Ok(()),
    }
}

async fn accept_invitation(tx: &mut Tx, secret_hash: SecretHash, new: NewUser) -> Result<User, Error> {
    let invitation = usable_invitation(&mut tx.conn, secret_hash, now()).await?;
    let sql = "UPDATE invitations SET uses = uses + 1 WHERE id = $1";
    tx.conn.run(sql, values![invitation.id]).await?;
    create(tx, new).await
}
