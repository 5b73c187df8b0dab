//! The harness of the integration tests: brokers, mounts, apps and the programs themselves.

pub mod app;
pub mod broker;
pub mod certificates;
pub mod check;
pub mod event_grid;
pub mod eventually;
pub mod fault;
pub mod http;
pub mod hosts;
pub mod figures;
pub mod mosquitto;
pub mod mounts;
pub mod ports;
pub mod process;
pub mod raw;
pub mod setup;
pub mod sidecar;
pub mod token_service;
pub mod steady;
pub mod token;
pub mod webhook;

use std::path::PathBuf;
use std::process::Command;

pub use ports::free_port;

/// Sends a signal by its name.
pub fn signal(process: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status();
    assert!(
        status.expect("kill is part of every system").success(),
        "kill -{name} {process}"
    );
}

/// The folder in which cargo put the programs: `target/debug` or `target/release`.
pub fn built_directory() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    let parent = test.parent().expect("a folder");
    // Test programs are one folder below.
    let directory = if parent.ends_with("deps") {
        parent.parent()
    } else {
        Some(parent)
    };
    directory.expect("a folder").to_owned()
}

/// A program of the workspace.
///
/// # Panics
/// It is not built.
pub fn built_program(name: &str) -> PathBuf {
    let program = built_directory().join(name);
    assert!(
        program.is_file(),
        "{} is not built: run cargo build --workspace",
        program.display()
    );
    program
}
