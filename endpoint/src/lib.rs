//! The `DataflowEndpoint` resource, its settings and their rules, and the contract between the two programs.
//!
//! Nothing here does IO or reads a clock. What the webhook admits, the sidecar can run: both call [`Settings::parse`].
//! With the feature `crd` there are the resource's types and its CustomResourceDefinition as well, which only the
//! webhook needs.

pub mod resource;
#[cfg(feature = "crd")]
pub mod spec;
#[cfg(feature = "crd")]
pub mod status;
pub mod settings;
pub mod violation;
pub mod contract;
pub mod page;
pub mod version;
#[cfg(feature = "crd")]
pub mod crd;
#[cfg(feature = "crd")]
mod patterns;
pub mod limits;
pub mod suggest;

#[cfg(feature = "crd")]
pub use crd::crd;
pub use resource::{Identity, identify};
pub use settings::{
    Authentication, CloudEventAttributes, Host, Method, Protocol, Qos, Retain, Settings, Tls,
    violations_introduced, warnings_of_change,
};
pub use violation::{Reason, Violation, Warning};
