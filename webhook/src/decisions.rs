//! The last decisions of this replica, for the status page.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::review::Answered;
use crate::server::route::Route;

/// What a person looks through; the log has the others.
const KEPT_MAX: usize = 50;
/// A message has its beginning here and all of itself in the log.
const MESSAGE_CHARS_MAX: usize = 400;
/// No name of Kubernetes is longer, but a caller may send any text.
const NAME_CHARS_MAX: usize = 253;

/// A review that was answered.
#[derive(Debug, Clone)]
pub struct Decision {
    at: SystemTime,
    webhook: &'static str,
    kind: String,
    namespace: String,
    name: String,
    dry_run: bool,
    result: &'static str,
    reason: &'static str,
    took: Duration,
    message: String,
}

/// The last of them, newest first. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Decisions(Arc<Mutex<VecDeque<Decision>>>);

impl Decision {
    /// What was answered just now.
    pub fn of(route: Route, answered: &Answered, took: Duration) -> Decision {
        let Answered { verdict, about, .. } = answered;
        let message = match &verdict.denial {
            Some(denial) => denial.message.clone(),
            None => verdict.warnings.join("; "),
        };
        Decision {
            at: SystemTime::now(),
            webhook: route.label(),
            kind: cut(&about.kind, NAME_CHARS_MAX),
            namespace: cut(&about.namespace, NAME_CHARS_MAX),
            name: cut(&about.name, NAME_CHARS_MAX),
            dry_run: about.dry_run,
            result: verdict.result.as_str(),
            reason: verdict.reason,
            took,
            message: cut(&message, MESSAGE_CHARS_MAX),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "at": humantime::format_rfc3339_millis(self.at).to_string(),
            "webhook": self.webhook,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "dryRun": self.dry_run,
            "result": self.result,
            "reason": self.reason,
            "milliseconds": self.took.as_secs_f64() * 1e3,
            "message": self.message,
        })
    }
}

impl Decisions {
    /// Adds one, and forgets the oldest where there are too many.
    pub fn add(&self, decision: Decision) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.push_front(decision);
        list.truncate(KEPT_MAX);
    }

    /// All of them.
    pub fn to_json(&self) -> Value {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().map(Decision::to_json).collect()
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Decision, Decisions, KEPT_MAX, MESSAGE_CHARS_MAX};
    use crate::review::verdict::Verdict;
    use crate::review::{About, Answered};
    use crate::server::route::Route;

    #[test]
    fn the_newest_are_kept_with_bounded_texts() {
        let decisions = Decisions::default();
        for number in 0..KEPT_MAX + 3 {
            let answered = Answered {
                body: None,
                verdict: Verdict::unreadable("é".repeat(MESSAGE_CHARS_MAX + 1)),
                about: About {
                    name: format!("pod-{number}"),
                    ..About::default()
                },
            };
            decisions.add(Decision::of(
                Route::Pods,
                &answered,
                Duration::from_millis(2),
            ));
        }
        let json = decisions.to_json();
        let list = json.as_array().unwrap();
        assert_eq!(list.len(), KEPT_MAX);
        assert_eq!(list[0]["name"], format!("pod-{}", KEPT_MAX + 2));
        assert_eq!(list[0]["result"], "failed");
        assert_eq!(list[0]["milliseconds"], 2.0);
        let message = list[0]["message"].as_str().unwrap();
        assert_eq!(message.chars().count(), MESSAGE_CHARS_MAX + 1);
    }
}
