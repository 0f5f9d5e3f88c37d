//! Boxes between a client and a server that no program of Debian's is: each does one thing that
//! networks were seen to do, and counts how often it did.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long `Cuts` lets a connection live.
const CUT_AFTER: Duration = Duration::from_secs(10);
/// The same of `Strips`, where resuming is what matters.
const STRIPS_CUT_AFTER: Duration = Duration::from_secs(7);
const PORTAL_PAGE: &str = "<!DOCTYPE html><title>Welcome aboard</title><p>Accept our terms to go on.";
/// What `Strips` knows of requests; everything else is taken out.
const KNOWN_IN_REQUESTS: [HeaderName; 12] = [
    header::HOST,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::ORIGIN,
    header::REFERER,
    header::USER_AGENT,
];
/// The same of answers. What protects the page is among what gets lost.
const KNOWN_IN_ANSWERS: [HeaderName; 10] = [
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::LOCATION,
    header::SET_COOKIE,
    header::TRANSFER_ENCODING,
    header::VARY,
];
const LAST_EVENT_ID: &str = "last-event-id";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Lets 101 pass and nothing after it, in neither direction.
    Swallows,
    /// Lets 101 and what the server says pass, and nothing that the client says.
    Deaf,
    /// Ends every connection after a while.
    Cuts,
    /// Knows no upgrade and hands on whole answers only.
    HoldsBack,
    /// Takes out what it does not know.
    Strips,
    /// Answers everything itself while it is shut.
    Portal,
}

/// What a box has done.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) upgrades: AtomicU64,
    pub(crate) swallowed_bytes: AtomicU64,
    pub(crate) cuts: AtomicU64,
    pub(crate) held: AtomicU64,
    pub(crate) stripped: AtomicU64,
    pub(crate) stripped_last_event_id: AtomicU64,
    pub(crate) pages: AtomicU64,
}

/// A running box. Stops when the test's runtime does.
#[derive(Clone)]
pub(crate) struct Middlebox {
    pub(crate) address: SocketAddr,
    pub(crate) counts: Arc<Counts>,
    shut: watch::Sender<bool>,
}

/// What one connection needs.
#[derive(Clone)]
struct Passing {
    kind: Kind,
    server: SocketAddr,
    counts: Arc<Counts>,
    shut: watch::Receiver<bool>,
}

fn count(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

impl Middlebox {
    pub(crate) async fn start(kind: Kind, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shut, seen) = watch::channel(false);
        let counts = Arc::new(Counts::default());
        let passing = Passing { kind, server, counts: Arc::clone(&counts), shut: seen };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(passing.clone().connection(client));
            }
        });
        Self { address, counts, shut }
    }

    /// `Portal`: from here on it answers for everybody; what was open is cut.
    pub(crate) fn shut(&self, shut: bool) {
        self.shut.send_replace(shut);
    }
}

impl Passing {
    async fn connection(mut self, mut client: TcpStream) {
        let life = match self.kind {
            Kind::Cuts => Some(CUT_AFTER),
            Kind::Strips => Some(STRIPS_CUT_AFTER),
            _ => None,
        };
        let counts = Arc::clone(&self.counts);
        let mut shut = self.shut.clone();
        shut.mark_unchanged();
        let passing = async {
            if self.kind == Kind::Cuts {
                let mut server = TcpStream::connect(self.server).await.unwrap();
                // A peer that goes is the end, as any other end.
                let _ = copy_bidirectional(&mut client, &mut server).await;
                return;
            }
            self.speak(client).await;
        };
        let Some(life) = life else {
            return tokio::select! {
                () = passing => {},
                // The sender lives as long as the test.
                _ = shut.changed() => {},
            };
        };
        if timeout(life, passing).await.is_err() {
            count(&counts.cuts, 1);
        }
    }

    async fn speak(&mut self, client: TcpStream) {
        let passing = &*self;
        let service =
            service_fn(async move |request| Ok::<_, Infallible>(passing.clone().answer(request).await));
        let server = hyper::server::conn::http1::Builder::new();
        // Clients come and go as they like.
        let _ = server.serve_connection(TokioIo::new(client), service).with_upgrades().await;
    }

