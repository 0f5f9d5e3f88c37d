//! `cargo xtask order`: which functions a server starts and works with, by having it do so under callgrind,
//! into the list that crates/switchback/build.rs gives the linker.
//!
//! A name in the list is a section's. The hash at its end, which changes with every version of whatever it depends
//! on, is a `*` there, unless too much would then come along that never runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::process::{self, output, root, run_with};
use crate::steps::{self, BINARY};
use crate::{load, machine, tools};

const LIST: &str = "crates/switchback/function-order.txt";
/// What build.rs calls it.
const SECTION: &str = ".text.order";
/// What a server works with: posting and delivering, to both kinds of streams.
const WORK: [&str; 2] = ["small-team", "one-room-sse"];
/// What it starts with, on a team's history and on an empty directory.
const START: [&str; 1] = ["start"];
/// The load program ends a server as a crash would: so what ran is written down now and then, after so many
/// blocks of instructions.
const BLOCKS: u32 = 200_000;
/// Of a name's functions, by size, one in so many must run for all of them to be taken.
const WORTHWHILE: u64 = 2;
/// Of the list, one in so many may be unknown to the program.
const STALE: usize = 5;
/// Of the code that the list names, in percent: so much is in the section, or it was not made by the list.
const IN_SECTION: u64 = 90;

/// Writes the list anew.
pub(crate) fn renew() -> Result<()> {
    machine::prepare(&[tools::CC, tools::VALGRIND])?;
    let binary = steps::binary()?;
    let program = load::build()?;
    let dir = process::target().join("order");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    let (working, starting) = (dir.join("working"), dir.join("starting"));
    for (scenarios, into) in [(&WORK[..], &working), (&START, &starting)] {
        let watched = watching(into, &binary)?;
        for scenario in scenarios {
            let results = dir.join("results");
            let results = results.to_string_lossy();
            let words = ["bench", scenario, "--quick", "--servers", "product", "--results", &results];
            run_with(root(), &program.to_string_lossy(), &words, &[(BINARY, watched.as_os_str())])?;
        }
    }
    let symbols = symbols(&binary)?;
    let list = list(&symbols, &executed(&starting)?, &executed(&working)?);
    ensure!(!list.is_empty(), "nothing of what ran is a function of {}", binary.display());
    let text = format!("# Written by `cargo xtask order`.\n{}\n", list.join("\n"));
    fs::write(root().join(LIST), text)?;
    println!("{LIST} has {} names; the next release build goes by it", list.len());
    Ok(())
}

/// Whether the list speaks of this program, and the program was linked by it.
pub(crate) fn check(binary: &Path) -> Result<()> {
    let symbols = symbols(binary)?;
    let list = fs::read_to_string(root().join(LIST))?;
    let names: BTreeSet<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    ensure!(!names.is_empty(), "{LIST} is empty: `cargo xtask order` writes it anew");
    let mut known = BTreeSet::new();
    let mut named_bytes = 0;
    for (symbol, bytes) in &symbols {
        let pattern = pattern(symbol);
        if let Some(name) = names.get(symbol.as_str()).or_else(|| names.get(pattern.as_str())) {
            known.insert(*name);
            named_bytes += bytes;
        }
    }
    let unknown = names.len() - known.len();
    let in_section = section_bytes(binary)?;
    println!(
        "{unknown} of {} names in {LIST} are not in the program; of {named_bytes} bytes that the others name, \
         {in_section} are in {SECTION}",
        names.len(),
    );
    ensure!(unknown * STALE <= names.len(), "{LIST} is out of date: `cargo xtask order` writes it anew");
    ensure!(
        in_section * 100 >= named_bytes * IN_SECTION,
        "the program was not linked by {LIST}: cargo warns if the linker cannot do it"
    );
    Ok(())
}

/// The size of the list's section, in bytes; 0 if there is none.
fn section_bytes(binary: &Path) -> Result<u64> {
    let sections = output(Path::new("size"), &["-A", &binary.to_string_lossy()]).context("no sections")?;
    let ours = sections.lines().find_map(|line| line.strip_prefix(SECTION)?.split_whitespace().next());
    Ok(ours.map_or(Ok(0), str::parse)?)
}

/// A program that runs the server and writes down into `dir` which functions it ran.
fn watching(dir: &Path, binary: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let program = dir.join("server.sh");
    let (into, binary) = (dir.display(), binary.display());
    let text = format!(
        "#!/bin/sh\nexec valgrind --quiet --tool=callgrind --callgrind-out-file='{into}/ran.%p' \
         --dump-every-bb={BLOCKS} --demangle=no --compress-strings=no '{binary}' \"$@\"\n"
    );
    fs::write(&program, text)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

/// The names of all that ran, as callgrind's files have them: `fn=` and `cfn=`, with a mark for recursion.
fn executed(dir: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in fs::read_dir(dir)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with("ran.") {
            let text = String::from_utf8_lossy(&fs::read(file.path())?).into_owned();
            let lines =
                text.lines().filter_map(|line| line.strip_prefix("fn=").or(line.strip_prefix("cfn=")));
            names.extend(lines.map(|name| name.split('\'').next().unwrap_or(name).to_owned()));
        }
    }
    Ok(names)
}

