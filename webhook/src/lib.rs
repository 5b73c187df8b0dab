//! The program `dataflow-webhook`.

pub mod yaml;
