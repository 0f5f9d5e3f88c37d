//! Has cargo look for new files of the web client: it follows those that are embedded already by
//! itself, but not the directories that they come from.

fn main() {
    for part in ["main.js", "manifest.webmanifest", "icons", "net", "state", "styles", "ui", "vendor"] {
        println!("cargo::rerun-if-changed=../../web/{part}");
    }
}
