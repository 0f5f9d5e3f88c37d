#!/bin/sh
# Called as the Dockerfile calls cargo; any other way is a mistake.
set -eu
test "$*" = 'build --locked --release --package switchback'
test -f Cargo.lock && test -f crates/switchback/Cargo.toml
mkdir -p target/release
cp /opt/switchback target/release/
