//! `docs/troubleshooting.md` has an entry for each message: every `#[error]`, every warning and error of the log, and every
//! sentence by which a failed dial is explained.

use std::fs;
use std::path::Path;

use crate::pages::root;

/// What is between placeholders and shorter is found everywhere.
const PIECE_CHARS_MIN: usize = 8;
/// Where failed dials are put into words.
const DIALS: [&str; 3] = ["connector.rs", "connector/tls.rs", "connector/websocket.rs"];

#[test]
fn troubleshooting_has_an_entry_for_each_message() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).expect("it is there");
    let mut missing = String::new();
    let mut found = 0;
    for program in ["sidecar", "webhook", "endpoint"] {
        for_each_source(&root().join(program).join("src"), &mut |path| {
            let text = fs::read_to_string(path).expect("readable");
            let is_dial = program == "sidecar" && DIALS.iter().any(|dial| path.ends_with(dial));
            for message in messages(&text, is_dial) {
                found += 1;
                let beginning = beginning(&message);
                if beginning.is_some_and(|beginning| !page.contains(beginning)) {
                    missing += &format!("{}: {message}\n", path.display());
                }
            }
        });
    }
    assert!(found > 80, "{found} messages");
    assert!(
        missing.is_empty(),
        "docs/troubleshooting.md has no entry for:\n{missing}"
    );
}

fn for_each_source(folder: &Path, see: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_test = name.starts_with("test");
        if path.is_dir() && !is_test {
            for_each_source(&path, see);
        } else if name.ends_with(".rs") && !is_test {
            see(&path);
        }
    }
}

/// The messages of a file, as they are written there.
fn messages(text: &str, is_dial: bool) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut messages = Vec::new();
    for (begin, of_the_last) in [("#[error(", false), ("warn!(", true), ("error!(", true)] {
        for (at, _) in code.match_indices(begin) {
            let literals = literals(call(&code[at + begin.len()..]));
            let message = match of_the_last {
                true => literals.into_iter().next_back(),
                false => literals.into_iter().next(),
            };
            messages.extend(message);
        }
    }
    if is_dial {
        let code = code.replace(".expect(\"", "(\"_");
        let sentences = literals(&code).into_iter();
        messages.extend(
            sentences.filter(|text| text.matches(' ').count() >= 3 && !text.starts_with('_')),
        );
    }
    messages
}

/// What is before the parenthesis that ends a call.
fn call(code: &str) -> &str {
    let mut depth = 1;
    let mut is_text = false;
    let mut is_escaped = false;
    for (at, letter) in code.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            '(' if !is_text => depth += 1,
            ')' if !is_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &code[..at];
        }
    }
    code
}

/// The text literals of some code; a line that ends with a backslash goes on with the next.
fn literals(code: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut letters = code.chars();
    while letters.by_ref().any(|letter| letter == '"') {
        let mut text = String::new();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => match letters.next() {
                    Some('\n') => {
                        text = text.trim_end().to_owned() + " ";
                        let rest = letters.as_str().trim_start();
                        letters = rest.chars();
                    }
                    Some(other) => text.push(other),
                    None => break,
                },
                letter => text.push(letter),
            }
        }
        literals.push(text);
    }
    literals
}

/// The first piece that a person would search for: without placeholders, and up to the remedy.
fn beginning(message: &str) -> Option<&str> {
    let mut rest = message;
    while !rest.is_empty() {
        let end = [" {", "{", "; ", ": ", " ("]
            .iter()
            .filter_map(|end| rest.find(end))
            .min()
            .unwrap_or(rest.len());
        let piece = rest[..end].trim_matches([' ', ':', ';', ',', '(', ')', '"']);
        if piece.chars().count() >= PIECE_CHARS_MIN {
            return Some(piece);
        }
        rest = &rest[end..];
        let skipped = match rest.trim_start().starts_with('{') {
            true => rest.find('}').map_or(rest.len(), |end| end + 1),
            false => rest.len().min(2),
        };
        rest = &rest[skipped..];
    }
    None
}
