//! Why a pod is refused, told within what a person reads and the API server passes on.

use std::fmt;

use endpoint::contract::Annotation;

/// The most characters of one fault.
pub const FAULT_CHARS_MAX: usize = 900;
/// The most characters of all faults together.
pub const FAULTS_CHARS_MAX: usize = 4_000;
/// The API server cuts warnings at 4,096 characters in all.
pub const WARNINGS_MAX: usize = 10;
/// The most characters of one warning.
pub const WARNING_CHARS_MAX: usize = 120;

/// One fault of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The annotation's key, or the path of the field from the pod's root.
    pub field: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl Fault {
    /// A fault of one of our annotations.
    pub fn of(annotation: Annotation, message: impl Into<String>) -> Self {
        Self::at(annotation.key(), message)
    }

    /// A fault of a field.
    pub fn at(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = format!("{}: {}", self.field, self.message);
        f.write_str(&shortened(&whole, FAULT_CHARS_MAX))
    }
}

/// All faults, one a line, and how many more there are where they would be too long.
pub fn told(faults: &[Fault]) -> String {
    let mut text = String::new();
    for (index, fault) in faults.iter().enumerate() {
        let line = fault.to_string();
        if !text.is_empty() && text.chars().count() + line.chars().count() > FAULTS_CHARS_MAX {
            text.push_str(&format!("\nand {} more", faults.len() - index));
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
    }
    text
}

/// Warnings as the API server passes them on.
pub fn warned(warnings: &[String]) -> Vec<String> {
    let mut told: Vec<String> = warnings
        .iter()
        .take(WARNINGS_MAX)
        .map(|warning| shortened(warning, WARNING_CHARS_MAX))
        .collect();
    let more = warnings.len().saturating_sub(WARNINGS_MAX);
    if more > 0
        && let Some(last) = told.last_mut()
    {
        *last = format!("and {} more warnings", more + 1);
    }
    told
}

fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars_max - 3).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_at_most_900_characters_and_all_4000() {
        let fault = Fault::at("key", "x".repeat(2_000));
        assert_eq!(fault.to_string().chars().count(), FAULT_CHARS_MAX);
        let all = told(&vec![fault; 9]);
        assert!(all.chars().count() < FAULTS_CHARS_MAX + 20);
        assert!(all.ends_with("\nand 5 more"), "{}", &all[all.len() - 30..]);
    }

    #[test]
    fn at_most_10_warnings_of_120_characters() {
        let warnings = vec!["ü".repeat(200); 12];
        let told = warned(&warnings);
        assert_eq!(told.len(), WARNINGS_MAX);
        assert_eq!(told[0].chars().count(), WARNING_CHARS_MAX);
        assert_eq!(told[9], "and 3 more warnings");
    }
}
