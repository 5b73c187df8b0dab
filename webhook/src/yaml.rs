//! YAML as kubectl reads it, for the offline commands.
//!
//! kubectl reads YAML 1.1: `0644` is octal, `yes` and `on` are booleans, anchors and merge keys work. The common crates
//! read YAML 1.2, which would see other values in the same file than the API server gets. So the syntax is a library's
//! job ([`granit_parser`]), and what a word means is decided here.

mod documents;
mod read;
mod scalar;
mod write;

pub use documents::{Document, Form, documents};
pub use write::to_yaml;

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// The text is not YAML.
    #[error("line {line}, column {column}: {problem}")]
    Syntax {
        /// Line in the file, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        problem: String,
    },
    /// The text is YAML, but says nothing that JSON can say.
    #[error("line {line}: {problem}")]
    Meaning {
        /// Line in the file, from 1.
        line: usize,
        /// What is wrong, and what to write.
        problem: String,
    },
    /// The text begins like JSON and is not.
    #[error("line {line}, column {column}: not JSON: {problem}")]
    Json {
        /// Line in the file, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        problem: String,
    },
}
