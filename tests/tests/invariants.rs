//! Rules of the whole project that no compiler keeps: each test reads the sources and names the lines that break one.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use endpoint::contract::{ANNOTATION_PREFIX, Annotation};

/// A file is read in one sitting.
const LINES_MAX: usize = 400;
/// Tables of cases are longer than code, and read by the case.
const TEST_LINES_MAX: usize = 500;

/// What no pure code may name: the runtime, sockets, files, the environment, the clock, the log.
/// `std::net` itself is free: addresses are values.
const EFFECTS: [&str; 14] = [
    "tokio::",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::*",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "::now()",
    "tracing::",
    "println!",
    "dbg!",
];

/// The modules that decide. Everything else may do IO.
const PURE_MODULES: [&str; 8] = [
    "endpoint/src",
    "sidecar/src/packet",
    "sidecar/src/engine",
    "webhook/src/inject",
    "webhook/src/patch",
    "webhook/src/validate",
    "webhook/src/workload",
    "webhook/src/controller/plan",
];

#[test]
fn decisions_do_no_io_and_read_no_clock() {
    let mut found = Findings::default();
    for module in PURE_MODULES {
        for file in module_files(module) {
            found.search(&file, |line| {
                EFFECTS.into_iter().find(|effect| line.contains(effect))
            });
        }
    }
    found.must_be_none("pure code decides and leaves effects to its caller: move the effect out, or take its result as an argument");
}

#[test]
fn files_are_short() {
    let mut found = Findings::default();
    for file in rust_files("") {
        let lines = file.text.lines().count();
        let lines_max = if file.is_test() {
            TEST_LINES_MAX
        } else {
            LINES_MAX
        };
        if lines > lines_max {
            found.add(&file, lines, &format!("{lines} lines, {lines_max} allowed"));
        }
    }
    found.must_be_none(
        "split the file by topic; tests of more than 150 lines go to a file of their own",
    );
}

#[test]
fn nothing_is_unsafe_unfinished_or_ignored() {
    // Put together here, so that this file does not find itself.
    let refused = [
        concat!("unsafe", " {"),
        concat!("unsafe", " fn"),
        concat!("unsafe", " impl"),
        concat!("unsafe", " extern"),
        concat!("todo", "!"),
        concat!("unimplemented", "!"),
        concat!("#[", "ignore"),
    ];
    let mut found = Findings::default();
    for file in rust_files("") {
        found.search_all(&file, |line| {
            refused.into_iter().find(|word| line.contains(word))
        });
    }
    found.must_be_none("finish it, or leave it out");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let manifest = read(&root().join("Cargo.toml"));
    assert!(
        manifest.contains("unsafe_code = \"forbid\""),
        "Cargo.toml: [workspace.lints.rust] must forbid unsafe code"
    );
    for member in members(&manifest) {
        let path = root().join(&member).join("Cargo.toml");
        assert!(
            read(&path).contains("[lints]\nworkspace = true"),
            "{member}/Cargo.toml: write [lints] with workspace = true, or the lints of the workspace do not hold there"
        );
    }
}

#[test]
fn names_of_the_contract_are_spelled_once() {
    let names = contract_names();
    assert!(
        names.iter().any(|name| name == "DATAFLOW_SIDECAR_LISTEN")
            && names.iter().any(|name| name == "config/endpoint.json"),
        "the constants of endpoint/src/contract must be found: {names:?}"
    );
    let mut found = Findings::default();
    for program in ["sidecar/src", "webhook/src"] {
        for file in rust_files(program).iter().filter(|file| !file.is_test()) {
            // The help of a command is one literal, and its example shows an annotation.
            let has_help = file.path.ends_with("/args.rs");
            found.search(file, |line| {
                names.iter().map(String::as_str).find(|name| {
                    let begins_a_key = *name == ANNOTATION_PREFIX && !has_help;
                    line.contains(&format!("\"{name}\"")) || begins_a_key && line.contains(name)
                })
            });
        }
    }
    found.must_be_none("use the constant of endpoint::contract: a name that is spelled twice can differ between the programs");
}

#[test]
fn what_the_webhook_admits_the_sidecar_parses() {
    for program in ["sidecar/src", "webhook/src"] {
        let calls = rust_files(program)
            .iter()
            .filter(|file| !file.is_test())
            .flat_map(SourceFile::code)
            .filter(|(_, line)| line.contains("Settings::parse("))
            .count();
        assert!(
            calls > 0,
            "{program} does not call Settings::parse: both programs must read an endpoint by the same function"
        );
    }
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    // Put together here, so that this file does not find itself.
    let refused = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Use", "rs/"),
        concat!("/wo", "rk/"),
        concat!("/tmp/", "wt"),
    ];
    let mut found = Findings::default();
    for file in files_below(&root(), &|_| true) {
        found.search_all(&file, |line| {
            refused.into_iter().find(|path| line.contains(path))
        });
    }
    found.must_be_none(
        "write a path relative to the project, or let the caller say it: it exists on one machine only",
    );
}

