//! The rules of an endpoint from outside: whole resources, properties, and the CRD beside `Settings::parse`.

mod fixtures;
mod properties;
mod resources;
#[cfg(feature = "crd")]
mod schema;
