//! Has the linker put next to each other what a server starts and works with.
//!
//! The compiler sorts functions by their names. What runs at all is a quarter of the program then, but it is in
//! nearly all of its parts, and the kernel maps a file's pages sixteen at a time. `function-order.txt` says
//! what runs (`cargo xtask order` writes it); here it becomes a linker script that is added to the linker's own
//! (docs/decisions/024).

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ORDER: &str = "function-order.txt";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={ORDER}");
    let is_release = variable("PROFILE")? == "release";
    if !is_release || variable("CARGO_CFG_TARGET_OS")? != "linux" {
        return Ok(());
    }
    let out = PathBuf::from(variable("OUT_DIR")?);
    let script = out.join("order.ld");
    fs::write(&script, to_script(&fs::read_to_string(ORDER)?))?;
    let argument = format!("-Wl,-T,{}", script.display());
    if is_understood(&out, &argument)? {
        println!("cargo:rustc-link-arg-bin=switchback={argument}");
    } else {
        println!(
            "cargo:warning=this linker takes no script beside its own: functions stay in the compiler's order, and \
             an idle server holds some 6 MiB more"
        );
    }
    Ok(())
}

/// A section of its own for them, before all other code. What the compiler takes for cold it puts under
/// another name.
fn to_script(order: &str) -> String {
    let names = order.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let sections: Vec<String> =
        names.map(|name| format!("    *(.text.{name} .text.unlikely.{name})")).collect();
    format!("SECTIONS\n{{\n  .text.order :\n  {{\n{}\n  }}\n}}\nINSERT BEFORE .text;\n", sections.join("\n"))
}

/// Whether the linker that will be used can do it: not every one can.
fn is_understood(out: &Path, argument: &str) -> Result<bool, Box<dyn Error>> {
    let source = out.join("probe.rs");
    fs::write(&source, "fn main() {}\n")?;
    let mut rustc = Command::new(variable("RUSTC")?);
    rustc.args(["--crate-name", "probe", "--edition", "2024", "--target", &variable("TARGET")?]);
    rustc.arg("-o").arg(out.join("probe")).arg(&source).args(["-C", &format!("link-arg={argument}")]);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.args(["-C", &format!("linker={linker}")]);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    Ok(rustc.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}
