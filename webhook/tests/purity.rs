//! Injection, patches and the checks of endpoints and workloads decide; they read no file, no network and no clock.

// Helpers of tests are not known as tests to the lint that allows it there.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// What would let a decision depend on anything but its arguments.
const IMPURE: [&str; 14] = [
    "tokio",
    "hyper",
    "kube::",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "std::time",
    "Instant",
    "SystemTime",
    "::now(",
    "tracing",
    "async ",
];

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries
        .flat_map(|entry| sources(&entry.unwrap().path()))
        .collect()
}

#[test]
fn decisions_do_no_io_and_read_no_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = 0;
    for part in [
        "inject",
        "inject.rs",
        "patch.rs",
        "validate.rs",
        "workload.rs",
    ] {
        for file in sources(&root.join(part)) {
            let text = fs::read_to_string(&file).unwrap();
            // Comments may name what the code may not use.
            for line in text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
            {
                for word in IMPURE {
                    assert!(
                        !line.contains(word),
                        "{}: {word} in: {line}",
                        file.display()
                    );
                }
            }
            files += 1;
        }
    }
    assert!(files > 10, "{files} files were read");
}
