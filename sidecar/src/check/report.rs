//! The lines that `check` prints.

use super::Broken;

/// Prints one endpoint's steps.
pub(super) struct Report;

impl Report {
    /// Begins with the endpoint's name.
    pub(super) fn new(endpoint: &str) -> Self {
        println!("endpoint {endpoint}");
        Self
    }

    /// The step works.
    pub(super) fn good(&mut self, step: &str, text: &str) {
        println!("  {:<8}{step:<12}{text}", "ok");
    }

    /// The step works, and something should be known.
    pub(super) fn warn(&mut self, step: &str, text: &str) {
        println!("  {:<8}{step:<12}{text}", "warning");
    }

    /// The step is broken.
    pub(super) fn broken<T>(&mut self, step: &str, text: &str) -> Result<T, Broken> {
        println!("  {:<8}{step:<12}{text}", "BROKEN");
        Err(Broken)
    }

    /// The value of a step, or why it is broken.
    pub(super) fn step<T>(&mut self, step: &str, result: Result<T, String>) -> Result<T, Broken> {
        result.or_else(|text| self.broken(step, &text))
    }
}
