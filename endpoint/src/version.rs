//! Which version a program is.

use std::sync::LazyLock;

/// Set by `make` where it builds what is released or run as such; a build by hand has none, so that a commit makes nothing
/// be built anew.
const COMMIT: Option<&str> = option_env!("DATAFLOW_COMMIT");

static TEXT: LazyLock<String> = LazyLock::new(|| of(COMMIT));

/// The version, with the commit in parentheses where it is known.
pub fn text() -> &'static str {
    &TEXT
}

fn of(commit: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match commit {
        Some(commit) if !commit.is_empty() => format!("{version} ({commit})"),
        _ => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_known_commit_is_told() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(of(Some("0123abcd")), format!("{version} (0123abcd)"));
        assert_eq!(of(Some("")), version);
        assert_eq!(of(None), version);
    }
}
