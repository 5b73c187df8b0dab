//! What is wrong with an endpoint, told so that a person can mend it.

use std::fmt;

/// One fault of an endpoint: which field, what is wrong, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field from the root of the resource, for example `spec.mqttSettings.host`.
    pub field: String,
    /// The class of the fault, as Kubernetes names it in `details.causes[].reason`.
    pub reason: Reason,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// The class of a fault, in the words of Kubernetes' `CauseType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The value cannot be used.
    Invalid,
    /// The value is not one of a closed set.
    NotSupported,
    /// The field must be there.
    Required,
    /// The field must not be there.
    Forbidden,
}

impl Reason {
    /// The name of the class on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Invalid => "FieldValueInvalid",
            Reason::NotSupported => "FieldValueNotSupported",
            Reason::Required => "FieldValueRequired",
            Reason::Forbidden => "FieldValueForbidden",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Something that works but may surprise: told at admission and in the log, never refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Path of the field from the root of the resource.
    pub field: String,
    /// What will happen, at most 120 characters together with the field (the API server cuts long warnings).
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}
