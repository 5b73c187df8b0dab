//! From a YAML document to a JSON value.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag, options};
use serde_json::{Map, Value};

use super::{YamlError, scalar};

/// Deeper documents are no Kubernetes objects; the limit keeps the stack small.
const DEPTH_MAX: usize = 128;
/// Aliases can multiply: a page of nested ones would fill the memory. No list of objects is near this.
const NODES_MAX: usize = 2_000_000;
const TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// Reads one document. `first_line` is where it begins in its file, for errors.
pub(super) fn value(text: &str, first_line: usize) -> Result<Value, YamlError> {
    let mut reader = Reader {
        // Another crate may switch the parser's comments on.
        parser: Parser::new_from_str_with_options(text, options! { emit_comments: false }),
        anchors: HashMap::new(),
        nodes: 0,
        first_line,
    };
    reader.document()
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    first_line: usize,
}

struct Anchored {
    value: Value,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Value, YamlError> {
        let mut document = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                event if document.is_none() => document = Some(self.node(event, span, 0)?),
                _ => {
                    return Err(self.meaning(
                        span,
                        "a second document follows: separate documents with a line of ---",
                    ));
                }
            }
        }
        Ok(document.unwrap_or_default())
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        self.parser
            .next()
            .transpose()
            .map_err(|error| self.syntax(&error))
    }

    /// The next event inside a collection, where the text cannot end.
    fn inner(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        match self.next()? {
            Some(event) => Ok(event),
            None => Err(YamlError::Syntax {
                line: self.first_line,
                column: 1,
                problem: "the text ends inside a value".to_owned(),
            }),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Value, YamlError> {
        self.count(1, span)?;
        if depth > DEPTH_MAX {
            return Err(self.meaning(span, &format!("values are nested deeper than {DEPTH_MAX}")));
        }
        let nodes_before = self.nodes;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (self.scalar(&text, style, tag.as_deref(), span)?, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.sequence(depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(anchor) => (self.alias(anchor, span)?, 0),
            other => return Err(self.meaning(span, &format!("{other:?} cannot stand here"))),
        };
        if anchor != 0 {
            let nodes = self.nodes - nodes_before + 1;
            let value = value.clone();
            self.anchors.insert(anchor, Anchored { value, nodes });
        }
        Ok(value)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Value, YamlError> {
        // An anchor is known once its value has ended: an alias inside its own value finds none.
        let Some(Anchored { value, nodes }) = self.anchors.get(&anchor) else {
            return Err(self.meaning(span, "an alias stands inside the value that it names"));
        };
        let (value, nodes) = (value.clone(), *nodes);
        self.count(nodes, span)?;
        Ok(value)
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.inner()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut fields = Map::new();
        let mut merged = Map::new();
        loop {
            let (event, span) = self.inner()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, value_span) = self.inner()?;
            let value = self.node(event, value_span, depth + 1)?;
            if is_merge {
                self.merge(&mut merged, value, value_span)?;
            } else {
                // A key that stands twice: the last one counts, as for kubectl.
                fields.insert(self.key(key, span)?, value);
            }
        }
        for (key, value) in merged {
            fields.entry(key).or_insert(value);
        }
        Ok(Value::Object(fields))
    }

    /// What `<<` brings in: a mapping, or several of which the first counts most.
    fn merge(
        &self,
        merged: &mut Map<String, Value>,
        value: Value,
        span: Span,
    ) -> Result<(), YamlError> {
        let sources = match value {
            Value::Array(sources) => sources,
            one => vec![one],
        };
        for source in sources {
            let Value::Object(source) = source else {
                return Err(self.meaning(span, "<< takes a mapping or a list of mappings"));
            };
            for (key, value) in source {
                merged.entry(key).or_insert(value);
            }
        }
        Ok(())
    }

    fn key(&self, key: Value, span: Span) -> Result<String, YamlError> {
        match key {
            Value::String(text) => Ok(text),
            Value::Bool(value) => Ok(value.to_string()),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(self.meaning(span, &format!("{other} cannot be the name of a field"))),
        }
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Value, YamlError> {
        let word = tag.map(Tag::to_string).unwrap_or_default();
        let word = word
            .strip_prefix(TAG_PREFIX)
            .or_else(|| word.strip_prefix("!!"))
            .unwrap_or(&word);
        let plain = style == ScalarStyle::Plain;
        match word {
            "" if plain => Ok(scalar::resolve(text)),
            "int" | "float" | "bool" | "null" => match scalar::resolve(text) {
                Value::String(_) => Err(self.meaning(span, &format!("{text:?} is no {word}"))),
                value => Ok(value),
            },
            "binary" => Err(self.meaning(
                span,
                "!!binary is not read: write the base64 text without the tag",
            )),
            // Quoted, a block, `!`, `!!str`, or a tag that says nothing to JSON.
            _ => Ok(Value::String(text.to_owned())),
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX {
            return Err(self.meaning(
                span,
                &format!("aliases make more than {NODES_MAX} values of this document"),
            ));
        }
        Ok(())
    }

    fn syntax(&self, error: &ScanError) -> YamlError {
        YamlError::Syntax {
            line: self.first_line + error.marker().line() - 1,
            column: error.marker().col() + 1,
            problem: error.info().to_string(),
        }
    }

    fn meaning(&self, span: Span, problem: &str) -> YamlError {
        YamlError::Meaning {
            line: self.first_line + span.start.line() - 1,
            problem: problem.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::value;
    use serde_json::{Value, json};

    fn read(text: &str) -> Value {
        value(text, 1).unwrap()
    }

    fn refused(text: &str) -> String {
        value(text, 1).unwrap_err().to_string()
    }

    #[test]
    fn scalars_are_read_as_yaml_1_1() {
        let text = "mode: 0644\nuse: yes\nname: \"yes\"\nport: '0644'\nnone:\nblock: |\n  yes\n  no\nfold: >-\n  a\n  b\non: 1\n";
        assert_eq!(
            read(text),
            json!({
                "mode": 420, "use": true, "name": "yes", "port": "0644", "none": null, "block": "yes\nno\n",
                "fold": "a b", "true": 1,
            })
        );
    }

    #[test]
    fn tags_say_what_a_word_means() {
        assert_eq!(
            read("a: !!str 0644\nb: !!int \"7\"\nc: !!float 1\nd: ! yes\ne: !mine x\n"),
            json!({"a": "0644", "b": 7, "c": 1, "d": "yes", "e": "x"})
        );
        assert!(refused("a: !!int seven\n").contains("\"seven\" is no int"));
        assert!(refused("a: !!binary aGk=\n").contains("without the tag"));
    }

    #[test]
    fn anchors_and_merge_keys_are_followed() {
        let text = "\
base: &base {cpu: 10m, memory: 32Mi}
more: &more
  memory: 1Gi
  disk: 5Gi
one:
  cpu: 20m
  <<: *base
two:
  <<: [*base, *more]
  cpu: 30m
list: [*base, *base]
";
        let value = read(text);
        assert_eq!(value["one"], json!({"cpu": "20m", "memory": "32Mi"}));
        assert_eq!(
            value["two"],
            json!({"cpu": "30m", "memory": "32Mi", "disk": "5Gi"})
        );
        assert_eq!(value["list"][1], json!({"cpu": "10m", "memory": "32Mi"}));
        assert!(refused("a: {<<: 1}\n").contains("<< takes a mapping"));
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        assert_eq!(read("a: 1\na: 2\n"), json!({"a": 2}));
    }

    #[test]
    fn aliases_cannot_fill_the_memory() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            text += &format!("a{level}: &a{level} [{below}]\n");
        }
        assert!(refused(&text).contains("aliases make more than"));
        assert!(refused("a: &a [*a]\n").contains("inside the value"));
    }

    #[test]
    fn depth_has_a_limit() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(value(&deep(100), 1).is_ok());
        assert!(value(&deep(5_000), 1).is_err());
    }

    #[test]
    fn faults_name_their_line() {
        assert!(refused("a: 1\n? [x]\n: 2\n").starts_with("line 2: [\"x\"] cannot be the name"));
        assert!(refused("a: 1\n...\nb: 2\n").contains("a second document follows"));
        assert_eq!(read("# nothing\n"), Value::Null);
    }
}
