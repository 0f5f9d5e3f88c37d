//! Each JSON shape that crosses a connection, pinned: `golden/*.json` are what this version writes,
//! byte for byte, and reads back as the same value. A client in another language can read them,
//! and `docs/PROTOCOL.md` quotes them.
//!
//! `UPDATE_GOLDEN=1 cargo test -p switchback-core --test golden -- --test-threads=1` rewrites files
//! and quotes; look at the difference before it is committed: what is released only grows.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use std::fmt::Debug;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use switchback_core::wire::*;
use switchback_core::{Password, RoomName, WorkspaceName};

mod sample;

use sample::*;

#[test]
fn frames_of_the_server() {
    check_frame("hello", ServerFrame::Hello(hello(Transport::Websocket)));
    check_frame("ready", ServerFrame::Ready { cursor: cursor(), seen: 7 });
    check_frame("heartbeat", ServerFrame::Heartbeat { cursor: cursor() });
    check_frame("typing", ServerFrame::Typing { room: design(), user: ada() });
    let changes = vec![
        PresenceChange { user: ada(), state: PresenceState::Online },
        PresenceChange { user: bob(), state: PresenceState::Away },
    ];
    check_frame("presence_full", ServerFrame::Presence { full: true, changes });
    let changes = vec![PresenceChange { user: bob(), state: PresenceState::Offline }];
    check_frame("presence", ServerFrame::Presence { full: false, changes });
    check_frame("reset", ServerFrame::Reset { reason: ResetReason::ForeignEpoch, cursor: cursor() });
    check_frame("bye", ServerFrame::Bye { reason: ByeReason::GoingAway, retry_ms: Some(1_834) });
    check_frame("bye_for_good", ServerFrame::Bye { reason: ByeReason::SignedOut, retry_ms: None });
    let id = Some(CommandId::Number(7));
    check_frame("ack", ServerFrame::Ack(Ack { id: id.clone(), seq: Some(42), message: Some(message()) }));
    check_frame("ack_without_event", ServerFrame::Ack(Ack { id, seq: None, message: None }));
    check_frame("error", ServerFrame::Error(refused()));
    check_frame("error_rate_limited", ServerFrame::Error(slow_down()));
}

#[test]
fn events_of_the_log() {
    let posted = |message| EventBody::MessagePosted { message };
    check_event(posted(message()), Some(17));
    check_event(EventBody::MessageEdited { message: edited() }, Some(18));
    check_event(EventBody::MessageDeleted { message: tombstone() }, Some(19));
    check_event(EventBody::ReactionAdded { message: answer(), emoji: thumb(), user: ada() }, Some(20));
    check_event(EventBody::ReactionRemoved { message: answer(), emoji: thumb(), user: ada() }, Some(21));
    check_event(EventBody::RoomCreated { room_info: room() }, Some(1));
    check_event(EventBody::RoomRenamed { room_info: room() }, Some(22));
    check_event(EventBody::RoomTopicChanged { room_info: room() }, Some(23));
    let archived = Room { archived: true, ..room() };
    check_event(EventBody::RoomArchived { room_info: archived }, Some(24));
    check_event(EventBody::RoomUnarchived { room_info: room() }, Some(25));
    check_event(EventBody::MemberJoined { user: bob(), room_info: room() }, Some(26));
    let smaller = Room { member_count: 1, ..room() };
    check_event(EventBody::MemberLeft { user: bob(), room_info: smaller }, Some(27));
    check_event(EventBody::UserJoined { user: user_bob() }, None);
    let deactivated = User { active: false, ..user_bob() };
    check_event(EventBody::UserUpdated { user: deactivated }, None);
    check_event(EventBody::WorkspaceRenamed { workspace: workspace() }, None);
    check_event(EventBody::ReadMarked { read_seq: 42, unread: 0, mentions: 0 }, None);
}

#[test]
fn commands_of_the_client() {
    let (room, message, emoji) = (design(), answer(), thumb());
    let post = |reply_to| Command::MessagePost { room, nonce: nonce(), body: text("Yes."), reply_to };
    check_command("message.post", Some(CommandId::Number(7)), post(None));
    check_command("message.post_reply", Some(CommandId::Text("a7".into())), post(Some(question())));
    check_command("message.edit", None, Command::MessageEdit { message, body: text("Yes: *on Tuesday*.") });
    check_command("message.delete", None, Command::MessageDelete { message });
    check_command("reaction.add", None, Command::ReactionAdd { message, emoji: emoji.clone() });
    check_command("reaction.remove", None, Command::ReactionRemove { message, emoji });
    check_command("read.mark", None, Command::ReadMark { room, seq: 42 });
    check_command("typing", None, Command::Typing { room });
    check_command("presence", None, Command::Presence { state: PresenceState::Away });
    check_command("ping", Some(CommandId::Number(8)), Command::Ping);
}

