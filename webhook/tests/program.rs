//! The program as a process: its commands, their exit codes, and `serve` from its first line to its last.

// Helpers of tests are not known as tests to the lint that allows it there.
#![allow(clippy::unwrap_used)]

#[path = "program/common.rs"]
mod common;
#[path = "program/commands.rs"]
mod commands;
#[path = "program/plugin.rs"]
mod plugin;
#[path = "program/serve.rs"]
mod serve;
