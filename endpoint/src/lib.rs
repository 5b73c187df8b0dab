//! The `DataflowEndpoint` resource, its settings and their rules, and the contract between the two programs.
//!
//! Nothing here does IO or reads a clock. What the webhook admits, the sidecar can run: both call [`Settings::parse`].

pub mod resource;
pub mod settings;
pub mod violation;
pub mod contract;
pub mod limits;
pub mod suggest;

pub use resource::{Identity, identify};
pub use settings::{
    Authentication, CloudEventAttributes, Host, Method, Protocol, Qos, Retain, Settings, Tls,
    violations_introduced, warnings_of_change,
};
pub use violation::{Reason, Violation, Warning};