#[test]
fn problems() {
    check("problem", &Problem::from(refused()));
    check("problem_rate_limited", &Problem::from(slow_down()));
    check("problem_not_acceptable", &switchback_core::upgrade::Reject::NotAcceptable.problem());
}

#[test]
fn bodies_of_sign_in() {
    let password: Password = text("correct horse battery");
    check(
        "rest.setup_request",
        &SetupRequest {
            token: "sbs_one-time".into(),
            workspace: text::<WorkspaceName>("Analytical Engines"),
            handle: text("ada"),
            name: text("Ada Lovelace"),
            password: password.clone(),
        },
    );
    let (handle, name) = (text("bob"), text("Bob"));
    check(
        "rest.join_request",
        &JoinRequest { token: "sbi_a-link".into(), handle, name, password: password.clone() },
    );
    let typed = password.as_str().to_owned();
    check("rest.sign_in_request", &SignInRequest { handle: "ada".into(), password: typed.clone() });
    check("rest.session_response", &SessionResponse { user: user_ada(), session: Some(session_info()) });
    check("rest.session_list", &SessionList { sessions: vec![session_info()] });
    check("rest.change_password_request", &ChangePasswordRequest { current: typed, new: password });
}

#[test]
fn bodies_about_rooms_and_messages() {
    check(
        "rest.snapshot",
        &Snapshot {
            cursor: cursor(),
            workspace: workspace(),
            me: user_ada(),
            users: vec![user_ada(), user_bob()],
            rooms: vec![room_view(), direct_view()],
            presence: vec![PresenceChange { user: ada(), state: PresenceState::Online }],
        },
    );
    check("rest.room_view", &room_view());
    check("rest.room_list", &RoomList { rooms: vec![room_view()] });
    let (name, topic) = (text::<RoomName>("design"), Some(text("What we build next")));
    check("rest.create_room_request", &CreateRoomRequest { kind: RoomKind::Private, name, topic });
    let name = Some(text("design-2"));
    check("rest.update_room_request", &UpdateRoomRequest { name, topic: None, archived: Some(true) });
    check("rest.open_direct_request", &OpenDirectRequest { users: vec![bob()] });
    check("rest.member_list", &MemberList { members: vec![ada(), bob()] });
    check("rest.history", &History { messages: vec![message()], has_before: true, has_after: false });
    check("rest.message", &edited());
    check(
        "rest.search_results",
        &SearchResults { messages: vec![message()], before: Some(42), indexed_to: 4_711, complete: true },
    );
}

#[test]
fn a_history_of_encoded_messages_is_the_same_bytes() {
    let all = vec![message(), edited(), message(), edited()];
    let check = |encoded: Vec<EncodedStretch>, messages: &[Message], has_before, has_after| {
        let encoded = EncodedHistory { messages: encoded, has_before, has_after }.encode();
        let plain = History { messages: messages.to_vec(), has_before, has_after };
        let plain = serde_json::to_vec(&plain).unwrap();
        assert_eq!(String::from_utf8(encoded).unwrap(), String::from_utf8(plain).unwrap());
    };
    let encoded = EncodedMessages::of(&all).unwrap();
    check(Vec::new(), &[], false, true);
    for start in 0..all.len() {
        for end in start + 1..=all.len() {
            check(vec![encoded.stretch(start..end)], &all[start..end], true, false);
            check(vec![encoded.part(start..end).stretch(0..end - start)], &all[start..end], true, false);
        }
        if start > 0 {
            let joined = encoded.part(0..start).then(&encoded.part(start..all.len()));
            assert_eq!(joined.size_bytes(), encoded.size_bytes());
            check(
                vec![joined.stretch(start - 1..start), joined.stretch(start..4)],
                &all[start - 1..],
                true,
                true,
            );
        }
    }
}

