//! The networks: what each is, which way in must win on it, and how one sees that it was hostile.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use switchback_client::Transport::{self, Batch, Sse, Websocket};

use crate::middlebox::{Counts, Kind, Middlebox};
use crate::program::{Program, Running};

/// What a network does, and how its doing is counted.
pub(crate) struct Network {
    pub(crate) name: &'static str,
    what: What,
    /// The best way in that it lets through, which must win.
    pub(crate) ends_on: Transport,
    /// Unless it keeps cutting: each time there is a new race, and a lesser way may win that one.
    pub(crate) cuts: bool,
    pub(crate) evidence: &'static [Evidence],
}

enum What {
    Program(Program, &'static str),
    Box(Kind),
}

/// One thing that shows that the network did it.
pub(crate) struct Evidence {
    /// Follows the number.
    pub(crate) what: &'static str,
    count: Count,
    pub(crate) from: From,
}

enum Count {
    /// Lines of the program's logs with all of these in them.
    Lines(&'static [&'static str]),
    Counter(fn(&Counts) -> &std::sync::atomic::AtomicU64),
}

/// With which client it must be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Both,
    /// Only a browser asks for what it takes.
    Browser,
    /// It is told, and need not be.
    Nobody,
}

impl Evidence {
    /// Whether there must be some after a round of this client.
    pub(crate) fn is_due(&self, client: &str) -> bool {
        match self.from {
            From::Both => true,
            From::Browser => client == "web",
            From::Nobody => false,
        }
    }
}

