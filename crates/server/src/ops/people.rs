//! People: names, roles, passwords, and who is let in or out.

use switchback_core::UserId;
use switchback_core::wire::{
    ChangePasswordRequest, Role, UpdateUserRequest, UpdateWorkspaceRequest, User, Workspace,
};
use switchback_storage::{Credential, Identity, UserChange};

use super::{Ops, Refusal, is_self, require};

impl Ops {
    /// Everybody, deactivated people too.
    pub(crate) async fn users(&self, _caller: &Identity) -> Result<Vec<User>, Refusal> {
        Ok(self.store().users().await?)
    }

    /// One person.
    pub(crate) async fn user(&self, _caller: &Identity, user: UserId) -> Result<User, Refusal> {
        Ok(self.store().user(user).await?)
    }

    /// Changes a name (one's own, or anybody's for admins), a role (owners), or whether somebody
    /// can sign in (admins; about an owner only owners). Deactivating ends what they have open.
    pub(crate) async fn update_user(
        &self,
        caller: &Identity,
        user: UserId,
        request: UpdateUserRequest,
    ) -> Result<User, Refusal> {
        self.inner.limiters.command(caller.user.id)?;
        let before = self.store().user(user).await?;
        let name = request.name;
        // What stays as it is needs no right, and must not undo what somebody else changes meanwhile.
        let role = request.role.filter(|role| *role != before.role);
        let active = request.active.filter(|active| *active != before.active);
        if name.is_some() && !is_self(caller, user) {
            require(caller, Role::Admin)?;
        }
        if role.is_some() {
            require(caller, Role::Owner)?;
        }
        if active.is_some() {
            require(caller, if before.role == Role::Owner { Role::Owner } else { Role::Admin })?;
        }
        let change = UserChange { name, role, active };
        let after = self.store().update_user(Some(caller.user.id), user, change).await?;
        if !after.active {
            // The log tells it too; this is what makes it happen before the answer.
            self.inner.bus.deactivated(user);
        }
        Ok(after)
    }

    /// Changes one's own password and ends one's other sessions.
    pub(crate) async fn change_password(
        &self,
        caller: &Identity,
        request: ChangePasswordRequest,
    ) -> Result<(), Refusal> {
        let user = caller.user.id;
        self.inner.limiters.password_change(user)?;
        let account = self.store().account_by_id(user).await?;
        let hash = account.map(|account| account.password_hash);
        if !self.inner.passwords.verify(request.current, hash).await? {
            return Err(Refusal::field("current", "this is not your current password"));
        }
        let hash = self.inner.passwords.hash(request.new).await?;
        let keep = match caller.credential {
            Credential::Session(session) => Some(session),
            Credential::Token(_) => None,
        };
        self.store().set_password(user, hash, keep).await?;
        Ok(self.inner.bus.credentials_ended(user).await?)
    }

    /// The workspace.
    pub(crate) async fn workspace(&self) -> Result<Workspace, Refusal> {
        Ok(self.store().workspace().await?)
    }

    /// Gives the workspace another name.
    pub(crate) async fn update_workspace(
        &self,
        caller: &Identity,
        request: UpdateWorkspaceRequest,
    ) -> Result<Workspace, Refusal> {
        require(caller, Role::Admin)?;
        Ok(self.store().rename_workspace(caller.user.id, request.name).await?)
    }
}
