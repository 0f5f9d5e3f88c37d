//! A small Debian with the programs of the stack in it: the base of every image that cannot be pulled.
//!
//! Packages are unpacked, not installed: their scripts would start daemons on this machine. What a
//! script would have done (users, a database) is in `tests/compose/stand-ins`. Made once and kept in
//! the target directory; a changed recipe makes it anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{output, run_command};

/// The programs of the stack.
const PACKAGES: &[&str] = &["nginx-light", "nats-server", "postgresql", "curl"];
/// Depended on, and not needed by what we run: a query compiler, another language, documentation's data.
const LEFT_OUT: &[&str] = &["perl", "libperl", "libllvm", "libz3", "locales", "libc-l10n"];
/// `dpkg-deb --extract` would put directories in the place of links like `/lib`.
const UNPACK: &str = "
for package in /var/cache/apt/archives/*.deb; do
  for other; do case ${package##*/} in $other*) continue 2 ;; esac; done
  dpkg-deb --fsys-tarfile $package | tar --extract --keep-directory-symlink --directory /
done";
/// Not needed either, and a third of the size.
const BALLAST: &[&str] = &["usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists"];
/// Counts up when the recipe changes.
const RECIPE: u32 = 1;

/// A tar of the base, made if it is not there yet.
pub(super) fn base(dir: &Path) -> Result<PathBuf> {
    let release = release()?;
    let tar = dir.join(format!("base-{release}-{RECIPE}.tar"));
    if tar.is_file() {
        return Ok(tar);
    }
    let system = dir.join("base");
    if system.exists() {
        fs::remove_dir_all(&system)?;
    }
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &release]).arg(&system).arg(mirror(&release)?);
    run_command(&mut debootstrap)?;
    unpack_packages(&system)?;
    for ballast in BALLAST {
        fs::remove_dir_all(system.join(ballast))?;
    }
    let made = tar.with_extension("new");
    let mut pack = Command::new("tar");
    pack.arg("--create").arg("--file").arg(&made).arg("--directory").arg(&system);
    run_command(pack.args(["--exclude=./dev/*", "--exclude=./proc/*", "."]))?;
    fs::rename(&made, &tar)?;
    fs::remove_dir_all(&system)?;
    Ok(tar)
}

fn unpack_packages(system: &Path) -> Result<()> {
    let apt =
        |args: &[&str]| run_command(Command::new("chroot").arg(system).args(["apt-get", "-qq"]).args(args));
    apt(&["clean"])?;
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-install-recommends", "--download-only"], PACKAGES].concat())?;
    run_command(Command::new("chroot").arg(system).args(["sh", "-euc", UNPACK, "sh"]).args(LEFT_OUT))?;
    apt(&["clean"])
}

/// This machine's Debian: a binary that was built here runs there.
fn release() -> Result<String> {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = system.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(str::to_owned)
        .context("stand-ins for images are made of Debian's packages, and this is no Debian")
}

/// Where this machine gets its packages from.
fn mirror(release: &str) -> Result<String> {
    let format = "$(SITE) $(RELEASE) $(COMPONENT)";
    let args = ["indextargets", "--format", format, "Created-By: Packages"];
    let known = output(Path::new("apt-get"), &args).unwrap_or_default();
    let found = known.lines().find_map(|line| line.strip_suffix(&format!(" {release} main")));
    match found {
        Some(mirror) => Ok(mirror.to_owned()),
        None => bail!("apt knows no source of {release}/main: run \"apt-get update\""),
    }
}