const fn lines(what: &'static str, words: &'static [&'static str]) -> Evidence {
    Evidence { what, count: Count::Lines(words), from: From::Both }
}

const fn counter(what: &'static str, of: fn(&Counts) -> &std::sync::atomic::AtomicU64) -> Evidence {
    Evidence { what, count: Count::Counter(of), from: From::Both }
}

impl Evidence {
    const fn only(mut self, from: From) -> Self {
        self.from = from;
        self
    }
}

const UPGRADES_PASS: &str = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
                             proxy_set_header Connection $upgrade_or_close;";

/// All of them.
pub(crate) const ALL: &[Network] = &[
    Network {
        name: "nginx, upgrade headers as advised",
        what: What::Program(Program::Nginx, UPGRADES_PASS),
        ends_on: Websocket,
        cuts: false,
        evidence: &[lines("answers of 101 logged", &["101 GET /chat", "upgrade=websocket"])],
    },
    Network {
        name: "nginx, plain `proxy_pass` (no upgrade headers)",
        what: What::Program(Program::Nginx, ""),
        ends_on: Sse,
        cuts: false,
        evidence: &[lines("upgrades asked for and not passed on", &["GET /chat", "upgrade=websocket"])],
    },
    Network {
        name: "nginx, buffers everything",
        what: What::Program(
            Program::Nginx,
            "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_buffer_size 64k; \
             proxy_buffers 16 64k; proxy_busy_buffers_size 128k;",
        ),
        ends_on: Batch,
        cuts: false,
        // A stream that was given up before its first byte left is logged as 499.
        evidence: &[lines("streams given up because nothing had come", &["499 GET /chat", "event-stream"])],
    },
    Network {
        name: "nginx, gives up after 3 s without a byte",
        what: What::Program(
            Program::Nginx,
            "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrade_or_close; \
             proxy_read_timeout 3s; proxy_send_timeout 3s;",
        ),
        ends_on: Websocket,
        cuts: true,
        evidence: &[lines("connections cut (\"upstream timed out\")", &["upstream timed out"])],
    },
    Network {
        name: "nginx, buffers and gives up after 3 s",
        what: What::Program(
            Program::Nginx,
            "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_buffer_size 64k; \
             proxy_buffers 16 64k; proxy_busy_buffers_size 128k; proxy_read_timeout 3s;",
        ),
        ends_on: Batch,
        cuts: false,
        evidence: &[lines("answers cut (\"upstream timed out\")", &["upstream timed out"])],
    },
    Network {
        name: "nginx, gzip on event streams",
        what: What::Program(
            Program::Nginx,
            "proxy_http_version 1.1; gzip on; gzip_types text/event-stream application/json; gzip_min_length 1; gzip_proxied any;",
        ),
        ends_on: Sse,
        cuts: false,
        evidence: &[lines(
            "event streams sent compressed",
            &["200 GET /chat", "event-stream", "encoding=gzip"],
        )
        .only(From::Browser)],
    },
    Network {
        name: "HAProxy, cuts tunnels and streams after 3 s of silence",
        what: What::Program(Program::Haproxy, "timeout client 3s\n timeout server 3s\n timeout tunnel 3s"),
        ends_on: Websocket,
        cuts: true,
        evidence: &[lines("tunnels cut (state `cD` or `sD`)", &["D--", "/chat"])],
    },
    Network {
        name: "HAProxy, lets upgrades hang (tarpit)",
        what: What::Program(
            Program::Haproxy,
            "timeout tarpit 20s\n http-request tarpit deny_status 500 if { req.hdr(Upgrade) -m found }",
        ),
        ends_on: Sse,
        cuts: false,
        evidence: &[lines("upgrades hung (state `PT`)", &["PT--", "/chat"]).only(From::Both)],
    },
    Network {
        name: "Apache, no `upgrade=`, deflate on everything",
        what: What::Program(Program::Apache, "SetOutputFilter DEFLATE"),
        ends_on: Sse,
        cuts: false,
        evidence: &[
            lines("upgrades asked for and not passed on", &["GET /chat", "upgrade=websocket"]),
            lines("event streams sent compressed", &["200 GET /chat", "event-stream", "encoding=gzip"])
                .only(From::Browser),
        ],
    },
    Network {
        name: "Caddy, `encode gzip`",
        what: What::Program(Program::Caddy, "encode gzip"),
        ends_on: Websocket,
        cuts: false,
        evidence: &[lines("upgrades logged", &["handled request", "\"Upgrade\":[\"websocket\"]"])],
    },
    Network {
        name: "Squid as forward proxy, CONNECT to 443 alone",
        what: What::Program(Program::Squid, "http_access deny CONNECT !SSL_ports"),
        ends_on: Sse,
        cuts: false,
        evidence: &[
            lines("tunnels denied", &["TCP_DENIED/403", "CONNECT"]),
            lines("requests for /chat passed on", &["/200", "/chat"]),
        ],
    },
    Network {
        name: "Squid as forward proxy, CONNECT to any port",
        what: What::Program(Program::Squid, ""),
        ends_on: Websocket,
        cuts: false,
        evidence: &[lines("tunnels opened", &["TCP_TUNNEL/200", "CONNECT"])],
    },
    Network {
        name: "middlebox: 101, then swallows all frames",
        what: What::Box(Kind::Swallows),
        ends_on: Sse,
        cuts: false,
        evidence: &[
            counter("upgrades let through", |counts| &counts.upgrades),
            counter("bytes of frames swallowed", |counts| &counts.swallowed_bytes),
        ],
    },
    Network {
        name: "middlebox: 101, then swallows what the client says",
        what: What::Box(Kind::Deaf),
        ends_on: Sse,
        cuts: false,
        evidence: &[
            counter("upgrades let through", |counts| &counts.upgrades),
            counter("bytes of frames swallowed", |counts| &counts.swallowed_bytes),
        ],
    },
    Network {
        name: "middlebox: cuts every connection after 10 s",
        what: What::Box(Kind::Cuts),
        ends_on: Websocket,
        cuts: true,
        evidence: &[counter("connections cut", |counts| &counts.cuts)],
    },
    Network {
        name: "middlebox: holds the whole response back",
        what: What::Box(Kind::HoldsBack),
        ends_on: Batch,
        cuts: false,
        evidence: &[counter("unending answers held back", |counts| &counts.held)],
    },
    Network {
        name: "middlebox: strips unknown headers, cuts after 7 s",
        what: What::Box(Kind::Strips),
        ends_on: Sse,
        cuts: false,
        evidence: &[
            counter("headers stripped", |counts| &counts.stripped),
            counter("`Last-Event-ID` among them", |counts| &counts.stripped_last_event_id).only(From::Nobody),
            counter("connections cut", |counts| &counts.cuts),
        ],
    },
    Network {
        name: "middlebox: captive portal, shut for 5 s in mid-talk",
        what: What::Box(Kind::Portal),
        ends_on: Websocket,
        cuts: true,
        evidence: &[counter("requests answered by its page", |counts| &counts.pages)],
    },
];

/// A network that stands.
pub(crate) enum Standing {
    Program(Box<Running>, Program),
    Box(Middlebox),
}

impl Network {
    pub(crate) async fn start(&self, server: SocketAddr) -> Standing {
        match self.what {
            What::Program(program, rules) => {
                Standing::Program(Box::new(Running::start(program, rules, server).await), program)
            }
            What::Box(kind) => Standing::Box(Middlebox::start(kind, server).await),
        }
    }

    pub(crate) fn is_portal(&self) -> bool {
        matches!(self.what, What::Box(Kind::Portal))
    }

    pub(crate) fn counts(&self, standing: &Standing) -> Vec<u64> {
        let log = match standing {
            Standing::Program(running, _) => running.log(),
            Standing::Box(_) => String::new(),
        };
        let count = |evidence: &Evidence| match (&evidence.count, standing) {
            (Count::Lines(words), _) => {
                let lines = log.lines().filter(|line| words.iter().all(|word| line.contains(word)));
                lines.count() as u64
            }
            (Count::Counter(of), Standing::Box(middlebox)) => of(&middlebox.counts).load(Ordering::Relaxed),
            (Count::Counter(_), Standing::Program(..)) => panic!("a program has no counters"),
        };
        self.evidence.iter().map(count).collect()
    }
}

impl Standing {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Program(running, _) => running.address,
            Self::Box(middlebox) => middlebox.address,
        }
    }

    /// Where a client believes the server to be, and the forward proxy that it is told of.
    pub(crate) fn way(&self, server: SocketAddr) -> (String, Option<String>) {
        let here = format!("http://{}", self.address());
        match self {
            Self::Program(_, Program::Squid) => (format!("http://{server}"), Some(here)),
            _ => (here, None),
        }
    }
}
