//! The status page of both programs: one document without anything from elsewhere, which asks `/status` again and again.
//!
//! Its policy allows that one style and that one script, each by its hash, and requests to where it came from. So even a
//! text that found a way into the page could run nothing and send nothing away.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::contract::admin_path;

const HTML: &str = include_str!("page/shell.html");
const STYLE: &str = include_str!("page/shell.css");
const SCRIPT: &str = include_str!("page/shell.js");

/// The page of a program, and what must be sent with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The document.
    pub html: String,
    /// The header `Content-Security-Policy`.
    pub policy: String,
}

impl Page {
    /// The page of this title. `render` is JavaScript with `function render(status, before, seconds)`, which makes
    /// elements of a status and the one before it.
    pub fn new(title: &str, render: &str) -> Page {
        // Relative, so that the page also works below the path of `kubectl proxy`.
        let status = admin_path::STATUS.trim_start_matches('/');
        let script = format!(
            "{}\n{render}\npoll();\n",
            SCRIPT.replace("{status}", status)
        );
        let html = HTML
            .replace("{title}", title)
            .replace("{style}", STYLE)
            .replace("{script}", &script);
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(STYLE),
            hash(&script),
        );
        Page { html, policy }
    }
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::{HTML, Page, hash};

    #[test]
    fn the_policy_allows_what_is_in_the_page_and_nothing_else() {
        let Page { html, policy } = Page::new("Title", "function render() { return []; }");
        for (begin, end) in [("<style>", "</style>"), ("<script>", "</script>")] {
            let inside = html
                .split_once(begin)
                .and_then(|(_, rest)| rest.split_once(end));
            let inside = inside.expect("both must be there").0;
            assert!(policy.contains(&hash(inside)), "{policy}");
        }
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
        assert!(html.contains(r#"fetch("status""#), "{html}");
        assert!(!html.contains("{title}") && !html.contains("{status}"));
    }

    #[test]
    fn nothing_is_asked_of_elsewhere() {
        let html = Page::new("Title", "").html;
        for refused in [
            "http:",
            "https:",
            "//cdn",
            "innerHTML",
            "insertAdjacent",
            "eval(",
        ] {
            assert!(!html.contains(refused), "{refused}");
        }
        assert!(HTML.contains(r#"href="data:,""#), "no icon is asked for");
    }
}
