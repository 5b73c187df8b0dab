//! The rules of an endpoint from outside: whole resources, properties, and the CRD beside `Settings::parse`.

// A fixture that cannot be read is a failed test.
#![allow(clippy::unwrap_used)]

mod fixtures;
mod properties;
#[cfg(feature = "crd")]
mod reference;
mod resources;
#[cfg(feature = "crd")]
mod schema;
