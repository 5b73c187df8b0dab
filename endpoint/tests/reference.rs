//! The pages of `docs/` that are made of the types and the contract: nobody writes them, so they are never wrong.
//!
//! `BLESS=1 cargo test -p endpoint --all-features reference` writes them anew; read the difference before committing it.

mod annotations;
mod endpoint;

use std::fs;
use std::path::{Path, PathBuf};

/// What every generated page begins with, below its title.
const GENERATED: &str =
    "<!-- Generated: BLESS=1 cargo test -p endpoint --all-features reference -->";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares a page with the file in `docs/`, or writes it.
fn compare(file: &str, page: &str) {
    let path = root().join("docs").join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let difference = page
        .lines()
        .zip(written.lines().chain(std::iter::repeat("")))
        .find(|(made, written)| made != written);
    assert!(
        page == written,
        "docs/{file} is not what the code says: run BLESS=1 cargo test -p endpoint --all-features reference\nfirst difference (code, file): {difference:#?}"
    );
}

/// A line of a table. A bar would begin another cell, and `<name>` an HTML element.
fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| cell.replace('|', "\\|").replace('<', "\\<"))
        .collect();
    format!("| {} |\n", cells.join(" | "))
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = row(&head.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>());
    text += &format!("|{}\n", "---|".repeat(head.len()));
    text.extend(rows.iter().map(|cells| row(cells)));
    text
}
