//! A file as a list of documents, each with its own text, so that what is not changed can be written as it was.

use serde_json::Value;

use super::{YamlError, read};

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The document's text without its separators.
    pub text: String,
    /// What it says; `Null` where there are only comments.
    pub value: Value,
    /// How it is written.
    pub form: Form,
}

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// YAML.
    Yaml,
    /// JSON, which stays JSON when it is changed.
    Json,
}

/// Reads a file of one or several documents. A file that begins with `{` is a stream of JSON objects, as for kubectl.
///
/// # Errors
/// The first place that cannot be read.
pub fn documents(text: &str) -> Result<Vec<Document>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        // A flow mapping begins like JSON too; the JSON parser's complaint is the one to show if neither can read it.
        return match json(text) {
            Ok(documents) => Ok(documents),
            Err(error) => yaml(text).map_err(|_| error),
        };
    }
    yaml(text)
}

fn json(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    loop {
        let start = stream.byte_offset();
        match stream.next() {
            None => return Ok(documents),
            Some(Ok(value)) => documents.push(Document {
                text: format!("{}\n", text[start..stream.byte_offset()].trim()),
                value,
                form: Form::Json,
            }),
            Some(Err(error)) => {
                return Err(YamlError::Json {
                    line: error.line(),
                    column: error.column(),
                    problem: error.to_string(),
                });
            }
        }
    }
}

fn yaml(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut documents = Vec::new();
    for (first_line, text) in split(text)? {
        let value = read::value(&text, first_line)?;
        documents.push(Document {
            text,
            value,
            form: Form::Yaml,
        });
    }
    Ok(documents)
}

/// Splits at lines of `---`, as kubectl does: only blanks and a comment may follow on the same line.
fn split(text: &str) -> Result<Vec<(usize, String)>, YamlError> {
    let mut documents = Vec::new();
    let mut current = (1, String::new());
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let Some(rest) = line.strip_prefix("---") else {
            current.1.push_str(line);
            continue;
        };
        let rest = rest.trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(YamlError::Meaning {
                line: index + 1,
                problem: format!("{rest:?} follows --- on the same line: put it on the next line"),
            });
        }
        documents.push(std::mem::replace(&mut current, (index + 2, String::new())));
    }
    documents.push(current);
    documents.retain(|(_, text)| !text.trim().is_empty());
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::{Form, documents};
    use crate::yaml::YamlError;
    use serde_json::json;

    #[test]
    fn documents_keep_their_text() {
        let text = "# first\na: 1\n--- # second\n\n---\nb: 2 # two\n";
        let found = documents(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].text, "# first\na: 1\n");
        assert_eq!(found[1].text, "b: 2 # two\n");
        assert_eq!(found[1].value, json!({"b": 2}));
    }

    #[test]
    fn a_stream_of_json_stays_json() {
        let found = documents("\n{\"a\": 1}\n{\n\t\"b\": [2]\n}\n").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].value, json!({"b": [2]}));
        assert!(found.iter().all(|document| document.form == Form::Json));
    }

    #[test]
    fn a_flow_mapping_is_yaml() {
        let found = documents("{a: 1}\n").unwrap();
        assert_eq!(
            (found[0].form, &found[0].value),
            (Form::Yaml, &json!({"a": 1}))
        );
    }

    #[test]
    fn an_error_names_its_line_in_the_file() {
        let error = documents("a: 1\n---\nb: 2\nc: [\n").unwrap_err();
        assert!(
            matches!(error, YamlError::Syntax { line: 4..=5, .. }),
            "{error:?}"
        );
        let error = documents("a: 1\n--- b\n").unwrap_err();
        assert!(
            matches!(error, YamlError::Meaning { line: 2, .. }),
            "{error:?}"
        );
        let error = documents("{\"a\": 1\n").unwrap_err();
        assert!(matches!(error, YamlError::Json { .. }), "{error:?}");
    }
}
