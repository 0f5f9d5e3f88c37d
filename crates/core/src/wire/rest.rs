//! Bodies of the REST interface under `/api/v1`: everything that is not live.

use serde::{Deserialize, Serialize};

use super::{
    Message, PresenceChange, Role, RoomKind, RoomView, SessionInfo, Timestamp, TokenInfo, User, Workspace,
};
use crate::{
    Cursor, DisplayName, Handle, InvitationId, Password, RoomName, Seq, Topic, UserId, WorkspaceName,
};

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
            #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }
        )*
    };
}

bodies! {
    /// `POST /api/v1/setup`: makes the owner, once.
    SetupRequest {
        /// From the address printed at first start.
        token: String,
        /// The workspace's name.
        workspace: WorkspaceName,
        /// The owner's handle.
        handle: Handle,
        /// The owner's name.
        name: DisplayName,
        /// The owner's password.
        password: Password,
    }

    /// `POST /api/v1/session`: sign in.
    SignInRequest {
        /// As typed.
        handle: String,
        /// As typed.
        password: String,
    }

    /// `GET /api/v1/session` and the answer to every sign-in.
    SessionResponse {
        /// Who is signed in.
        user: User,
        /// The session in use; `null` when a token was used.
        session: Option<SessionInfo>,
    }

    /// `GET /api/v1/sessions`.
    SessionList {
        /// Newest use first.
        sessions: Vec<SessionInfo>,
    }

    /// `GET /api/v1/snapshot`: everything a client needs to draw, as of `cursor`.
    Snapshot {
        /// Where events go on.
        cursor: Cursor,
        /// Which workspace.
        workspace: Workspace,
        /// Who asks.
        me: User,
        /// Everybody, deactivated people too (their messages need a name).
        users: Vec<User>,
        /// The rooms the asker is a member of; `general` first, then by name; direct ones last.
        rooms: Vec<RoomView>,
        /// Everybody who is not offline.
        presence: Vec<PresenceChange>,
    }

    /// `GET /api/v1/rooms`: what the asker may see, joined or not.
    RoomList {
        /// By name.
        rooms: Vec<RoomView>,
    }

    /// `POST /api/v1/rooms`.
    CreateRoomRequest {
        /// `public` or `private`.
        kind: RoomKind,
        /// Unique among rooms.
        name: RoomName,
        /// One line; may be left out.
        #[serde(default)]
        topic: Option<Topic>,
    }

    /// `POST /api/v1/direct`: opens the conversation with these people, making it if need be.
    OpenDirectRequest {
        /// The others; nobody: a note to oneself.
        users: Vec<UserId>,
    }

    /// `PATCH /api/v1/rooms/{id}`: what is left out stays.
    UpdateRoomRequest {
        /// Another name.
        #[serde(default)]
        name: Option<RoomName>,
        /// Another topic.
        #[serde(default)]
        topic: Option<Topic>,
        /// Close or open again.
        #[serde(default)]
        archived: Option<bool>,
    }

    /// `GET /api/v1/rooms/{id}/members`.
    MemberList {
        /// By the time they joined.
        members: Vec<UserId>,
    }

    /// `GET /api/v1/rooms/{id}/messages`.
    History {
        /// Oldest first.
        messages: Vec<Message>,
        /// There are older ones.
        has_before: bool,
        /// There are newer ones.
        has_after: bool,
    }

    /// `GET /api/v1/search`.
    SearchResults {
        /// Newest first.
        messages: Vec<Message>,
        /// There may be older ones: ask again with this `before`. `null`: there are none.
        before: Option<Seq>,
        /// What happened up to here was looked at.
        indexed_to: Seq,
        /// That is all there is. `false`: the index is behind, and will catch up.
        complete: bool,
    }

    /// `GET /api/v1/users`.
    UserList {
        /// By handle.
        users: Vec<User>,
    }

    /// `PATCH /api/v1/users/{id}`: what is left out stays. One's own name; the rest for admins.
    UpdateUserRequest {
        /// Another name.
        #[serde(default)]
        name: Option<DisplayName>,
        /// Another role.
        #[serde(default)]
        role: Option<Role>,
        /// Deactivate or let back in.
        #[serde(default)]
        active: Option<bool>,
    }

    /// `PUT /api/v1/users/me/password`. Ends one's other sessions.
    ChangePasswordRequest {
        /// The one in use.
        current: String,
        /// The one to be.
        new: Password,
    }

    /// An invitation link.
    Invitation {
        /// Its public name.
        id: InvitationId,
        /// Who made it.
        created_by: UserId,
        /// When.
        created_at: Timestamp,
        /// When it stops working; `null`: never.
        expires_at: Option<Timestamp>,
        /// How often it can be used; `null`: without limit.
        max_uses: Option<u32>,
        /// How often it was.
        uses: u32,
        /// Somebody ended it.
        revoked: bool,
        /// The link, only in the answer to its creation: the server keeps no more than a hash.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    }

    /// `GET /api/v1/invitations`.
    InvitationList {
        /// Newest first.
        invitations: Vec<Invitation>,
    }

    /// `POST /api/v1/invitations`.
    CreateInvitationRequest {
        /// Seconds until it stops working; `null` or left out: 7 days.
        #[serde(default)]
        expires_in_s: Option<u64>,
        /// `null` or left out: without limit.
        #[serde(default)]
        max_uses: Option<u32>,
    }

    /// `POST /api/v1/join`: makes an account by invitation.
    JoinRequest {
        /// The last part of the invitation's link.
        token: String,
        /// The new handle.
        handle: Handle,
        /// The new name.
        name: DisplayName,
        /// The new password.
        password: Password,
    }

    /// `GET /api/v1/tokens`.
    TokenList {
        /// Newest first.
        tokens: Vec<TokenInfo>,
    }

    /// `POST /api/v1/tokens`.
    CreateTokenRequest {
        /// What it is for.
        label: String,
    }

    /// The answer to it.
    CreateTokenResponse {
        /// As in the list.
        info: TokenInfo,
        /// The secret, shown this once: `Authorization: Bearer <token>`.
        token: String,
    }

    /// `PATCH /api/v1/workspace`.
    UpdateWorkspaceRequest {
        /// Another name.
        name: WorkspaceName,
    }
}