#[test]
fn bodies_about_people() {
    check("rest.user", &user_ada());
    check("rest.user_list", &UserList { users: vec![user_ada(), user_bob()] });
    let name = Some(text("Bob the Builder"));
    check(
        "rest.update_user_request",
        &UpdateUserRequest { name, role: Some(Role::Admin), active: Some(true) },
    );
    let invitation = Invitation {
        id: text("019cad60-0000-7000-8000-00000000f003"),
        created_by: ada(),
        created_at: MORNING,
        expires_at: Some(MORNING + 7 * 86_400_000_000),
        max_uses: Some(10),
        uses: 0,
        revoked: false,
        url: None,
    };
    let url = Some("https://chat.example/join/sbi_a-link".to_owned());
    check("rest.invitation", &Invitation { url, ..invitation.clone() });
    check("rest.invitation_list", &InvitationList { invitations: vec![invitation] });
    let week = Some(7 * 86_400);
    check(
        "rest.create_invitation_request",
        &CreateInvitationRequest { expires_in_s: week, max_uses: Some(10) },
    );
    check("rest.token_list", &TokenList { tokens: vec![token_info()] });
    check("rest.create_token_request", &CreateTokenRequest { label: "deploy bot".into() });
    check(
        "rest.create_token_response",
        &CreateTokenResponse { info: token_info(), token: "sbt_shown-once".into() },
    );
    check("rest.workspace", &workspace());
    check("rest.update_workspace_request", &UpdateWorkspaceRequest { name: text("Difference Engines") });
}

#[test]
fn words_with_a_fixed_meaning() {
    check("words.transport", &[Transport::Websocket, Transport::Sse, Transport::Batch]);
    check("words.presence", &[PresenceState::Online, PresenceState::Away, PresenceState::Offline]);
    check("words.role", &[Role::Member, Role::Admin, Role::Owner]);
    check("words.room_kind", &[RoomKind::Public, RoomKind::Private, RoomKind::Direct]);
    check(
        "words.reset_reason",
        &[ResetReason::ForeignEpoch, ResetReason::Ahead, ResetReason::Behind, ResetReason::Malformed],
    );
    check(
        "words.bye_reason",
        &[
            ByeReason::GoingAway,
            ByeReason::SignedOut,
            ByeReason::Deactivated,
            ByeReason::NoProgress,
            ByeReason::BadCommandStream,
            ByeReason::TooBig,
            ByeReason::Unsupported,
            ByeReason::TooManyConnections,
        ],
    );
    check("words.error_code", &error_codes());
}

#[test]
fn an_error_code_is_written_as_it_says() {
    for code in error_codes() {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert!((400..600).contains(&code.status()) && !code.title().is_empty());
    }
}

