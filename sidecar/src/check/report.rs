//! What `check` prints of an endpoint: a line for each step, or one JSON object for machines.

use serde_json::{Value, json};

use super::Broken;

/// Where the steps go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Lines, each printed as soon as its step is done: a person sees which step takes long.
    Text,
    /// One object a line, printed when the endpoint's last step is done.
    Json,
}

/// One endpoint's steps.
pub(super) struct Report {
    endpoint: String,
    format: Format,
    steps: Vec<Step>,
}

struct Step {
    step: String,
    result: Outcome,
    text: String,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    Warning,
    Broken,
}

impl Outcome {
    /// The word in JSON.
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Good => "ok",
            Outcome::Warning => "warning",
            Outcome::Broken => "broken",
        }
    }

    /// The word in a line; what is broken must catch the eye.
    fn in_line(self) -> &'static str {
        match self {
            Outcome::Broken => "BROKEN",
            outcome => outcome.as_str(),
        }
    }
}

impl Report {
    /// Begins with the endpoint's name.
    pub(super) fn new(endpoint: &str, format: Format) -> Self {
        if format == Format::Text {
            println!("endpoint {endpoint}");
        }
        Self {
            endpoint: endpoint.to_owned(),
            format,
            steps: Vec::new(),
        }
    }

    /// The step works.
    pub(super) fn good(&mut self, step: &str, text: &str) {
        self.add(step, Outcome::Good, text);
    }

    /// The step works, and something should be known.
    pub(super) fn warn(&mut self, step: &str, text: &str) {
        self.add(step, Outcome::Warning, text);
    }

    /// The step is broken.
    pub(super) fn broken<T>(&mut self, step: &str, text: &str) -> Result<T, Broken> {
        self.add(step, Outcome::Broken, text);
        Err(Broken)
    }

    /// The value of a step, or why it is broken.
    pub(super) fn step<T>(&mut self, step: &str, result: Result<T, String>) -> Result<T, Broken> {
        result.or_else(|text| self.broken(step, &text))
    }

    /// Nothing more comes of this endpoint.
    pub(super) fn finish(self) {
        if self.format == Format::Json {
            println!("{}", self.json());
        }
    }

    fn add(&mut self, step: &str, result: Outcome, text: &str) {
        if self.format == Format::Text {
            println!("  {:<8}{step:<12}{text}", result.in_line());
        }
        self.steps.push(Step {
            step: step.to_owned(),
            result,
            text: text.to_owned(),
        });
    }

    fn json(&self) -> Value {
        let is_broken = |step: &Step| step.result == Outcome::Broken;
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                json!({ "step": step.step, "result": step.result.as_str(), "text": step.text })
            })
            .collect();
        json!({
            "endpoint": self.endpoint,
            "ok": !self.steps.iter().any(is_broken),
            "steps": steps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_every_step_and_whether_all_are_good() {
        let mut report = Report::new("line \"1\"", Format::Json);
        report.good("DNS", "a is ::1");
        report.warn("trust", "in clear");
        assert_eq!(
            report.json(),
            json!({
                "endpoint": "line \"1\"",
                "ok": true,
                "steps": [
                    { "step": "DNS", "result": "ok", "text": "a is ::1" },
                    { "step": "trust", "result": "warning", "text": "in clear" },
                ],
            })
        );
        assert!(report.step::<()>("TCP", Err("refused".into())).is_err());
        let json = report.json();
        assert_eq!(json["ok"], false);
        assert_eq!(
            json["steps"][2],
            json!({ "step": "TCP", "result": "broken", "text": "refused" })
        );
    }
}
