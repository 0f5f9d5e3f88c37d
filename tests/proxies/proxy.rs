//! The real programs, each in the foreground on a port and in a directory of its own.
//!
//! What is written around an example is what a distribution's main file has: where to keep files, and
//! not to go into the background. Nothing of the installed configuration is read, and no service of
//! the machine is needed or touched.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::kit::certificates::{Authority, Files};
use crate::kit::{Port, until};
use crate::page::{example, with, with_part};

/// Daemons lie where not everybody's `PATH` leads.
const PLACES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
const EXAMPLE_SERVER: &str = "127.0.0.1:8080";
const EXAMPLE_HOST: &str = "chat.example.org";
/// What the proxy is called from outside.
pub(crate) const HOST: &str = "localhost";
/// What `a2enmod` brings with the modules that the page names, and those that Debian always has.
const APACHE_MODULES: [&str; 10] = [
    "mpm_event",
    "authz_core",
    "headers",
    "proxy",
    "proxy_http",
    "socache_shmcb",
    "ssl",
    "http2",
    "filter",
    "deflate",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Caddy,
    Haproxy,
    Apache,
}

/// A running proxy. Killed and cleared away when dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    _child: Child,
    _port: Port,
    _dir: TempDir,
}

/// Where a proxy finds what its example names.
struct Places<'p> {
    dir: &'p Path,
    port: u16,
    files: Files,
}

impl Proxy {
    /// In front of one server.
    pub(crate) async fn start(kind: Kind, server: SocketAddr) -> Self {
        let changes = [(EXAMPLE_SERVER, server.to_string())];
        Self::run(kind, example(kind.heading()), &changes).await
    }

    /// In front of two, as the page says for two.
    pub(crate) async fn start_before_two(kind: Kind, servers: [SocketAddr; 2]) -> Self {
        let two = example(&format!("{}, two servers", kind.heading()));
        let end = if kind == Kind::Nginx { "}" } else { "" };
        let example = with_part(&example(kind.heading()), &two, end);
        let [one, two] = servers.map(|server| server.to_string());
        Self::run(kind, example, &[("10.0.0.11:8080", one), ("10.0.0.12:8080", two)]).await
    }

    async fn run(kind: Kind, example: String, servers: &[(&str, String)]) -> Self {
        let dir = TempDir::new().unwrap();
        let authority = Authority::new(dir.path());
        let files = authority.sign(dir.path());
        let port = Port::keep().unwrap();
        let address = port.address;
        let servers: Vec<(&str, &str)> = servers.iter().map(|(from, to)| (*from, to.as_str())).collect();
        let example = with(example, &servers);
        let places = Places { dir: dir.path(), port: address.port(), files };
        let mut command = kind.command(example, &places);
        let mut child = command
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = gather(child.stderr.take().unwrap());
        until(&format!("{kind:?} listens"), async || {
            assert!(child.try_wait().unwrap().is_none(), "{kind:?} ended:\n{}", said.lock().unwrap());
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self { address, authority, _child: child, _port: port, _dir: dir }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{HOST}:{}", self.address.port())
    }
}

impl Kind {
    /// What the page calls it.
    const fn heading(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "Caddy",
            Self::Haproxy => "HAProxy",
            Self::Apache => "Apache",
        }
    }

    fn command(self, example: String, places: &Places<'_>) -> Command {
        match self {
            Self::Nginx => nginx(example, places),
            Self::Caddy => caddy(example, places),
            Self::Haproxy => haproxy(example, places),
            Self::Apache => apache(example, places),
        }
    }
}

fn nginx(example: String, places: &Places<'_>) -> Command {
    let dir = places.dir.display();
    let example = with(
        example,
        &[
            ("listen 443", &format!("listen 127.0.0.1:{}", places.port)),
            (EXAMPLE_HOST_LINE, "server_name localhost;"),
            ("/etc/ssl/chat.example.org/fullchain.pem", text(&places.files.certificate)),
            ("/etc/ssl/chat.example.org/privkey.pem", text(&places.files.key)),
        ],
    );
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {dir}/{name};\n"))
        .concat();
    // Compression is on in Debian's main file.
    let main = format!(
        "daemon off; master_process off; pid {dir}/pid; error_log stderr;\n\
         events {{}}\nhttp {{\naccess_log off; gzip on;\n{temporary}{example}}}\n"
    );
    let file = write(places, "nginx.conf", &main);
    let mut command = program("nginx");
    command.args(["-p", text(places.dir), "-c", text(&file)]);
    command
}

const EXAMPLE_HOST_LINE: &str = "server_name chat.example.org;";

fn caddy(example: String, places: &Places<'_>) -> Command {
    // Its own certificate would be asked of an authority on the internet.
    let site = format!(
        "https://{HOST}:{} {{\n    bind 127.0.0.1\n    tls {} {}\n",
        places.port,
        places.files.certificate.display(),
        places.files.key.display()
    );
    let example = with(example, &[(&format!("{EXAMPLE_HOST} {{\n"), &site)]);
    let main = format!("{{\n    admin off\n    auto_https disable_redirects\n}}\n{example}");
    let file = write(places, "Caddyfile", &main);
    let mut command = program("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config", text(&file)]);
    command.env("XDG_DATA_HOME", places.dir).env("XDG_CONFIG_HOME", places.dir).env("HOME", places.dir);
    command
}

fn haproxy(example: String, places: &Places<'_>) -> Command {
    let both =
        [&places.files.certificate, &places.files.key].map(|file| std::fs::read_to_string(file).unwrap());
    let both = write(places, "both.pem", &both.concat());
    let example = with(
        example,
        &[
            ("bind :443", &format!("bind 127.0.0.1:{}", places.port)),
            ("/etc/haproxy/chat.example.org.pem", text(&both)),
        ],
    );
    let file = write(places, "haproxy.cfg", &example);
    let mut command = program("haproxy");
    command.args(["-db", "-f", text(&file)]);
    command
}

fn apache(example: String, places: &Places<'_>) -> Command {
    let dir = places.dir.display();
    let example = with(
        example,
        &[
            ("*:443", &format!("127.0.0.1:{}", places.port)),
            ("ServerName chat.example.org", "ServerName localhost"),
            ("/etc/ssl/chat.example.org/fullchain.pem", text(&places.files.certificate)),
            ("/etc/ssl/chat.example.org/privkey.pem", text(&places.files.key)),
        ],
    );
    let modules = APACHE_MODULES
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    // The account is used by root alone; compression is on in Debian's configuration.
    let main = format!(
        "ServerRoot {dir}\nServerName localhost\nPidFile {dir}/pid\nMutex file:{dir} default\n\
         DefaultRuntimeDir {dir}\nErrorLog /dev/stderr\nListen 127.0.0.1:{}\n{modules}\
         User www-data\nGroup www-data\nAddOutputFilterByType DEFLATE text/html text/plain application/json\n{example}",
        places.port
    );
    let file = write(places, "apache.conf", &main);
    let mut command = program("apache2");
    command.args(["-X", "-f", text(&file)]);
    command
}

fn write(places: &Places<'_>, name: &str, content: &str) -> PathBuf {
    let file = places.dir.join(name);
    std::fs::write(&file, content).unwrap();
    file
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn program(name: &str) -> Command {
    let found = PLACES.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file());
    Command::new(
        found.unwrap_or_else(|| panic!("{name} is missing; `cargo xtask test --only proxies` installs it")),
    )
}

fn gather(output: impl tokio::io::AsyncRead + Unpin + Send + 'static) -> Arc<Mutex<String>> {
    let said = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&said);
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            into.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    said
}
