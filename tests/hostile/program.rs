//! The real programs, set up as badly as they are found in the wild, each in the foreground on a port
//! and in a directory of its own. What they did is read from their own logs.

use std::fs::{File, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::kit::{Port, until};

/// Daemons lie where not everybody's `PATH` leads.
const PLACES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
const APACHE_MODULES: [&str; 6] = ["mpm_event", "authz_core", "proxy", "proxy_http", "filter", "deflate"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Nginx,
    Haproxy,
    Apache,
    Caddy,
    Squid,
}

/// A running program. Killed and cleared away when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    dir: TempDir,
    _child: Child,
    _port: Port,
}

impl Running {
    /// `rules` are its own words for what it shall do to what passes.
    pub(crate) async fn start(program: Program, rules: &str, server: SocketAddr) -> Self {
        let dir = TempDir::new().unwrap();
        // Some of them give up root before they write their logs.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        let port = Port::keep().unwrap();
        let address = port.address;
        let file = dir.path().join("conf");
        std::fs::write(&file, program.configuration(dir.path(), address, rules, server)).unwrap();
        let output = File::create(dir.path().join("output.log")).unwrap();
        let mut child = program
            .command(dir.path(), &file)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let running = |child: &mut Child| child.try_wait().unwrap().is_none();
        until(&format!("{program:?} listens"), async || {
            let said = || std::fs::read_to_string(dir.path().join("output.log")).unwrap();
            assert!(running(&mut child), "{program:?} ended:\n{}", said());
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self { address, dir, _child: child, _port: port }
    }

    /// Everything it has logged so far.
    pub(crate) fn log(&self) -> String {
        let files = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|end| end == "log"));
        logs.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
    }
}

impl Program {
    fn command(self, dir: &Path, file: &Path) -> Command {
        let (name, args): (_, &[&str]) = match self {
            Self::Nginx => ("nginx", &["-p", dir.to_str().unwrap(), "-c"]),
            Self::Haproxy => ("haproxy", &["-db", "-f"]),
            Self::Apache => ("apache2", &["-X", "-f"]),
            Self::Caddy => ("caddy", &["run", "--adapter", "caddyfile", "--config"]),
            Self::Squid => ("squid", &["-N", "-f"]),
        };
        let found = PLACES.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file());
        let missing = || panic!("{name} is missing; `cargo xtask test --only hostile` installs it");
        let mut command = Command::new(found.unwrap_or_else(missing));
        command.args(args).arg(file).current_dir(dir);
        command.env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir).env("HOME", dir);
        command
    }

    fn configuration(self, dir: &Path, address: SocketAddr, rules: &str, server: SocketAddr) -> String {
        match self {
            Self::Nginx => nginx(dir, address, rules, server),
            Self::Haproxy => format!(
                "global\n maxconn 256\n log stdout format raw local0\ndefaults\n mode http\n log global\n \
                 option httplog\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
                 listen site\n bind {address}\n {rules}\n server switchback {server}\n"
            ),
            Self::Apache => apache(dir, address, rules, server),
            Self::Caddy => format!(
                "{{\n admin off\n auto_https off\n}}\nhttp://:{} {{\n bind 127.0.0.1\n log {{\n  output stdout\n }}\n \
                 {rules}\n reverse_proxy {server}\n}}\n",
                address.port()
            ),
            Self::Squid => format!(
                "http_port {address}\npid_filename {dir}/pid\naccess_log stdio:{dir}/access.log\n\
                 cache_log {dir}/cache.log\ncoredump_dir {dir}\ncache_mem 8 MB\nmax_filedescriptors 1024\n\
                 shutdown_lifetime 0 seconds\npinger_enable off\nacl Safe_ports port 80 443 1025-65535\n\
                 acl SSL_ports port 443\n{rules}\nhttp_access deny !Safe_ports\nhttp_access allow localhost\n\
                 http_access deny all\n",
                dir = dir.display()
            ),
        }
    }
}

fn nginx(dir: &Path, address: SocketAddr, rules: &str, server: SocketAddr) -> String {
    let dir = dir.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {dir}/{name};\n"))
        .concat();
    format!(
        "daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log info;\n\
         events {{ worker_connections 512; }}\nhttp {{\n\
         log_format seen '$status $request_method $uri accept=$http_accept upgrade=$http_upgrade encoding=$sent_http_content_encoding ratio=$gzip_ratio';\n\
         access_log {dir}/access.log seen;\n{temporary}\
         map $http_upgrade $upgrade_or_close {{ default upgrade; \"\" close; }}\n\
         server {{\nlisten {address};\nlocation / {{\nproxy_pass http://{server};\n\
         proxy_set_header Host $http_host;\n{rules}\n}}\n}}\n}}\n"
    )
}

fn apache(dir: &Path, address: SocketAddr, rules: &str, server: SocketAddr) -> String {
    let dir = dir.display();
    let modules = APACHE_MODULES
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    // The account is used by root alone.
    format!(
        "ServerRoot {dir}\nServerName localhost\nPidFile {dir}/pid\nMutex file:{dir} default\n\
         DefaultRuntimeDir {dir}\nErrorLog {dir}/error.log\nListen {address}\n{modules}\
         User www-data\nGroup www-data\n\
         LogFormat \"%>s %m %U accept=%{{Accept}}i upgrade=%{{Upgrade}}i encoding=%{{Content-Encoding}}o\" seen\n\
         CustomLog {dir}/access.log seen\nProxyPreserveHost On\nProxyPass / http://{server}/\n{rules}\n"
    )
}
