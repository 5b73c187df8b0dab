//! The `DataflowEndpoint` resource, its settings and their rules, and the contract between the two programs.
//!
//! Nothing here does IO or reads a clock. What the webhook admits, the sidecar can run: both call [`Settings::parse`].

pub mod settings;
pub mod violation;
pub mod contract;

pub use settings::{
    Authentication, CloudEventAttributes, Host, Protocol, Qos, Retain, Settings, Tls,
};
pub use violation::{Violation, Warning};
