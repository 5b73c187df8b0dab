//! kubectl, where a story is about what a person types and reads.

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::story::Story;

/// What kubectl answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Exit code 0.
    pub good: bool,
    /// Both outputs; warnings and refusals are on the second.
    pub text: String,
}

impl Answer {
    /// The text of a refusal, which must have each of these parts.
    pub fn refused_with(&self, parts: &[&str]) {
        assert!(
            !self.good,
            "it must be refused, and was not:\n{}",
            self.text
        );
        self.says(parts);
    }

    /// The text must have each of these parts.
    pub fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(
                self.text.contains(part),
                "the text must have {part:?}:\n{}",
                self.text
            );
        }
    }
}

/// Runs it.
pub async fn kubectl(args: &[&str], input: &str) -> Answer {
    match run(args, input).await {
        Ok(output) => Answer {
            good: output.status.success(),
            text: [output.stdout, output.stderr]
                .map(|text| String::from_utf8_lossy(&text).into_owned())
                .concat(),
        },
        Err(error) => panic!("kubectl cannot be run: {error}: is it installed, and on the path?"),
    }
}

async fn run(args: &[&str], input: &str) -> std::io::Result<Output> {
    let mut child = Command::new("kubectl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        stdin.write_all(input.as_bytes()).await?;
    }
    drop(stdin);
    child.wait_with_output().await
}

impl Story {
    /// kubectl in the story's namespace.
    pub async fn kubectl(&self, args: &[&str]) -> Answer {
        let args = [&["--namespace", &self.namespace], args].concat();
        kubectl(&args, "").await
    }

    /// The same, where it must be good.
    pub async fn must(&self, args: &[&str]) {
        let answer = self.kubectl(args).await;
        assert!(answer.good, "{}", answer.text);
    }

    /// A field of an object, as `kubectl get` prints this JSONPath.
    pub async fn field(&self, object: &[&str], path: &str) -> String {
        let output = format!("jsonpath={{{path}}}");
        let args = [&["get"], object, &["--output", &output]].concat();
        self.kubectl(&args).await.text
    }

    /// `kubectl apply` that is reviewed, and changes nothing.
    pub async fn dry_run(&self, manifest: &Value) -> Answer {
        let args = [
            "--namespace",
            &self.namespace,
            "apply",
            "--dry-run=server",
            "--filename",
            "-",
        ];
        kubectl(&args, &manifest.to_string()).await
    }

    /// `kubectl apply` of YAML as somebody wrote it.
    pub async fn apply_text(&self, manifest: &str) -> Answer {
        kubectl(
            &["--namespace", &self.namespace, "apply", "--filename", "-"],
            manifest,
        )
        .await
    }

    /// `kubectl apply`.
    pub async fn apply(&self, manifest: &Value) -> Answer {
        self.apply_text(&manifest.to_string()).await
    }

    /// The same, where it must be good.
    pub async fn must_apply(&self, manifest: &Value) -> Answer {
        let answer = self.apply(manifest).await;
        assert!(answer.good, "it must apply:\n{}\n{manifest:#}", answer.text);
        answer
    }
}
