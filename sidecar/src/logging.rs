//! The log: compact lines for people on standard error, with a filter that can be changed while the sidecar runs.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

/// Changes the filter of the running log.
#[derive(Debug, Clone)]
pub struct LogFilter {
    handle: reload::Handle<Targets, Registry>,
}

/// A filter could not be set.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The text is no filter.
    #[error("{0:?} is no log filter: write error, warn, info, debug or trace, or module=level,...")]
    Bad(String),
    /// The log is gone.
    #[error("failed to change the log filter: {0}")]
    Gone(#[from] reload::Error),
}

/// Reads a filter: a level, or `module=level` several times.
///
/// # Errors
/// The text is no filter.
pub fn parse(text: &str) -> Result<Targets, FilterError> {
    let bad = || FilterError::Bad(text.to_owned());
    // A lone word that is no level would be taken for a module, of which there is none.
    let known =
        |part: &str| part.contains('=') || part.parse::<tracing::Level>().is_ok() || part == "off";
    if text.is_empty() || !text.split(',').all(known) {
        return Err(bad());
    }
    text.parse().map_err(|_| bad())
}

/// Starts the log of this process.
pub fn start(filter: &Targets) -> LogFilter {
    let (filter, handle) = reload::Layer::new(filter.clone());
    let lines = fmt::layer()
        .compact()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
    LogFilter { handle }
}

impl LogFilter {
    /// Sets the filter.
    ///
    /// # Errors
    /// The text is no filter.
    pub fn set(&self, text: &str) -> Result<(), FilterError> {
        let filter = parse(text)?;
        Ok(self.handle.reload(filter)?)
    }

    /// A filter that no log uses.
    #[cfg(test)]
    pub(crate) fn unused() -> (Self, reload::Layer<Targets, Registry>) {
        let (layer, handle) = reload::Layer::new(Targets::new());
        (Self { handle }, layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_modules_are_filters() {
        for text in ["info", "DEBUG", "off", "warn,sidecar::session=debug"] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn misspelled_level_is_told_with_the_levels() {
        for text in ["", "inof", "info,verbose", "sidecar=loud"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                error.contains("error, warn, info, debug or trace"),
                "{error}"
            );
        }
    }
}
