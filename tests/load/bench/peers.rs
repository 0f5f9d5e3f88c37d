//! Who is measured: the product, the yardstick, and others where they are at hand. Each is a process
//! that is started, listened to and spoken to in its own words.

use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use uuid::Uuid;

use super::generator::{Opening, Reads};
use super::wire;
use crate::limits;
use crate::port::Port;
use crate::team::{Person, Team};

/// For a team whose server is started later, and says itself where.
pub(super) const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Where Debian puts it.
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Yardstick,
    Product,
    Textbook,
    Nchan,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Yardstick => "yardstick",
            Self::Product => "Switchback",
            Self::Textbook => "axum textbook",
            Self::Nchan => "nginx with nchan",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Websocket,
    Sse,
}

impl Way {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Websocket => "WebSocket",
            Self::Sse => "SSE",
        }
    }
}

/// What is measured, as files.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) product: PathBuf,
    pub(super) textbook: Option<PathBuf>,
}

impl Programs {
    /// Of all that could be measured, those that are here.
    pub(super) fn here(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Yardstick, Kind::Product];
        kinds.extend(self.textbook.as_ref().map(|_| Kind::Textbook));
        kinds.extend(Path::new(NCHAN).exists().then_some(Kind::Nchan));
        kinds
    }
}

/// A server that runs; killed when dropped.
pub(super) struct Peer {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    _port: Port,
    child: Child,
    /// Of the product: who sits where.
    people: Vec<Person>,
    rooms: usize,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx's worker ends with its master, if that is told and not killed.
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if self.kind != Kind::Nchan || told.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Peer {
    /// Starts one of those that keep nothing.
    pub(super) fn start(kind: Kind, programs: &Programs, dir: &Path, rooms: usize) -> Result<Self> {
        let port = Port::keep()?;
        let address = port.address;
        let mut command = match kind {
            Kind::Yardstick => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("--binary").arg(&programs.product).args(["yardstick", &address.to_string()]);
                command
            }
            Kind::Textbook => {
                let mut command = Command::new(programs.textbook.as_ref().context("no textbook")?);
                command.arg(address.to_string());
                command
            }
            Kind::Nchan => nginx(dir, address)?,
            Kind::Product => anyhow::bail!("the product has people"),
        };
        let child = spawn(&mut command, dir, kind.name())?;
        Self::listening(Self { kind, address, _port: port, child, people: Vec::new(), rooms })
    }

    /// Starts the product over a directory in which this team is.
    pub(super) fn product(
        programs: &Programs,
        dir: &Path,
        team: &Team,
        rooms: usize,
        more: &[&str],
    ) -> Result<Self> {
        let port = Port::keep()?;
        let address = port.address;
        let mut command = product(&programs.product, dir, address);
        let child = spawn(command.args(more), dir, "product")?;
        let people = team.people.clone();
        Self::listening(Self { kind: Kind::Product, address, _port: port, child, people, rooms })
    }

