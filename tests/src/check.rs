//! The program `dataflow-sidecar check`, and the ladder that it prints.

use std::process::{Command, Output};

use serde_json::Value;

use crate::built_program;
use crate::mounts::Mounts;

/// One step of the ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub step: String,
    /// `ok`, `warning` or `broken`.
    pub result: String,
    /// What is said of it.
    pub text: String,
}

/// What `check --json` said.
#[derive(Debug)]
pub struct Ladder {
    /// Nothing is broken.
    pub ok: bool,
    /// In order.
    pub steps: Vec<Step>,
}

/// Runs it for endpoint `default`, with further arguments and environment variables.
pub async fn run(mounts: &Mounts, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(built_program("dataflow-sidecar"));
    command
        .args(["check", "--endpoint", "default", "--mounts"])
        .arg(mounts.path())
        .args(arguments)
        // Nobody listens there: the metadata service of a machine that has none.
        .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
        .envs(environment.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.expect("no panic").expect("it starts")
}

impl Ladder {
    /// Of these mounts.
    pub async fn of(mounts: &Mounts) -> Ladder {
        Ladder::with(mounts, &[]).await
    }

    /// The same with environment variables.
    pub async fn with(mounts: &Mounts, environment: &[(&str, &str)]) -> Ladder {
        let output = run(mounts, &["--json"], environment).await;
        let ladder = Ladder::read(&output);
        assert_eq!(output.status.success(), ladder.ok, "{output:?}");
        ladder
    }

    fn read(output: &Output) -> Ladder {
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let text = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
        let step = |step: &Value| Step {
            step: text(step, "step"),
            result: text(step, "result"),
            text: text(step, "text"),
        };
        let steps = report["steps"].as_array().expect("a list");
        Ladder {
            ok: report["ok"] == true,
            steps: steps.iter().map(step).collect(),
        }
    }

    /// Everything that is said of a step.
    pub fn text(&self, step: &str) -> String {
        let of_step = self.steps.iter().filter(|one| one.step == step);
        let texts: Vec<&str> = of_step.map(|one| one.text.as_str()).collect();
        texts.join("\n")
    }

    /// The step at which it broke.
    ///
    /// # Panics
    /// It did not.
    pub fn broken(&self) -> &Step {
        let last = self.steps.last().expect("steps");
        assert_eq!(last.result, "broken", "{self:#?}");
        last
    }
}
