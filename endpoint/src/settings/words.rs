//! Closed sets of words, and how messages show values and lists.

use serde_json::Value;

use crate::suggest;

/// Longer values are cut where a message quotes them: the reader knows what they wrote.
pub(super) const QUOTED_CHARS_MAX: usize = 60;

/// A closed set of words.
pub(super) struct Choice<T: 'static> {
    /// What a word of the set is, with its article.
    pub(super) what: &'static str,
    pub(super) words: &'static [(&'static str, T)],
    /// Words that people write for one of the set and that are not near it in letters.
    pub(super) aliases: &'static [(&'static str, &'static str)],
}

impl<T: Copy> Choice<T> {
    pub(super) fn get(&self, word: &str) -> Option<T> {
        self.words
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, value)| *value)
    }

    pub(super) fn meant(&self, given: &str) -> Option<&'static str> {
        let alias = self
            .aliases
            .iter()
            .find(|(alias, _)| alias.eq_ignore_ascii_case(given));
        alias
            .map(|(_, word)| *word)
            .or_else(|| suggest::nearest(given, self.words.iter().map(|(name, _)| *name)))
    }

    /// `A, B or C`
    pub(super) fn list(&self) -> String {
        or_list(self.words.iter().map(|(name, _)| *name))
    }
}

/// `A, B or C`
pub(super) fn or_list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => String::new(),
    }
}

/// `A, B, C`, without a second spelling of one name.
pub(super) fn list(names: &[&str]) -> String {
    let mut list: Vec<&str> = Vec::new();
    for name in names {
        if !list.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            list.push(name);
        }
    }
    list.join(", ")
}

/// What a value is that is no object.
pub(super) fn kind_of_other(value: &Value) -> Option<&'static str> {
    match value {
        Value::Object(_) => None,
        Value::Null => Some("null"),
        Value::Bool(_) => Some("a boolean"),
        Value::Number(_) => Some("a number"),
        Value::String(_) => Some("a string"),
        Value::Array(_) => Some("a list"),
    }
}

/// A value as a message shows it: never longer than a line, never more of an object than that it is one.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Text in quotes, control characters escaped, cut to a readable length.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
