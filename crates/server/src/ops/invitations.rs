//! How people come in: the set-up link makes the owner, invitation links everybody else.

use switchback_core::InvitationId;
use switchback_core::wire::{
    CreateInvitationRequest, Invitation, JoinRequest, Role, SetupRequest, Timestamp, User,
};
use switchback_storage::{Error, Identity, NewInvitation, NewUser, Setup};

use super::access::now;
use super::{Ops, Peer, Refusal, SignedIn, require};
use crate::{limits, secrets};

const US_PER_S: i64 = 1_000_000;

impl Ops {
    /// Whether nobody owns this workspace yet.
    pub(crate) async fn needs_setup(&self) -> Result<bool, Refusal> {
        Ok(self.store().needs_setup().await?)
    }

    /// A fresh set-up secret if nobody owns this workspace yet; an earlier one no longer works.
    pub(crate) async fn new_setup_secret(&self) -> Result<Option<String>, Refusal> {
        if !self.needs_setup().await? {
            return Ok(None);
        }
        let secret = secrets::new_secret();
        self.store().set_setup_secret(secret.hash).await?;
        Ok(Some(secret.text))
    }

    /// Makes the owner and signs them in.
    pub(crate) async fn set_up(&self, request: SetupRequest, peer: Peer) -> Result<SignedIn, Refusal> {
        self.inner.limiters.sign_in(peer.address, None)?;
        // Before the slow part: once there is an owner, asking must not cost a hash.
        if !self.needs_setup().await? {
            return Err(Error::Gone("this workspace has an owner already").into());
        }
        let SetupRequest { token, workspace, handle, name, password } = request;
        let password_hash = self.inner.passwords.hash(password).await?;
        let owner = NewUser { handle, name, role: Role::Owner, password_hash };
        let secret_hash = secrets::hash_secret(&token);
        let owner = self.store().set_up(Setup { secret_hash, workspace, owner }).await?;
        self.open_session(owner, peer).await
    }

    /// Makes an account by invitation and signs it in.
    pub(crate) async fn join(&self, request: JoinRequest, peer: Peer) -> Result<SignedIn, Refusal> {
        self.inner.limiters.sign_in(peer.address, None)?;
        let JoinRequest { token, handle, name, password } = request;
        let secret_hash = secrets::hash_secret(&token);
        // Before the slow part: a bad link must not cost a hash.
        self.store().invitation_by_secret(secret_hash).await?;
        let password_hash = self.inner.passwords.hash(password).await?;
        let new = NewUser { handle, name, role: Role::Member, password_hash };
        let user = self.store().accept_invitation(secret_hash, new).await?;
        self.open_session(user, peer).await
    }

    /// The invitation behind a link, if it can still be used, and who made it.
    pub(crate) async fn invitation(&self, token: &str) -> Result<(Invitation, User), Refusal> {
        let invitation = self.store().invitation_by_secret(secrets::hash_secret(token)).await?;
        let inviter = self.store().user(invitation.created_by).await?;
        Ok((invitation, inviter))
    }

    /// Invitations, newest first.
    pub(crate) async fn invitations(&self, caller: &Identity) -> Result<Vec<Invitation>, Refusal> {
        require(caller, Role::Admin)?;
        Ok(self.store().invitations().await?)
    }

    /// Makes an invitation. `base_url` is what the link begins with; the link is shown this once.
    pub(crate) async fn invite(
        &self,
        caller: &Identity,
        request: CreateInvitationRequest,
        base_url: &str,
    ) -> Result<Invitation, Refusal> {
        require(caller, Role::Admin)?;
        let expires_at = Some(expiry(request.expires_in_s)?);
        let max_uses = request.max_uses;
        if max_uses.is_some_and(|uses| uses == 0 || uses > limits::INVITATION_MAX_USES) {
            let detail = format!("max_uses must be 1 to {}", limits::INVITATION_MAX_USES);
            return Err(Refusal::field("max_uses", detail));
        }
        let secret = secrets::new_secret();
        let new = NewInvitation { creator: caller.user.id, secret_hash: secret.hash, expires_at, max_uses };
        let invitation = self.store().create_invitation(new).await?;
        let url = Some(format!("{}/join/{}", base_url.trim_end_matches('/'), secret.text));
        Ok(Invitation { url, ..invitation })
    }

    /// Ends an invitation.
    pub(crate) async fn revoke_invitation(
        &self,
        caller: &Identity,
        invitation: InvitationId,
    ) -> Result<(), Refusal> {
        require(caller, Role::Admin)?;
        Ok(self.store().revoke_invitation(invitation).await?)
    }
}

fn expiry(expires_in_s: Option<u64>) -> Result<Timestamp, Refusal> {
    let seconds = expires_in_s.unwrap_or(limits::INVITATION_DEFAULT_S);
    if seconds == 0 || seconds > limits::INVITATION_MAX_S {
        let detail = format!("expires_in_s must be 1 to {} seconds", limits::INVITATION_MAX_S);
        return Err(Refusal::field("expires_in_s", detail));
    }
    Ok(now() + i64::try_from(seconds).unwrap_or(0) * US_PER_S)
}
