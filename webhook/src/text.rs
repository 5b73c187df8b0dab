//! Texts for people, cut to what is shown of them.

use std::fmt::Display;

/// What a denial may say in all: an event and most clients cut what is longer.
pub const DENIAL_CHARS_MAX: usize = 4_000;
/// The API server passes on 4,096 characters of warnings for a request; more than ten nobody reads.
pub const WARNINGS_MAX: usize = 10;
/// The length up to which Kubernetes asks warnings to be kept.
pub const WARNING_CHARS_MAX: usize = 120;
/// Room for the line that says how many faults are left out.
const MORE_CHARS: usize = 40;

/// Cuts a text to a number of characters; an ellipsis shows that something is missing.
pub fn clip(text: String, chars_max: usize) -> String {
    if text.len() <= chars_max || text.chars().count() <= chars_max {
        return text;
    }
    let mut cut: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// All faults, one a line, as many as can be shown, and then how many more there are.
pub fn denial<T: Display>(faults: &[T]) -> String {
    let mut text = String::new();
    let mut chars = 0;
    for (index, fault) in faults.iter().enumerate() {
        let line = clip(fault.to_string(), DENIAL_CHARS_MAX - MORE_CHARS);
        let line_chars = line.chars().count() + 1;
        if chars + line_chars > DENIAL_CHARS_MAX - MORE_CHARS && index > 0 {
            text.push_str(&format!("\nand {} more faults", faults.len() - index));
            return text;
        }
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&line);
        chars += line_chars;
    }
    text
}

/// The warnings of one answer: each cut, none twice, and the last one says how many are left out.
pub fn warnings<T: Display>(warnings: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for warning in warnings {
        let text = clip(warning.to_string(), WARNING_CHARS_MAX);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.len() > WARNINGS_MAX {
        let more = texts.len() - (WARNINGS_MAX - 1);
        texts.truncate(WARNINGS_MAX - 1);
        texts.push(format!("and {more} more warnings"));
    }
    texts
}

/// `"a", "b" and "c"`
pub fn quoted_list<T: AsRef<str>>(words: &[T], last: &str) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("{:?}", word.as_ref()))
        .collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_says_how_many_faults_it_leaves_out() {
        assert_eq!(denial(&["a: x", "b: y"]), "a: x\nb: y");
        let many = vec!["f".repeat(900); 10];
        let text = denial(&many);
        assert!(text.chars().count() <= DENIAL_CHARS_MAX, "{}", text.len());
        assert!(text.ends_with("\nand 6 more faults"), "{text}");
        assert!(denial(&["g".repeat(9_000)]).chars().count() <= DENIAL_CHARS_MAX);
    }

    #[test]
    fn warnings_are_few_and_short() {
        let texts = warnings((0..15).map(|index| format!("{index} {}", "w".repeat(300))));
        assert_eq!(texts.len(), WARNINGS_MAX);
        assert!(
            texts
                .iter()
                .all(|text| text.chars().count() <= WARNING_CHARS_MAX)
        );
        assert_eq!(texts[9], "and 6 more warnings");
        assert_eq!(warnings(["a", "a", "b"]), ["a", "b"]);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(clip("äöü".to_owned(), 3), "äöü");
        assert_eq!(clip("äöüß".to_owned(), 3), "äö…");
    }

    #[test]
    fn words_are_listed() {
        assert_eq!(quoted_list(&["a"], "or"), "\"a\"");
        assert_eq!(quoted_list(&["a", "b", "c"], "or"), "\"a\", \"b\" or \"c\"");
    }
}
