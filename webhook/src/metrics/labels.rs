//! The values of labels that are closed sets.

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

/// Why a request was answered without a review; a label's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Unknown path or method.
    NotFound,
    /// Not JSON by its content type.
    ContentType,
    /// The body is too long.
    TooLarge,
    /// The body broke off.
    Incomplete,
    /// The body has no id to answer to.
    NoUid,
    /// There was no time left.
    Timeout,
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

impl Refused {
    /// Every one.
    pub const ALL: [Refused; 6] = [
        Refused::NotFound,
        Refused::ContentType,
        Refused::TooLarge,
        Refused::Incomplete,
        Refused::NoUid,
        Refused::Timeout,
    ];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Refused::NotFound => "not_found",
            Refused::ContentType => "content_type",
            Refused::TooLarge => "too_large",
            Refused::Incomplete => "incomplete",
            Refused::NoUid => "no_uid",
            Refused::Timeout => "timeout",
        }
    }
}
