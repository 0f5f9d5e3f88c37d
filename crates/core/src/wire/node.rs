//! What the nodes of one workspace say to each other over the bus.
//!
//! The bus is a doorbell: it may lose, double and delay what it carries, and the database is the
//! truth. So nothing here is needed for a message to arrive; it makes it arrive sooner. Frames
//! travel several at once in one envelope. A frame that a node does not know is skipped, so that
//! two versions can stand beside each other while a team upgrades. Of another version's doorbell
//! only the ringing counts: it may know events, and things about them, that this one does not, or
//! leave out what this one knows of.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Event, PresenceState};
use crate::{RoomId, Seq, SessionId, TokenId, UserId};

/// One thing that a node tells the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum NodeFrame {
    /// This node has just come, or was away: whoever hears it says who is with them, and makes sure
    /// of what it may have missed.
    #[serde(rename = "node.hello")]
    Hello,
    /// Still here.
    #[serde(rename = "node.beat")]
    Beat,
    /// The doorbell: the log has come this far.
    #[serde(rename = "log.head")]
    Head {
        /// The last event's position.
        seq: Seq,
        /// The events that end there, in order, where they are small; none otherwise.
        events: Vec<AddressedEvent>,
    },
    /// How people are who are with this node.
    #[serde(rename = "presence.standing")]
    Standing {
        /// Each as a whole; who is not named is as they were.
        people: Vec<Standing>,
    },
    /// Somebody says how they are on one of their devices, which may be with another node.
    #[serde(rename = "presence.declared")]
    Declared {
        /// Who.
        user: UserId,
        /// On which device.
        device: Device,
        /// How.
        state: PresenceState,
    },
    /// Somebody is writing.
    #[serde(rename = "typing")]
    Typing {
        /// Who.
        user: UserId,
        /// Where; membership was checked.
        room: RoomId,
    },
    /// Sessions or tokens of somebody have ended: look up which are left.
    #[serde(rename = "credentials.ended")]
    CredentialsEnded {
        /// Whose.
        user: UserId,
    },
    /// An account was deactivated.
    #[serde(rename = "user.deactivated")]
    Deactivated {
        /// Whose.
        user: UserId,
    },
}

/// An event and those who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressedEvent {
    /// Who.
    pub to: Addressees,
    /// What they see.
    pub event: Event,
}

/// Who may see an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressees {
    /// Every active account.
    Everyone,
    /// Members of the room who joined at or before the event.
    Room(RoomId),
    /// These members, and one person besides.
    RoomAnd(RoomId, UserId),
    /// One person alone.
    User(UserId),
}

/// How somebody is, as far as one node can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Who.
    #[serde(rename = "u")]
    pub user: UserId,
    /// How; offline: nothing is known of them there any more.
    #[serde(rename = "s")]
    pub state: PresenceState,
    /// Whether they have a live connection; if not, they had one a moment ago.
    #[serde(rename = "l")]
    pub live: bool,
}

/// A device is what somebody signed in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// A browser's session.
    Session(SessionId),
    /// A bearer token.
    Token(TokenId),
}

/// Frames of one node, as they are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Names the node for as long as it runs.
    pub node: Uuid,
    /// In order.
    pub frames: Vec<NodeFrame>,
    /// How many there were besides that this version does not know.
    pub unknown: usize,
}

/// What is not an envelope.
#[derive(Debug, thiserror::Error)]
#[error("not an envelope: {0}")]
pub struct BadEnvelope(#[from] serde_json::Error);

#[derive(Deserialize)]
struct Raw<'t> {
    node: Uuid,
    #[serde(borrow)]
    frames: Vec<&'t RawValue>,
}

/// Which version says something about events.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A doorbell, whatever version it is of.
#[derive(Deserialize)]
struct Bell<'t> {
    #[serde(rename = "type")]
    kind: &'t str,
    seq: Seq,
    version: Option<&'t str>,
}

