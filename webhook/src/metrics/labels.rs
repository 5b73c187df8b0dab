//! The values of the labels of what the controller and the events count.

/// What the controller applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The ConfigMap of an endpoint.
    ConfigMap,
    /// The status of an endpoint.
    Status,
}

/// How applying it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyResult {
    /// It is written.
    Good,
    /// There is one of its name that is not ours.
    NameTaken,
    /// It could not be written.
    Failed,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventResult {
    /// It is in the cluster.
    Good,
    /// It was sent a short time ago.
    Repeated,
    /// Too many others waited.
    Dropped,
    /// It could not be sent.
    Failed,
}

impl Applied {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Applied::ConfigMap => "config_map",
            Applied::Status => "status",
        }
    }
}

impl ApplyResult {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            ApplyResult::Good => "good",
            ApplyResult::NameTaken => "name_taken",
            ApplyResult::Failed => "failed",
        }
    }
}

impl EventResult {
    /// Every one.
    pub const ALL: [EventResult; 4] = [
        EventResult::Good,
        EventResult::Repeated,
        EventResult::Dropped,
        EventResult::Failed,
    ];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventResult::Good => "good",
            EventResult::Repeated => "repeated",
            EventResult::Dropped => "dropped",
            EventResult::Failed => "failed",
        }
    }
}
