//! The program `dataflow-webhook`.

fn main() {}
