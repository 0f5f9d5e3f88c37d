//! The chat that a textbook would write with axum: its own WebSocket and its own event stream, a
//! `tokio::sync::broadcast` per room, one `send` per message. No accounts, no storage.
//!
//! `/ws?room=N` and `/sse?room=N` listen, a text message over the WebSocket or `POST /post?room=N`
//! speaks. Takes the address to listen on, and says "listening" when it does.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Response, Sse, sse::Event};
use axum::routing::{any, get, post};
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

/// Messages that a slow listener may be behind; axum's chat example has 100.
const BEHIND: usize = 4_096;

type Room = broadcast::Sender<Utf8Bytes>;

#[derive(Clone, Default)]
struct Chat(Arc<Mutex<HashMap<u32, Room>>>);

impl Chat {
    fn room(&self, number: u32) -> Room {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.entry(number).or_insert_with(|| broadcast::channel(BEHIND).0).clone()
    }
}

#[derive(Deserialize)]
struct Where {
    room: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("which address?")?;
    let app = Router::new()
        .route("/ws", any(ws))
        .route("/sse", get(sse))
        .route("/post", post(say))
        .with_state(Chat::default());
    let listener = TcpListener::bind(address).await?;
    println!("listening");
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), app)
        .await?;
    Ok(())
}

async fn ws(upgrade: WebSocketUpgrade, Query(at): Query<Where>, State(chat): State<Chat>) -> Response {
    upgrade.on_upgrade(move |socket| talk(socket, chat.room(at.room)))
}

async fn talk(socket: WebSocket, room: Room) {
    let (mut sink, mut stream) = socket.split();
    let mut messages = room.subscribe();
    let mut sending = tokio::spawn(async move {
        while let Ok(text) = messages.recv().await {
            if sink.send(Message::Text(text)).await.is_err() {
                break;
            }
        }
    });
    let mut receiving = tokio::spawn(async move {
        while let Some(Ok(Message::Text(text))) = stream.next().await {
            // Nobody may be listening.
            let _ = room.send(text);
        }
    });
    tokio::select! {
        _ = &mut sending => receiving.abort(),
        _ = &mut receiving => sending.abort(),
    }
}

async fn sse(
    Query(at): Query<Where>,
    State(chat): State<Chat>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let messages = BroadcastStream::new(chat.room(at.room).subscribe());
    Sse::new(messages.filter_map(|text| async move { Some(Ok(Event::default().data(text.ok()?.as_str()))) }))
}

async fn say(Query(at): Query<Where>, State(chat): State<Chat>, text: String) -> StatusCode {
    // Nobody may be listening.
    let _ = chat.room(at.room).send(text.into());
    StatusCode::NO_CONTENT
}
