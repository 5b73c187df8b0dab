//! From a JSON value to YAML that every parser reads alike.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::scalar;

const INDENT: usize = 2;

/// Writes a value in block style, keys in the order of the alphabet, as `kubectl get -o yaml` does.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => write_fields(&mut out, fields, 0, false),
        Value::Array(items) if !items.is_empty() => write_items(&mut out, items, 0),
        scalar => {
            write_scalar(&mut out, scalar, 0);
            out.push('\n');
        }
    }
    out
}

/// `inline` is set where the first key continues the line of a `- `.
fn write_fields(out: &mut String, fields: &Map<String, Value>, indent: usize, inline: bool) {
    // `serde_json` may have been built to keep the order of insertion: here the order must not depend on that.
    let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 || !inline {
            push_spaces(out, indent);
        }
        write_text(out, key);
        out.push(':');
        write_value(out, value, indent);
    }
}

fn write_value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            write_fields(out, fields, indent + INDENT, false);
        }
        // A list stands at the indentation of its key.
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write_items(out, items, indent);
        }
        scalar => {
            out.push(' ');
            write_scalar(out, scalar, indent + INDENT);
            out.push('\n');
        }
    }
}

fn write_items(out: &mut String, items: &[Value], indent: usize) {
    for item in items {
        push_spaces(out, indent);
        out.push('-');
        match item {
            Value::Object(fields) if !fields.is_empty() => {
                out.push(' ');
                write_fields(out, fields, indent + INDENT, true);
            }
            Value::Array(inner) if !inner.is_empty() => {
                out.push('\n');
                write_items(out, inner, indent + INDENT);
            }
            scalar => {
                out.push(' ');
                write_scalar(out, scalar, indent + INDENT);
                out.push('\n');
            }
        }
    }
}

fn write_scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) if is_block(text) => write_block(out, text, indent),
        Value::String(text) => write_text(out, text),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

fn write_text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else if text.contains(['"', '\\']) && text.chars().all(is_printable) {
        // JSON in an annotation stays readable so.
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        // A JSON string is a YAML double-quoted string; the two line separators of Unicode are breaks to YAML 1.1.
        let quoted = Value::String(text.to_owned()).to_string();
        for c in quoted.chars() {
            match c {
                '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
    }
}

/// Whether a text can stand without quotes, in a key and in a value.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let indicator = "-?:,[]{}#&*!|>'\"%@`".contains(first);
    // `-x` and `:x` are plain too, but a quote costs nothing.
    !indicator
        && !text.ends_with([' ', ':'])
        && !text.starts_with(' ')
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(is_printable)
        && scalar::reads_as_itself(text)
}

fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Text of several lines that a literal block can say exactly.
fn is_block(text: &str) -> bool {
    let lines_good = text.lines().all(|line| {
        !line.ends_with([' ', '\t', '\r']) && line.chars().all(|c| is_printable(c) || c == '\t')
    });
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !text.ends_with("\n\n")
        && !text.contains('\r')
        && lines_good
}

fn write_block(out: &mut String, text: &str, indent: usize) {
    out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
    for line in text.lines() {
        out.push('\n');
        if !line.is_empty() {
            push_spaces(out, indent);
            out.push_str(line);
        }
    }
}

fn push_spaces(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

#[cfg(test)]
mod tests {
    use super::to_yaml;
    use crate::yaml::documents;
    use serde_json::json;

    #[test]
    fn objects_are_written_in_block_style() {
        let value = json!({
            "kind": "Pod",
            "metadata": {"name": "app", "labels": {}},
            "spec": {"containers": [{"name": "app", "args": ["-v", "x"], "env": []}], "list": [[1, 2], [], {}]},
        });
        let wanted = "\
kind: Pod
metadata:
  labels: {}
  name: app
spec:
  containers:
  - args:
    - \"-v\"
    - x
    env: []
    name: app
  list:
  -
    - 1
    - 2
  - []
  - {}
";
        assert_eq!(to_yaml(&value), wanted);
    }

    #[test]
    fn texts_that_read_otherwise_are_quoted() {
        for text in [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "N",
            "null",
            "~",
            "",
            "0644",
            "0o17",
            "1.0",
            "1e3",
            "1:30",
            "2001-01-01",
            "<<",
            "true",
            " x",
            "x ",
            "x: y",
            "x #y",
            "#x",
            "- x",
            "-",
            "?",
            "*x",
            "&x",
            "!x",
            "%x",
            "@x",
            "`x",
            "'x",
            "\"x",
            "{x",
            "[x",
            "x\ty",
            "a\nb",
            "a\n",
            "\n",
            "a\n\nb\n",
            "a\n\n",
            " a\nb",
            "a \nb",
            "a\r\nb",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "\u{feff}x",
            "é",
            "日本",
            "a\\b",
            "{\"it's\": 1}",
            "\"\n",
            "\u{1}",
            "x:",
            "a,b",
            "key:value",
            "---",
            "...",
            "=",
            "1_0",
        ] {
            let value = json!({ "key": text, text: [text] });
            let written = to_yaml(&value);
            let read =
                documents(&written).unwrap_or_else(|error| panic!("{text:?}: {error}\n{written}"));
            assert_eq!(read[0].value, value, "{text:?} as\n{written}");
        }
    }

    #[test]
    fn lines_of_text_stay_lines() {
        let value = json!({"script": "set -e\n\nrun  \\\n  --all\n", "tail": "a\nb"});
        assert_eq!(
            to_yaml(&value),
            "script: |\n  set -e\n\n  run  \\\n    --all\ntail: |-\n  a\n  b\n"
        );
    }
}
