//! A page of cases in Markdown: YAML that is refused, and below it what a person then reads.
//!
//! What a block of YAML is, the words of its fence say. ```` ```yaml frame ```` is the object that the cases after it are
//! merged into, `injected` the same as the webhook injects it, `there` the endpoints that exist. Every other block is a
//! case: `at=` says where it stands in the frame, and another word how a person meets the refusal.

/// The fence that ends a block.
const FENCE: &str = "```";
/// The fence of an answer.
const ANSWER: &str = "```text";

/// What a block of YAML is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// The object that cases are merged into.
    Frame,
    /// The same, injected first.
    Injected,
    /// The endpoints that exist.
    There,
    /// A case, shown in this way, and where it stands in the frame.
    Case(Shown, Vec<String>),
}

/// Where a person meets the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// `kubectl apply` of something new.
    Apply,
    /// `kubectl apply` of a change to the frame.
    Update,
    /// `kubectl apply` while the webhook cannot reach the API server.
    Away,
    /// `kubectl apply` of a file with more objects.
    Several,
    /// The event on the controller of a pod.
    Event,
    /// `dataflow-webhook validate`.
    Validate,
    /// `dataflow-webhook inject`.
    Inject,
}

impl Role {
    fn parse(fence: &str) -> Option<Role> {
        let words: Vec<&str> = fence.strip_prefix("```yaml")?.split_whitespace().collect();
        match words.as_slice() {
            ["frame"] => return Some(Role::Frame),
            ["injected"] => return Some(Role::Injected),
            ["there"] => return Some(Role::There),
            _ => {}
        }
        let mut shown = Shown::Apply;
        let mut at = Vec::new();
        for word in words {
            match (word, word.strip_prefix("at=")) {
                (_, Some(path)) => at = path.split('.').map(str::to_owned).collect(),
                ("update", _) => shown = Shown::Update,
                ("away", _) => shown = Shown::Away,
                ("several", _) => shown = Shown::Several,
                ("event", _) => shown = Shown::Event,
                ("validate", _) => shown = Shown::Validate,
                ("inject", _) => shown = Shown::Inject,
                _ => panic!("unknown word {word} in {fence}"),
            }
        }
        Some(Role::Case(shown, at))
    }
}

/// The page with every answer written anew by `answer`; `None` for blocks that have none.
pub(crate) fn render(page: &str, mut answer: impl FnMut(Role, &str) -> Option<String>) -> String {
    let mut lines = page.lines().peekable();
    let mut rendered = String::new();
    while let Some(line) = lines.next() {
        rendered.push_str(line);
        rendered.push('\n');
        let Some(role) = Role::parse(line) else {
            continue;
        };
        let mut yaml = String::new();
        for line in lines.by_ref() {
            rendered.push_str(line);
            rendered.push('\n');
            if line == FENCE {
                break;
            }
            yaml.push_str(line);
            yaml.push('\n');
        }
        if let Some(text) = answer(role, &yaml) {
            if lines.peek() == Some(&ANSWER) {
                lines.by_ref().find(|line| *line == FENCE);
            }
            rendered.push_str(&format!("{ANSWER}\n{text}{FENCE}\n"));
        }
    }
    rendered
}