    async fn answer(self, mut request: Request<Incoming>) -> Response<BoxBody<Bytes, hyper::Error>> {
        if self.kind == Kind::Portal && *self.shut.borrow() {
            count(&self.counts.pages, 1);
            let mut page = Response::new(Full::from(PORTAL_PAGE).map_err(|never| match never {}).boxed());
            page.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            return page;
        }
        let upgrades = request.headers().contains_key(header::UPGRADE);
        match self.kind {
            Kind::HoldsBack => drop(request.headers_mut().remove(header::UPGRADE)),
            Kind::Strips => self.strip(request.headers_mut(), &KNOWN_IN_REQUESTS),
            _ => {}
        }
        let asking = upgrades.then(|| hyper::upgrade::on(&mut request));
        let Some(mut response) = self.forward(request).await else {
            let mut gone = Response::new(Full::default().map_err(|never| match never {}).boxed());
            *gone.status_mut() = StatusCode::BAD_GATEWAY;
            return gone;
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(asking) = asking
        {
            count(&self.counts.upgrades, 1);
            let answering = hyper::upgrade::on(&mut response);
            let mut shut = self.shut.clone();
            shut.mark_unchanged();
            tokio::spawn(async move {
                let (Ok(client), Ok(server)) = tokio::join!(asking, answering) else { return };
                tokio::select! {
                    () = self.upgraded(client, server) => {},
                    _ = shut.changed() => {},
                }
            });
            return response.map(BodyExt::boxed);
        }
        self.hand_on(response).await
    }

    async fn hand_on(&self, mut response: Response<Incoming>) -> Response<BoxBody<Bytes, hyper::Error>> {
        if self.kind == Kind::Strips {
            self.strip(response.headers_mut(), &KNOWN_IN_ANSWERS);
        }
        if self.kind != Kind::HoldsBack {
            return response.map(BodyExt::boxed);
        }
        let (mut head, body) = response.into_parts();
        // Those that do not end are what is held back.
        count(&self.counts.held, usize::from(!head.headers.contains_key(header::CONTENT_LENGTH)));
        let Ok(whole) = body.collect().await else {
            let mut cut = Response::new(Full::default().map_err(|never| match never {}).boxed());
            *cut.status_mut() = StatusCode::BAD_GATEWAY;
            return cut;
        };
        head.headers.remove(header::TRANSFER_ENCODING);
        Response::from_parts(head, Full::from(whole.to_bytes()).map_err(|never| match never {}).boxed())
    }

    /// On a connection of its own.
    async fn forward(&self, request: Request<Incoming>) -> Option<Response<Incoming>> {
        let server = TcpStream::connect(self.server).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(server)).await.ok()?;
        tokio::spawn(connection.with_upgrades());
        sender.send_request(request).await.ok()
    }

    fn strip(&self, headers: &mut HeaderMap, known: &[HeaderName]) {
        let unknown: Vec<HeaderName> = headers.keys().filter(|name| !known.contains(name)).cloned().collect();
        for name in unknown {
            count(&self.counts.stripped, 1);
            count(&self.counts.stripped_last_event_id, usize::from(name == LAST_EVENT_ID));
            headers.remove(name);
        }
    }

    async fn upgraded(&self, client: Upgraded, server: Upgraded) {
        let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
        match self.kind {
            Kind::Swallows => {
                tokio::select! {
                    () = self.swallow(&mut client) => {},
                    () = self.swallow(&mut server) => {},
                }
            }
            Kind::Deaf => {
                let (mut from_client, mut to_client) = tokio::io::split(client);
                let down = async {
                    // Either end going is the end.
                    let _ = tokio::io::copy(&mut server, &mut to_client).await;
                    let _ = to_client.shutdown().await;
                };
                tokio::select! {
                    () = self.swallow(&mut from_client) => {},
                    () = down => {},
                }
            }
            _ => drop(copy_bidirectional(&mut client, &mut server).await),
        }
    }

    async fn swallow(&self, from: &mut (impl AsyncRead + Unpin)) {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            count(&self.counts.swallowed_bytes, read);
        }
    }
}