#[test]
fn what_a_later_version_adds_is_skipped() {
    let event = Incoming::parse(r#"{"type":"poll.opened","seq":43,"n":28,"poll":{"deep":[1]}}"#).unwrap();
    assert_eq!(event, Incoming::Unknown { kind: "poll.opened".into(), seq: Some(43) });
    let frame = Incoming::parse(r#"{"type":"weather"}"#).unwrap();
    assert_eq!(frame, Incoming::Unknown { kind: "weather".into(), seq: None });
    let more = Incoming::parse(r#"{"type":"heartbeat","cursor":"k7q2m9.42","mood":"good"}"#).unwrap();
    assert_eq!(more, Incoming::Frame(Box::new(ServerFrame::Heartbeat { cursor: cursor() })));
}

#[test]
fn no_golden_file_breaks_a_reader_however_it_is_damaged() {
    for file in std::fs::read_dir(directory()).unwrap() {
        let json = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for cut in (0..json.len()).filter(|&at| json.is_char_boundary(at)) {
            let _ = Incoming::parse(&json[..cut]);
            let _ = Request::parse(&json.as_bytes()[..cut]);
        }
        for (wrong, right) in [("null", "[]"), ("\"", ""), (":", ":-"), ("true", "1"), ("4", "9e99")] {
            let _ = Incoming::parse(&json.replace(right, wrong));
            let _ = Incoming::parse(&json.replace(wrong, right));
        }
    }
}

#[test]
fn the_protocol_page_quotes_the_golden_files() {
    let path = format!("{}/../../docs/PROTOCOL.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&path).unwrap();
    let mut renewed = String::new();
    let mut rest = page.as_str();
    let mut quotes = 0;
    while let Some((before, after)) = rest.split_once("<!-- golden: ") {
        let (name, after) = after.split_once(" -->\n```json\n").unwrap();
        let (_, after) = after.split_once("```\n").unwrap();
        let json = std::fs::read_to_string(directory().join(format!("{name}.json"))).unwrap();
        for part in [before, "<!-- golden: ", name, " -->\n```json\n", &json, "```\n"] {
            renewed.push_str(part);
        }
        rest = after;
        quotes += 1;
    }
    renewed += rest;
    assert!(quotes > 0, "the page quotes nothing");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &renewed).unwrap();
    } else {
        assert_eq!(page, renewed, "docs/PROTOCOL.md and tests/golden differ: see the top of this file");
    }
}

#[test]
fn the_protocol_page_knows_every_word() {
    let path = format!("{}/../../docs/PROTOCOL.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&path).unwrap();
    for code in error_codes() {
        let retry = if code.retry() { "yes" } else { "no" };
        let row = format!("| `{}` | {} | {retry} |", code.as_str(), code.status());
        assert!(page.contains(&row), "docs/PROTOCOL.md lacks {row}");
    }
    for file in std::fs::read_dir(directory()).unwrap() {
        let path = file.unwrap().path();
        let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let words = json.as_array().into_iter().flatten().chain(json.get("type"));
        for word in words.filter_map(|word| word.as_str()).filter(|word| !word.starts_with("urn:")) {
            let known = page.contains(&format!("`{word}`")) || page.contains(&format!("\"{word}\""));
            assert!(known, "docs/PROTOCOL.md lacks `{word}`");
        }
    }
}

/// Writes as the file has it, and the file reads as the value.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let golden = check_written(name, value);
    assert_eq!(&serde_json::from_str::<T>(&golden).unwrap(), value, "{name}.json reads as another value");
}

fn check_frame(name: &str, frame: ServerFrame) {
    let name = format!("frame.{name}");
    check(&name, &frame);
    let read = Incoming::parse(&check_written(&name, &frame)).unwrap();
    assert_eq!(read, Incoming::Frame(Box::new(frame)));
}

fn check_event(body: EventBody, n: Option<u64>) {
    let kind = event_name(&body);
    let is_of_room = n.is_some() || matches!(body, EventBody::ReadMarked { .. });
    let event = Event { body, seq: 42, n, room: is_of_room.then(design), at: MORNING, actor: Some(bob()) };
    let name = format!("event.{kind}");
    check(&name, &event);
    let read = Incoming::parse(&check_written(&name, &event)).unwrap();
    assert_eq!(read, Incoming::Event(Box::new(event)));
}

fn check_command(name: &str, id: Option<CommandId>, command: Command) {
    let request = Request { id, command };
    assert!(name.starts_with(request.command.name()), "{name}");
    let golden = check_written(&format!("command.{name}"), &request);
    assert_eq!(Request::parse(golden.as_bytes()).unwrap(), request);
}

/// Compares what is written with the golden file and gives the file's text.
fn check_written(name: &str, value: &impl Serialize) -> String {
    let path = directory().join(format!("{name}.json"));
    let written = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, golden, "{name}.json: see the top of this file");
    golden
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The type of an event. No wildcard: a new event does not compile here until it is pinned above.
fn event_name(body: &EventBody) -> &'static str {
    match body {
        EventBody::MessagePosted { .. } => "message.posted",
        EventBody::MessageEdited { .. } => "message.edited",
        EventBody::MessageDeleted { .. } => "message.deleted",
        EventBody::ReactionAdded { .. } => "reaction.added",
        EventBody::ReactionRemoved { .. } => "reaction.removed",
        EventBody::RoomCreated { .. } => "room.created",
        EventBody::RoomRenamed { .. } => "room.renamed",
        EventBody::RoomTopicChanged { .. } => "room.topic_changed",
        EventBody::RoomArchived { .. } => "room.archived",
        EventBody::RoomUnarchived { .. } => "room.unarchived",
        EventBody::MemberJoined { .. } => "member.joined",
        EventBody::MemberLeft { .. } => "member.left",
        EventBody::UserJoined { .. } => "user.joined",
        EventBody::UserUpdated { .. } => "user.updated",
        EventBody::WorkspaceRenamed { .. } => "workspace.renamed",
        EventBody::ReadMarked { .. } => "read.marked",
    }
}

fn hello(transport: Transport) -> Hello {
    Hello {
        session: session(),
        user: ada(),
        epoch: cursor().epoch,
        cursor: cursor(),
        heartbeat_ms: 20_000,
        transport,
        limits: HelloLimits::default(),
        version: "0.1.0".into(),
    }
}

fn refused() -> CommandError {
    Request::parse(br#"{"id":7,"type":"message.post","room":"design"}"#).unwrap_err()
}

fn slow_down() -> CommandError {
    let error = CommandError::new(ErrorCode::RateLimited, "too many messages at once; wait a moment");
    CommandError { retry_after_ms: Some(850), ..error.with_id(Some(CommandId::Text("a7".into()))) }
}

fn error_codes() -> [ErrorCode; 12] {
    [
        ErrorCode::BadJson,
        ErrorCode::BadRequest,
        ErrorCode::UnknownCommand,
        ErrorCode::Unauthorized,
        ErrorCode::Forbidden,
        ErrorCode::NotFound,
        ErrorCode::Conflict,
        ErrorCode::Gone,
        ErrorCode::TooLong,
        ErrorCode::RateLimited,
        ErrorCode::Unavailable,
        ErrorCode::Internal,
    ]
}