impl NodeFrame {
    /// As JSON.
    pub fn encode(&self) -> String {
        // No maps with odd keys and no failing serializers; an empty object is skipped.
        serde_json::to_string(self).unwrap_or_else(|_| String::from("{}"))
    }
}

impl Envelope {
    /// Bytes of an envelope besides its frames and the commas between them.
    pub const AROUND_BYTES: usize = r#"{"node":"","frames":[]}"#.len() + uuid::fmt::Hyphenated::LENGTH;

    /// Puts frames, each as JSON, into one envelope.
    pub fn encode(node: Uuid, frames: &[String]) -> String {
        format!(r#"{{"node":"{node}","frames":[{}]}}"#, frames.join(","))
    }

    /// Opens one.
    pub fn decode(text: &str) -> Result<Self, BadEnvelope> {
        let raw: Raw<'_> = serde_json::from_str(text)?;
        let frames: Vec<NodeFrame> =
            raw.frames.iter().filter_map(|frame| decode_frame(frame.get())).collect();
        let unknown = raw.frames.len() - frames.len();
        Ok(Self { node: raw.node, frames, unknown })
    }
}

fn decode_frame(text: &str) -> Option<NodeFrame> {
    let bell = serde_json::from_str::<Bell<'_>>(text).ok().filter(|bell| bell.kind == "log.head");
    let Some(Bell { seq, version, .. }) = bell else { return serde_json::from_str(text).ok() };
    let whole = if version == Some(VERSION) { serde_json::from_str(text).ok() } else { None };
    Some(whole.unwrap_or(NodeFrame::Head { seq, events: Vec::new() }))
}

/// An event that is already JSON, with those who may see it, as [`AddressedEvent`] spells it.
pub fn addressed(to: Addressees, event: &str) -> String {
    let to = serde_json::to_string(&to).unwrap_or_else(|_| String::from("null"));
    format!(r#"{{"to":{to},"event":{event}}}"#)
}

/// [`NodeFrame::Head`] of events that are already JSON, each from [`addressed`].
pub fn head(seq: Seq, events: &[String]) -> String {
    format!(r#"{{"type":"log.head","version":"{VERSION}","seq":{seq},"events":[{}]}}"#, events.join(","))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;
    use crate::wire::{EventBody, Message, Quote, Reaction, Room, RoomKind, Workspace};
    use crate::{MessageId, Nonce};

    fn user() -> UserId {
        UserId::from_uuid(Uuid::from_u128(7))
    }

    fn event(seq: Seq) -> Event {
        let body = EventBody::ReadMarked { read_seq: 3, unread: 2, mentions: 1 };
        Event { body, seq, n: None, room: Some(RoomId::from_uuid(Uuid::nil())), at: 5, actor: Some(user()) }
    }

    fn reopened(frames: &[String]) -> Envelope {
        let text = Envelope::encode(Uuid::nil(), frames);
        let commas = frames.len().saturating_sub(1);
        let inside: usize = frames.iter().map(String::len).sum();
        assert_eq!(text.len(), Envelope::AROUND_BYTES + inside + commas);
        Envelope::decode(&text).unwrap()
    }

    #[test]
    fn what_is_put_in_comes_out() {
        let room = RoomId::from_uuid(Uuid::from_u128(9));
        let device = Device::Session(SessionId::from_uuid(Uuid::from_u128(4)));
        let people = vec![Standing { user: user(), state: PresenceState::Away, live: true }];
        let frames = [
            NodeFrame::Hello,
            NodeFrame::Beat,
            NodeFrame::Standing { people },
            NodeFrame::Declared { user: user(), device, state: PresenceState::Online },
            NodeFrame::Typing { user: user(), room },
            NodeFrame::CredentialsEnded { user: user() },
            NodeFrame::Deactivated { user: user() },
        ];
        let encoded: Vec<String> = frames.iter().map(NodeFrame::encode).collect();
        let envelope = reopened(&encoded);
        assert_eq!((envelope.frames.as_slice(), envelope.unknown), (&frames[..], 0));
    }

    #[test]
    fn an_event_that_is_already_encoded_is_the_same_event() {
        let tos = [
            Addressees::Everyone,
            Addressees::Room(RoomId::from_uuid(Uuid::nil())),
            Addressees::RoomAnd(RoomId::from_uuid(Uuid::nil()), user()),
            Addressees::User(user()),
        ];
        let events: Vec<_> = tos.iter().map(|to| AddressedEvent { to: *to, event: event(12) }).collect();
        let encoded: Vec<_> = events
            .iter()
            .map(|event| addressed(event.to, &serde_json::to_string(&event.event).unwrap()))
            .collect();
        assert_eq!(reopened(&[head(12, &encoded)]).frames, [NodeFrame::Head { seq: 12, events }]);
    }

    #[test]
    fn whatever_an_event_speaks_of_is_told_on_as_it_was() {
        let odd = "\u{0}\n\"\\\u{2028}\u{7f}\u{1f469}\u{200d}\u{1f680}</script>".to_owned();
        let (id, room) = (Uuid::from_u128(1), RoomId::from_uuid(Uuid::from_u128(2)));
        let quote =
            Quote { id: MessageId::from_uuid(id), author: user(), excerpt: odd.clone(), deleted: true };
        let reaction = Reaction { emoji: crate::Emoji::new("\u{1f44d}").unwrap(), users: vec![user()] };
        let message = Message {
            id: MessageId::from_uuid(id),
            room,
            author: user(),
            seq: Seq::MAX >> 11,
            at: -1,
            edited_at: Some(i64::MAX),
            body: odd.clone(),
            html: odd.clone(),
            nonce: Nonce::from_uuid(id),
            reply_to: Some(quote),
            reactions: vec![reaction],
            mentions: vec![user()],
            mentions_room: true,
            deleted: false,
        };
        let room_info = Room {
            id: room,
            kind: RoomKind::Direct,
            name: None,
            topic: odd,
            archived: true,
            general: false,
            member_count: 2,
            members: Some(vec![user()]),
            created_at: 0,
        };
        let bare = Room { members: None, name: Some(String::new()), ..room_info.clone() };
        let bodies = [
            EventBody::MessagePosted { message },
            EventBody::MemberJoined { user: user(), room_info },
            EventBody::RoomRenamed { room_info: bare },
            EventBody::WorkspaceRenamed { workspace: Workspace { name: "Acme".to_owned() } },
        ];
        for body in bodies {
            let json = serde_json::to_string(&Event { body, ..event(12) }).unwrap();
            let envelope = reopened(&[head(12, &[addressed(Addressees::Everyone, &json)])]);
            let [NodeFrame::Head { events, .. }] = envelope.frames.as_slice() else { panic!("{json}") };
            assert_eq!(serde_json::to_string(&events[0].event).unwrap(), json);
        }
    }

    #[test]
    fn another_versions_doorbell_is_heard_and_its_events_are_left_to_the_database() {
        let rung = [NodeFrame::Head { seq: 12, events: Vec::new() }];
        let json = serde_json::to_string(&event(12)).unwrap();
        let own = head(12, &[addressed(Addressees::Everyone, &json)]);
        let others = own.replace(VERSION, "99.0.0");
        assert_eq!(reopened(&[others]).frames, rung, "understood, perhaps not all of it");
        let unknown = own.replace("read.marked", "read.aloud");
        assert_eq!(reopened(&[unknown]).frames, rung, "not understood");
        assert_ne!(reopened(&[own]).frames, rung);
    }

    #[test]
    fn what_a_newer_version_says_is_skipped() {
        let envelope = reopened(&[r#"{"type":"node.dances"}"#.to_owned(), NodeFrame::Beat.encode()]);
        assert_eq!((envelope.frames.as_slice(), envelope.unknown), (&[NodeFrame::Beat][..], 1));
        for bad in ["", "{}", "[]", r#"{"node":"x","frames":[]}"#] {
            assert!(Envelope::decode(bad).is_err(), "{bad}");
        }
    }
}
