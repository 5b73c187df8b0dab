//! The program `dataflow-sidecar`.

fn main() {}
