//! The CRD's structure.

use super::crd;

#[test]
fn print() {
    std::fs::write("/tmp/crdcheck/crd.json", crd().to_string()).unwrap();
}