/// A file of the project as text, with its path below the root.
struct SourceFile {
    path: String,
    text: String,
}

impl SourceFile {
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.starts_with("e2e/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
    }

    /// Lines that are neither comment nor the file's own tests, counted from 1. Tests come last in a file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests_at = self
            .text
            .find("#[cfg(test)]\nmod tests {")
            .unwrap_or(self.text.len());
        self.text[..tests_at]
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// The lines that break a rule.
#[derive(Default)]
struct Findings {
    text: String,
    count: usize,
}

impl Findings {
    fn search<'a>(&mut self, file: &'a SourceFile, fault: impl Fn(&'a str) -> Option<&'a str>) {
        for (number, line) in file.code() {
            if let Some(fault) = fault(line) {
                self.add(file, number, fault);
            }
        }
    }

    /// Comments and tests too.
    fn search_all<'a>(&mut self, file: &'a SourceFile, fault: impl Fn(&'a str) -> Option<&'a str>) {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(fault) = fault(line) {
                self.add(file, index + 1, fault);
            }
        }
    }

    fn add(&mut self, file: &SourceFile, line: usize, fault: &str) {
        self.count += 1;
        writeln!(self.text, "  {}:{line}: {fault}", file.path).expect("a String must take text");
    }

    fn must_be_none(self, remedy: &str) {
        assert!(
            self.count == 0,
            "{} found; {remedy}:\n{}",
            self.count,
            self.text
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate must be in the workspace")
        .to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{} must be readable: {error}", path.display()))
}

fn members(manifest: &str) -> Vec<String> {
    let list = manifest
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(list, _)| list)
        .expect("Cargo.toml must list the members");
    quoted(list).map(str::to_owned).collect()
}

/// Values of the contract's text constants, and the annotations, that are more than a common word.
fn contract_names() -> Vec<String> {
    // These are also the names of the programs, which each may say of itself.
    let programs = ["dataflow-sidecar", "dataflow-webhook"];
    let constants = module_files("endpoint/src/contract")
        .iter()
        .flat_map(|file| {
            let lines = file
                .code()
                .filter(|(_, line)| line.contains("const ") && line.contains(": &str ="));
            lines
                .flat_map(|(_, line)| quoted(line).map(str::to_owned))
                .collect::<Vec<_>>()
        })
        .collect::<Vec<_>>();
    let annotations = Annotation::ALL.map(|annotation| annotation.key().to_owned());
    constants
        .into_iter()
        .filter(|name| name.len() > 1 && name.contains(['/', '_', '.', '-']))
        .filter(|name| !programs.contains(&name.as_str()))
        .chain(annotations)
        .collect()
}

/// What stands between pairs of double quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

/// The file `module.rs` and what is below the folder `module/`.
///
/// # Panics
/// There is neither: a rule about nothing would hold for ever.
fn module_files(module: &str) -> Vec<SourceFile> {
    let mut files = Vec::new();
    if root().join(module).is_dir() {
        files = rust_files(module);
    }
    let path = format!("{module}.rs");
    if root().join(&path).is_file() {
        let text = read(&root().join(&path));
        files.push(SourceFile { path, text });
    }
    files.retain(|file| !file.is_test());
    assert!(
        !files.is_empty(),
        "{module} must exist: a module that moved takes its rule along"
    );
    files
}

/// Rust files below a folder of the project.
fn rust_files(folder: &str) -> Vec<SourceFile> {
    let files = files_below(&root().join(folder), &|name| name.ends_with(".rs"));
    assert!(!files.is_empty(), "{folder} must have Rust files");
    files
}

/// Text files below `folder` that belong to the project, in the order of their paths.
fn files_below(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Vec<SourceFile> {
    // What builds and clusters leave, and what git keeps.
    let foreign = ["target", ".git", ".state", ".bin"];
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{} must be readable: {error}", folder.display()))
        .map(|entry| entry.expect("an entry must be readable").path())
        .collect();
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.expect("an entry must have a name");
        if foreign.contains(&name.as_str()) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            files.extend(files_below(&path, wanted));
        } else if wanted(&name) {
            let below_root = path
                .strip_prefix(root())
                .expect("the file must be in the project");
            let bytes = fs::read(&path).expect("a file of the project must be readable");
            files.push(SourceFile {
                path: below_root.to_string_lossy().into_owned(),
                text: String::from_utf8_lossy(&bytes).into_owned(),
            });
        }
    }
    files
}
