//! The programs that the steps need: how each is found, how old it may be, where it comes from.

/// A program, or something like one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    /// What a reader knows it by.
    pub(crate) name: &'static str,
    /// What finds it.
    pub(crate) probe: Probe,
    /// The oldest version that will do, major and minor.
    pub(crate) least: (u32, u32),
    /// What brings it.
    pub(crate) source: Source,
}

/// How a tool is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Probe {
    /// The first of these programs that is there; its arguments print the version.
    Program(&'static [&'static str], &'static [&'static str]),
    /// A program whose arguments print something where the tool is there, and nothing elsewhere.
    Prints(&'static str, &'static [&'static str]),
}

/// What brings a tool.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// Debian packages.
    Debian(&'static [&'static str]),
    /// A command that we leave to the reader.
    Command(&'static str),
}

const ANY: (u32, u32) = (0, 0);

pub(crate) const RUSTFMT: Tool = Tool {
    name: "rustfmt",
    probe: Probe::Program(&["cargo"], &["fmt", "--version"]),
    least: ANY,
    source: Source::Command("rustup component add rustfmt"),
};
pub(crate) const CLIPPY: Tool = Tool {
    name: "clippy",
    probe: Probe::Program(&["cargo"], &["clippy", "--version"]),
    least: ANY,
    source: Source::Command("rustup component add clippy"),
};
/// The database is compiled in.
pub(crate) const CC: Tool = Tool {
    name: "C compiler",
    probe: Probe::Program(&["cc", "gcc", "clang"], &["--version"]),
    least: ANY,
    source: Source::Debian(&["gcc", "libc6-dev"]),
};
pub(crate) const PYTHON: Tool = Tool {
    name: "Python",
    probe: Probe::Program(&["python3"], &["--version"]),
    least: (3, 9),
    source: Source::Debian(&["python3"]),
};
/// What runs Autobahn's cases wants a newer one.
pub(crate) const PYTHON_FOR_CASES: Tool = Tool {
    name: "Python 3.10",
    probe: Probe::Program(&["python3"], &["--version"]),
    least: (3, 10),
    source: Source::Debian(&["python3"]),
};
pub(crate) const VENV: Tool = Tool {
    name: "Python venv",
    probe: Probe::Prints("python3", &["-c", "import ensurepip, venv; print('there')"]),
    least: ANY,
    source: Source::Debian(&["python3-venv"]),
};
/// libFuzzer is C++.
pub(crate) const CXX: Tool = Tool {
    name: "C++ compiler",
    probe: Probe::Program(&["c++", "g++", "clang++"], &["--version"]),
    least: ANY,
    source: Source::Debian(&["g++"]),
};
/// Says which functions have run.
pub(crate) const VALGRIND: Tool = Tool {
    name: "Valgrind",
    probe: Probe::Program(&["valgrind"], &["--version"]),
    least: (3, 16),
    source: Source::Debian(&["valgrind"]),
};
pub(crate) const NODE: Tool = Tool {
    name: "Node.js",
    probe: Probe::Program(&["node"], &["--version"]),
    least: (20, 11),
    source: Source::Debian(&["nodejs"]),
};
pub(crate) const NPM: Tool = Tool {
    name: "npm",
    probe: Probe::Program(&["npm"], &["--version"]),
    least: (9, 0),
    source: Source::Debian(&["npm"]),
};
pub(crate) const CHROMIUM: Tool = Tool {
    name: "Chromium",
    probe: Probe::Program(&["chromium", "chromium-browser", "google-chrome"], &["--version"]),
    least: ANY,
    source: Source::Debian(&["chromium"]),
};
pub(crate) const NGINX: Tool = Tool {
    name: "nginx",
    probe: Probe::Program(&["nginx"], &["-v"]),
    least: ANY,
    source: Source::Debian(&["nginx-light"]),
};
pub(crate) const HAPROXY: Tool = Tool {
    name: "HAProxy",
    probe: Probe::Program(&["haproxy"], &["-v"]),
    least: ANY,
    source: Source::Debian(&["haproxy"]),
};
/// Debian starts it as a service when it is installed; the tests run one of their own and need none.
pub(crate) const APACHE: Tool = Tool {
    name: "Apache",
    probe: Probe::Program(&["apache2"], &["-v"]),
    least: (2, 4),
    source: Source::Debian(&["apache2"]),
};
/// As with Apache: its service is not needed.
pub(crate) const CADDY: Tool = Tool {
    name: "Caddy",
    probe: Probe::Program(&["caddy"], &["version"]),
    least: (2, 6),
    source: Source::Debian(&["caddy"]),
};
/// As with Apache: its service is not needed, and a forward proxy that nobody asked for should not run.
pub(crate) const SQUID: Tool = Tool {
    name: "Squid",
    probe: Probe::Program(&["squid"], &["-v"]),
    least: (5, 0),
    source: Source::Debian(&["squid"]),
};
/// With Debian's helper that makes a cluster for one command and takes it away again.
pub(crate) const POSTGRES: Tool = Tool {
    name: "PostgreSQL",
    probe: Probe::Prints("sh", &["-c", "command -v pg_virtualenv && ls /usr/lib/postgresql/*/bin/postgres"]),
    least: ANY,
    source: Source::Debian(&["postgresql"]),
};
/// Makes the certificate of a first day with TLS.
pub(crate) const OPENSSL: Tool = Tool {
    name: "OpenSSL",
    probe: Probe::Program(&["openssl"], &["version"]),
    least: (1, 1),
    source: Source::Debian(&["openssl"]),
};
/// The bus of several servers.
pub(crate) const NATS: Tool = Tool {
    name: "nats-server",
    probe: Probe::Program(&["nats-server"], &["--version"]),
    least: (2, 9),
    source: Source::Debian(&["nats-server"]),
};
/// For pictures: reactions without it are empty boxes.
pub(crate) const EMOJI_FONT: Tool = Tool {
    name: "emoji font",
    probe: Probe::Prints("fc-list", &[":charset=1f44d", "family"]),
    least: ANY,
    source: Source::Debian(&["fonts-noto-color-emoji"]),
};
/// For pictures: what a desktop shows for `system-ui`.
pub(crate) const TEXT_FONT: Tool = Tool {
    name: "text font",
    probe: Probe::Prints("fc-list", &["Inter", "family"]),
    least: ANY,
    source: Source::Debian(&["fonts-inter"]),
};
/// The engine, too: it is started where none runs.
pub(crate) const DOCKER: Tool = Tool {
    name: "Docker",
    probe: Probe::Prints("sh", &["-c", "command -v dockerd && docker --version"]),
    least: ANY,
    source: Source::Debian(&["docker.io"]),
};
pub(crate) const DOCKER_COMPOSE: Tool = Tool {
    name: "docker-compose",
    probe: Probe::Prints("sh", &["-c", "docker-compose version || docker compose version"]),
    least: ANY,
    source: Source::Debian(&["docker-compose"]),
};
/// Makes what an image is made of where none can be pulled.
pub(crate) const DEBOOTSTRAP: Tool = Tool {
    name: "debootstrap",
    probe: Probe::Prints("sh", &["-c", "command -v debootstrap"]),
    least: ANY,
    source: Source::Debian(&["debootstrap"]),
};
pub(crate) const IPROUTE: Tool = Tool {
    name: "iproute2",
    probe: Probe::Program(&["ip"], &["-V"]),
    least: ANY,
    source: Source::Debian(&["iproute2"]),
};
/// For an engine that leaves nothing behind.
pub(crate) const NAMESPACES: Tool = Tool {
    name: "namespaces",
    probe: Probe::Prints("sh", &["-c", "command -v unshare && command -v nsenter && command -v setpriv"]),
    least: ANY,
    source: Source::Debian(&["util-linux"]),
};
/// The library that shows a process another clock; the program alone says that it is there.
pub(crate) const FAKETIME: Tool = Tool {
    name: "faketime",
    probe: Probe::Prints("sh", &["-c", "ls /usr/lib/*/faketime/libfaketime.so.1"]),
    least: ANY,
    source: Source::Debian(&["faketime"]),
};
/// Makes and mends a disk for a test.
pub(crate) const EXT4: Tool = Tool {
    name: "ext4 tools",
    probe: Probe::Prints("sh", &["-c", "command -v mke2fs && command -v e2fsck"]),
    least: ANY,
    source: Source::Debian(&["e2fsprogs"]),
};
/// Mounts it, and limits what a process may open.
pub(crate) const MOUNT: Tool = Tool {
    name: "mount",
    probe: Probe::Prints("sh", &["-c", "command -v mount && command -v findmnt && command -v prlimit"]),
    least: ANY,
    source: Source::Debian(&["mount", "util-linux"]),
};