/// The program's functions and how large they are.
fn symbols(binary: &Path) -> Result<BTreeMap<String, u64>> {
    let listed = output(Path::new("nm"), &["-S", &binary.to_string_lossy()]).context("nm shows nothing")?;
    let mut symbols = BTreeMap::new();
    for line in listed.lines() {
        if let [_, size, kind, name] = line.split_whitespace().collect::<Vec<_>>()[..]
            && kind.eq_ignore_ascii_case("t")
        {
            *symbols.entry(name.to_owned()).or_default() += u64::from_str_radix(size, 16)?;
        }
    }
    ensure!(!symbols.is_empty(), "{} has no symbols", binary.display());
    Ok(symbols)
}

/// What starts, which is all that an idle server needs, then what else works; each by name.
fn list(
    symbols: &BTreeMap<String, u64>,
    starting: &BTreeSet<String>,
    working: &BTreeSet<String>,
) -> Vec<String> {
    let ran = |symbol: &String| starting.contains(symbol) || working.contains(symbol);
    let mut sizes: HashMap<String, (u64, u64)> = HashMap::new();
    for (symbol, bytes) in symbols {
        let (of_all, of_those_that_ran) = sizes.entry(pattern(symbol)).or_default();
        *of_all += bytes;
        *of_those_that_ran += if ran(symbol) { *bytes } else { 0 };
    }
    let mut listed = BTreeSet::new();
    let in_order = starting.iter().chain(working).filter(|symbol| symbols.contains_key(*symbol));
    let names = in_order.map(|symbol| {
        let pattern = pattern(symbol);
        let (of_all, of_those_that_ran) = sizes[&pattern];
        if of_those_that_ran * WORTHWHILE >= of_all { pattern } else { symbol.clone() }
    });
    names.filter(|name| listed.insert(name.clone())).collect()
}

/// A symbol with a `*` for what changes without the function: the hash of the older mangling and the
/// crates' of the newer, and a number that the compiler has added.
fn pattern(symbol: &str) -> String {
    const HASH: &str = "17h";
    const HASH_DIGITS: usize = 16;
    let is_hash = |at: &usize| {
        let digits = symbol.get(at + HASH.len()..at + HASH.len() + HASH_DIGITS);
        digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    if let Some(at) = symbol.rfind(HASH).filter(is_hash) {
        return format!("{}*", &symbol[..at + HASH.len()]);
    }
    let name = match symbol.rsplit_once('.') {
        Some((name, number)) if number.bytes().all(|digit| digit.is_ascii_digit()) => format!("{name}*"),
        _ => symbol.to_owned(),
    };
    if name.starts_with("_R") { without_crate_hashes(&name) } else { name }
}

/// `Cs…_` is a crate's disambiguator (RFC 2603), in base 62.
fn without_crate_hashes(name: &str) -> String {
    let mut parts = name.split("Cs");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("Cs");
        match part.split_once('_') {
            Some((hash, rest))
                if !hash.is_empty() && hash.bytes().all(|digit| digit.is_ascii_alphanumeric()) =>
            {
                text.push_str("*_");
                text.push_str(rest);
            }
            _ => text.push_str(part),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_without_the_function_is_open() {
        let cases = [
            ("_ZN10switchback4main17h0123456789abcdefE", "_ZN10switchback4main17h*"),
            ("_ZN3fmt17h0123456789abcdefE.llvm.77", "_ZN3fmt17h*"),
            ("_ZN3fmt17hello_thereE", "_ZN3fmt17hello_thereE"),
            ("_RNvMs0_NtCs6d7GoaNTBIz_3std4Once4call", "_RNvMs0_NtCs*_3std4Once4call"),
            ("_RNvXsK_NtCsgEm_4core3fmt.41", "_RNvXsK_NtCs*_4core3fmt*"),
            ("sqlite3VdbeExec", "sqlite3VdbeExec"),
            ("yy_reduce.constprop.0", "yy_reduce.constprop*"),
        ];
        for (symbol, expected) in cases {
            assert_eq!(pattern(symbol), expected);
        }
    }

    #[test]
    fn a_name_of_which_little_runs_is_taken_as_it_is() {
        let [rare, often] = [1, 2].map(|number| format!("_ZN4grow17h{number:016x}E"));
        let symbols = BTreeMap::from([(rare.clone(), 1), (often.clone(), 9), ("start".to_owned(), 5)]);
        let one = |name: &str| BTreeSet::from([name.to_owned()]);
        assert_eq!(list(&symbols, &one("start"), &one(&rare)), ["start", rare.as_str()]);
        assert_eq!(list(&symbols, &one("start"), &one(&often)), ["start", "_ZN4grow17h*"]);
    }
}
