//! Writes manual pages and shell completions of `dataflow-sidecar`: `sidecar-manual MAN COMPLETIONS`.
//!
//! Not a subcommand: what a person reads on a workstation would be carried by every pod.

use std::path::PathBuf;

use anyhow::Context as _;
use clap_complete::Shell;

fn main() -> anyhow::Result<()> {
    let mut folders = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: sidecar-manual MAN COMPLETIONS";
    let man = folders.next().context(usage)?;
    let completions = folders.next().context(usage)?;
    for command in [sidecar::args::command()] {
        // Or each page of `help COMMAND` would be one more that says the same.
        let mut command = command.disable_help_subcommand(true);
        let name = command.get_name().to_owned();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            clap_complete::generate_to(shell, &mut command, &name, &completions)?;
        }
        clap_mangen::generate_to(command, &man)?;
    }
    Ok(())
}
