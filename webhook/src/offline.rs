//! The commands that need no cluster: `validate`, `inject`, `explain` and `crd`.
//!
//! They run the functions that the server runs, on objects from files, and say on stderr what the API server's client
//! would be told.

pub mod objects;
pub mod files;
mod check;
mod explain;
mod inject;

pub use check::validate;
pub use explain::explain;
pub use inject::inject;

use crate::inject::Installation;
use crate::store::Store;
use crate::yaml::to_yaml;
use files::Text;
use objects::{Manifest, Role};

/// How a command ended; the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything is good.
    Good,
    /// Something is refused.
    Failed,
    /// Something cannot be read.
    Usage,
}

impl Exit {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Good => 0,
            Exit::Failed => 1,
            Exit::Usage => 64,
        }
    }
}

/// What a command prints, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// For other programs.
    pub stdout: String,
    /// For people.
    pub stderr: String,
    /// How it ended.
    pub exit: Exit,
}

/// What the commands know beside their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The namespace of objects that say none.
    pub namespace: String,
    /// What the installation says about every sidecar.
    pub installation: Installation,
}

/// Prints the custom resource definition.
pub fn crd() -> Report {
    Report {
        stdout: to_yaml(&endpoint::crd()),
        stderr: String::new(),
        exit: Exit::Good,
    }
}

/// Lines for people, and how the command will end.
#[derive(Debug)]
struct Notes {
    text: String,
    exit: Exit,
}

impl Notes {
    fn new() -> Notes {
        Notes {
            text: String::new(),
            exit: Exit::Good,
        }
    }

    fn line(&mut self, line: impl std::fmt::Display) {
        self.text.push_str(&format!("{line}\n"));
    }

    fn fail(&mut self, exit: Exit, line: impl std::fmt::Display) {
        self.line(line);
        self.exit = self.exit.max(exit);
    }

    fn report(self, stdout: String) -> Report {
        Report {
            stdout,
            stderr: self.text,
            exit: self.exit,
        }
    }
}

/// Parses texts; what cannot be read is noted.
fn manifests(texts: &[Text], notes: &mut Notes) -> Vec<Manifest> {
    let mut manifests = Vec::new();
    for text in texts {
        let parsed = text
            .content
            .as_deref()
            .map_err(Clone::clone)
            .and_then(|content| crate::yaml::documents(content).map_err(|error| error.to_string()));
        match parsed {
            Ok(documents) => manifests.push(Manifest {
                file: text.file.clone(),
                documents,
            }),
            Err(problem) => notes.fail(
                Exit::Usage,
                format!("{}: cannot be read: {problem}", text.file),
            ),
        }
    }
    manifests
}

/// The endpoints of these files.
fn store<'a>(manifests: impl IntoIterator<Item = &'a Manifest>, options: &Options) -> Store {
    let mut resources = Vec::new();
    for manifest in manifests {
        for object in manifest.objects() {
            if object.role == Role::Endpoint {
                resources.push(object.value.into_owned());
            }
        }
    }
    Store::of_resources(&resources, &options.namespace)
}
