//! The program `dataflow-webhook`.

pub mod inject;
pub mod patch;
pub mod text;
pub mod yaml;
