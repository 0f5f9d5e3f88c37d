//! Preflight: what the machine has of what the steps need. What is missing is installed where that
//! is allowed, and named with its command where it is not. Nothing is left out in silence.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process;
use crate::tools::{Probe, Source, Tool};

/// Daemons lie here, and it is not on everybody's `PATH`.
const SYSTEM_PLACES: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];
/// Packages whose service is ended and kept from coming back when we have installed them: a proxy
/// for anybody is not what somebody wanted who ran a test.
const WITHOUT_SERVICE: [&str; 1] = ["squid"];
/// Where a service manager runs.
const SYSTEMD: &str = "/run/systemd/system";

/// What was found of a tool.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// It will do; its version, where it has one.
    Yes(String),
    /// It is there, but too old.
    Old(String),
    No,
}

/// Looks at every tool, installs what is missing if it may, and fails with the commands if not.
pub(crate) fn prepare(tools: &[Tool]) -> Result<()> {
    let missing = report(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = debian_packages(&missing);
    if !packages.is_empty() && may_install() {
        install(&packages)?;
        let still = report(&missing);
        return if still.is_empty() { Ok(()) } else { refuse(&still) };
    }
    refuse(&missing)
}

/// Prints a line for each tool and returns those that will not do.
fn report(tools: &[Tool]) -> Vec<Tool> {
    let mut missing = Vec::new();
    for tool in tools {
        let (will_do, what) = match look(tool) {
            Found::Yes(version) => (true, version),
            Found::Old(version) => {
                (false, format!("{version} is too old: {} needed", version_text(tool.least)))
            }
            Found::No => (false, "missing".to_owned()),
        };
        println!("  {:14} {what}", tool.name);
        if !will_do {
            missing.push(*tool);
        }
    }
    missing
}

fn look(tool: &Tool) -> Found {
    match tool.probe {
        Probe::Program(names, args) => {
            let printed = names.iter().find_map(|name| process::output(&find(name)?, args));
            printed.map_or(Found::No, |printed| judge(tool.least, &printed))
        }
        Probe::Prints(name, args) => {
            let printed = find(name).and_then(|path| process::output(&path, args));
            if printed.is_some_and(|text| !text.trim().is_empty()) {
                Found::Yes("there".to_owned())
            } else {
                Found::No
            }
        }
    }
}

/// The program's path, from `PATH` and where daemons lie.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(SYSTEM_PLACES.iter().map(PathBuf::from));
    places.map(|place| place.join(name)).find(|candidate| is_file(candidate))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn judge(least: (u32, u32), printed: &str) -> Found {
    match version(printed) {
        Some(found) if found < least => Found::Old(version_text(found)),
        Some(found) => Found::Yes(version_text(found)),
        None if least == (0, 0) => Found::Yes("there".to_owned()),
        None => Found::No,
    }
}

/// The first `major.minor` in what a program prints of itself.
fn version(printed: &str) -> Option<(u32, u32)> {
    printed.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
        let mut parts = word.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

fn version_text((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

fn debian_packages(tools: &[Tool]) -> Vec<&'static str> {
    let packages = tools.iter().filter_map(|tool| match tool.source {
        Source::Debian(packages) => Some(packages),
        Source::Command(_) => None,
    });
    packages.flatten().copied().collect()
}

/// Root on a Debian system.
fn may_install() -> bool {
    let root = process::output(Path::new("id"), &["-u"]).is_some_and(|id| id.trim() == "0");
    root && find("apt-get").is_some()
}

fn install(packages: &[&str]) -> Result<()> {
    let quiet: [(&str, &std::ffi::OsStr); 1] = [("DEBIAN_FRONTEND", "noninteractive".as_ref())];
    process::run_with(process::root(), "apt-get", &["-qq", "update"], &quiet)?;
    let mut args = vec!["-qq", "install", "-y", "--no-install-recommends"];
    args.extend(packages);
    process::run_with(process::root(), "apt-get", &args, &quiet)?;
    for service in WITHOUT_SERVICE.iter().filter(|service| packages.contains(service)) {
        if Path::new(SYSTEMD).is_dir() {
            process::run(process::root(), "systemctl", &["disable", "--now", service])?;
        }
    }
    Ok(())
}

fn refuse(missing: &[Tool]) -> Result<()> {
    let mut commands: Vec<String> = missing
        .iter()
        .filter_map(|tool| match tool.source {
            Source::Command(command) => Some(command.to_owned()),
            Source::Debian(_) => None,
        })
        .collect();
    let packages = debian_packages(missing);
    if !packages.is_empty() {
        commands.push(format!("apt-get install --no-install-recommends {}", packages.join(" ")));
    }
    let names: Vec<String> = missing.iter().map(needed).collect();
    bail!("missing: {}\n  install it with:\n    {}", names.join(", "), commands.join("\n    "))
}

fn needed(tool: &Tool) -> String {
    if tool.least == (0, 0) {
        tool.name.to_owned()
    } else {
        format!("{} {} or newer", tool.name, version_text(tool.least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_first_pair_of_numbers() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(version("nginx version: nginx/1.22.1"), Some((1, 22)));
        assert_eq!(version("HAProxy version 2.6.12-1+deb12u4 2026/10/17"), Some((2, 6)));
        assert_eq!(version("no number"), None);
    }

    #[test]
    fn an_old_version_is_told_from_a_missing_one() {
        assert_eq!(judge((20, 11), "v18.20.4"), Found::Old("18.20".to_owned()));
        assert_eq!(judge((20, 11), "v20.11.0"), Found::Yes("20.11".to_owned()));
        assert_eq!(judge((20, 11), "?"), Found::No);
    }
}