    fn listening(mut peer: Self) -> Result<Self> {
        let deadline = Instant::now() + limits::SERVER_START;
        while TcpStream::connect(peer.address).is_err() {
            ensure!(peer.child.try_wait()?.is_none(), "{} ended at its start", peer.kind.name());
            ensure!(Instant::now() < deadline, "{} does not listen", peer.kind.name());
            std::thread::sleep(limits::LOOK_EVERY);
        }
        Ok(peer)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How somebody begins to listen.
    pub(super) fn listen(&self, way: Way, seat: usize) -> Opening {
        let room = seat % self.rooms;
        let (path, headers, until): (_, _, &[u8]) = match (self.kind, way) {
            (Kind::Product, _) => {
                let person = &self.people[seat];
                ("/chat".to_owned(), person.target.authorization(), b"\"type\":\"ready\"")
            }
            (Kind::Nchan, _) => (format!("/sub/{room}"), String::new(), b"\r\n\r\n"),
            (_, Way::Websocket) => (format!("/ws?room={room}"), String::new(), b"\r\n\r\n"),
            (_, Way::Sse) => (format!("/sse?room={room}"), String::new(), b"\r\n\r\n"),
        };
        let request = match way {
            Way::Websocket => wire::websocket(&path, &headers),
            Way::Sse => wire::stream(&path, &headers),
        };
        Opening { request, until, reads: Reads::Deliveries }
    }

    /// Whether who listens over this way also speaks over it. nchan takes posts by HTTP.
    pub(super) fn speaks_where_it_listens(&self, way: Way) -> bool {
        way == Way::Websocket && self.kind != Kind::Nchan
    }

    /// A message that somebody sends over their WebSocket.
    pub(super) fn say(&self, seat: usize, text: &str) -> Vec<u8> {
        match self.kind {
            Kind::Product => wire::masked(self.command(seat, text).as_bytes()),
            _ => wire::masked(wire::bare(text).as_bytes()),
        }
    }

    /// The same as a request of HTTP.
    pub(super) fn post(&self, seat: usize, text: &str) -> Vec<u8> {
        let room = seat % self.rooms;
        match self.kind {
            Kind::Product => {
                let authorization = self.people[seat].target.authorization();
                let headers = format!("Content-Type: application/json\r\n{authorization}");
                wire::request("POST", "/chat", &headers, &self.command(seat, text))
            }
            Kind::Nchan => wire::request("POST", &format!("/pub/{room}"), "", &wire::bare(text)),
            _ => {
                let headers = "Content-Type: text/plain\r\n";
                wire::request("POST", &format!("/post?room={room}"), headers, &wire::bare(text))
            }
        }
    }

    fn command(&self, seat: usize, text: &str) -> String {
        let mut command = String::with_capacity(text.len() + 160);
        let (room, nonce) = (self.people[seat].room, Uuid::now_v7());
        let _ = write!(
            command,
            "{{\"id\":\"1\",\"type\":\"message.post\",\"room\":\"{room}\",\"nonce\":\"{nonce}\",\"body\":\"{text}\"}}"
        );
        command
    }
}

/// The product's command to serve; what the surroundings say of other servers is not for this one.
pub(super) fn product(binary: &Path, dir: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBACK_")) {
        command.env_remove(name);
    }
    command.arg("serve").arg("--data-dir").arg(dir).args(["--listen", &address.to_string()]);
    command
}

fn spawn(command: &mut Command, dir: &Path, name: &str) -> Result<Child> {
    let log = File::create(dir.join(format!("{}.log", name.replace(' ', "-"))))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("cannot run {}", command.get_program().display()))
}

/// nchan as its manual sets it up, in memory, with one worker.
fn nginx(dir: &Path, address: SocketAddr) -> Result<Command> {
    let home = dir.join("nginx");
    std::fs::create_dir_all(&home)?;
    let shown = home.display();
    let settings = format!(
        "load_module {NCHAN};\ndaemon off;\nworker_processes 1;\nworker_rlimit_nofile 65536;\npid {shown}/pid;\n\
         error_log {shown}/error.log error;\nevents {{ worker_connections 32768; }}\nhttp {{\n\
         access_log off;\nkeepalive_requests 100000000;\nclient_body_temp_path {shown}/body;\n\
         proxy_temp_path {shown}/proxy;\nfastcgi_temp_path {shown}/fastcgi;\nuwsgi_temp_path {shown}/uwsgi;\n\
         scgi_temp_path {shown}/scgi;\nnchan_shared_memory_size 256M;\nserver {{\nlisten {address} backlog=4096;\n\
         location ~ /sub/(\\w+)$ {{ nchan_subscriber websocket eventsource; nchan_channel_id $1; \
         nchan_subscriber_first_message newest; }}\n\
         location ~ /pub/(\\w+)$ {{ nchan_publisher; nchan_channel_id $1; }}\n}}\n}}\n"
    );
    let file = home.join("nginx.conf");
    std::fs::write(&file, settings)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(&home).arg("-c").arg(&file);
    Ok(command)
}
