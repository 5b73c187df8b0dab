//! Reads fields of raw JSON and collects every fault instead of stopping at the first.

use serde_json::{Map, Value};

use super::fields;
use super::words::{Choice, QUOTED_CHARS_MAX, kind_of_other, list, or_list, quoted, shown};
use crate::violation::Reason;
use crate::{Violation, Warning, suggest};

/// What a field that nobody knows comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Unknown {
    /// It is refused: most likely it is misspelled.
    #[default]
    Deny,
    /// It is warned of: another product's definition has fields of its own.
    Warn,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) unknown: Unknown,
    pub(super) violations: Vec<Violation>,
    pub(super) warnings: Vec<Warning>,
}

impl Findings {
    pub(super) fn deny(
        &mut self,
        field: impl Into<String>,
        reason: Reason,
        message: impl Into<String>,
    ) {
        self.violations.push(Violation {
            field: field.into(),
            reason,
            message: message.into(),
        });
    }

    pub(super) fn invalid(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.deny(field, Reason::Invalid, message);
    }

    pub(super) fn warn(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning {
            field: field.into(),
            message: message.into(),
        });
    }
}

/// The numbers that a field may have.
pub(super) struct Range {
    pub(super) least: i64,
    pub(super) most: i64,
    /// Why there is no more.
    pub(super) too_high: &'static str,
}

/// A field as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<T> {
    /// Not there, or null, which the API server drops.
    Absent,
    /// Reported; with what was most likely meant, so that the checks that depend on it can go on.
    Bad(Option<T>),
    /// Usable.
    Good(T),
}

impl<T> Field<T> {
    /// The value for the settings: `default` where the field is absent, nothing where it was reported.
    pub(super) fn or(self, default: T) -> Option<T> {
        match self {
            Field::Absent => Some(default),
            Field::Bad(_) => None,
            Field::Good(value) => Some(value),
        }
    }

    /// What was most likely meant, where the field is there.
    pub(super) fn meant(&self) -> Option<&T> {
        match self {
            Field::Good(value) | Field::Bad(Some(value)) => Some(value),
            Field::Absent | Field::Bad(None) => None,
        }
    }

    /// The value for checks on other fields: what was most likely meant.
    pub(super) fn meant_or(self, default: T) -> Option<T> {
        match self {
            Field::Absent => Some(default),
            Field::Bad(guess) => guess,
            Field::Good(value) => Some(value),
        }
    }
}

/// An object of the resource and its path.
pub(super) struct Section<'a> {
    map: Option<&'a Map<String, Value>>,
    /// Whether something was written there, be it of the wrong type.
    pub(super) present: bool,
    pub(super) path: String,
}

impl<'a> Section<'a> {
    /// The whole resource; reports it where it is no object.
    pub(super) fn root(resource: &'a Value, findings: &mut Findings) -> Section<'a> {
        Section::of(Some(resource), String::new(), fields::ROOT, findings)
    }

    /// The object in the field `key` with the fields `known`; reports one of another type.
    pub(super) fn section(
        &self,
        key: &str,
        known: &[&str],
        findings: &mut Findings,
    ) -> Section<'a> {
        Section::of(self.get(key), self.at(key), known, findings)
    }

    fn of(
        value: Option<&'a Value>,
        path: String,
        known: &[&str],
        findings: &mut Findings,
    ) -> Section<'a> {
        // What stands there in place of the object may be a secret, so only its type is told.
        if let Some(kind) = value.and_then(kind_of_other) {
            let field = if path.is_empty() { "resource" } else { &path };
            let write = if known.is_empty() {
                "{}".to_owned()
            } else {
                format!("its fields below it ({})", list(known))
            };
            findings.invalid(
                field,
                format!("must be an object, not {kind}: write {write}"),
            );
        }
        Section {
            map: value.and_then(Value::as_object),
            present: value.is_some(),
            path,
        }
    }

    /// Whether the object can be looked into.
    pub(super) fn is_object(&self) -> bool {
        self.map.is_some()
    }

    /// The value of a field; null counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map
            .and_then(|map| map.get(key))
            .filter(|value| !value.is_null())
    }

    /// Path of a field of this object from the root of the resource.
    pub(super) fn at(&self, key: &str) -> String {
        let plain = !key.is_empty()
            && key.len() <= QUOTED_CHARS_MAX
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        match (self.path.is_empty(), plain) {
            (true, true) => key.to_owned(),
            (true, false) => format!("[{}]", quoted(key)),
            (false, true) => format!("{}.{key}", self.path),
            (false, false) => format!("{}[{}]", self.path, quoted(key)),
        }
    }

    /// Text of a field. `write` says what belongs there, for a value of another type.
    pub(super) fn text(&self, key: &str, write: &str, findings: &mut Findings) -> Field<&'a str> {
        match self.get(key) {
            None => Field::Absent,
            Some(Value::String(text)) => Field::Good(text),
            Some(other) => {
                findings.invalid(
                    self.at(key),
                    format!("must be a string, not {}: write {write}", shown(other)),
                );
                Field::Bad(None)
            }
        }
    }

    /// Word of a closed set.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        choice: &Choice<T>,
        findings: &mut Findings,
    ) -> Field<T> {
        let Some(value) = self.get(key) else {
            return Field::Absent;
        };
        if let Some(good) = value.as_str().and_then(|word| choice.get(word)) {
            return Field::Good(good);
        }
        // YAML 1.1 reads yes, no, on and off as booleans, so those are looked up as words too.
        let word = match value {
            Value::String(word) => Some(word.clone()),
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
            _ => None,
        };
        let meant = word.and_then(|word| choice.meant(&word));
        let write = meant.map_or_else(|| choice.list(), str::to_owned);
        findings.deny(
            self.at(key),
            Reason::NotSupported,
            format!("{} is not {}: write {write}", shown(value), choice.what),
        );
        Field::Bad(meant.and_then(|word| choice.get(word)))
    }

    /// Whole number of a range; a fraction of zero is none (`60.0`), as the API server has it.
    pub(super) fn integer(&self, key: &str, range: &Range, findings: &mut Findings) -> Field<i64> {
        let Some(value) = self.get(key) else {
            return Field::Absent;
        };
        let (least, most) = (range.least, range.most);
        let too_high = range.too_high;
        let range = if most - least == 1 {
            format!("{least} or {most}")
        } else {
            format!("{least} to {most}")
        };
        let fault = match whole(value) {
            Some(number) if number < i128::from(least) => {
                format!("{} is too low: write {range}", shown(value))
            }
            Some(number) if number > i128::from(most) => {
                format!("{} is too high, {too_high}: write {range}", shown(value))
            }
            Some(number) => {
                // Both limits are i64, so a number between them is one.
                return i64::try_from(number).map_or(Field::Bad(None), Field::Good);
            }
            None => match value.as_str().map(str::parse::<i64>) {
                Some(Ok(number)) if (least..=most).contains(&number) => {
                    format!(
                        "must be a number, not the string {}: write {number} without quotes",
                        shown(value)
                    )
                }
                _ => format!(
                    "must be a whole number, not {}: write {range}",
                    shown(value)
                ),
            },
        };
        findings.invalid(self.at(key), fault);
        Field::Bad(None)
    }

    /// Reports every field that is not one of `known`, with the field that was most likely meant.
    pub(super) fn report_unknown(&self, known: &[&str], findings: &mut Findings) {
        for key in self.map.into_iter().flat_map(Map::keys) {
            if known.contains(&key.as_str()) {
                continue;
            }
            if findings.unknown == Unknown::Warn {
                let message = match suggest::nearest(key, known.iter().copied()) {
                    Some(near) => format!("is unknown and passed over: is {near} meant?"),
                    None => "is unknown and passed over".to_owned(),
                };
                findings.warn(self.at(key), message);
                continue;
            }
            let places: Vec<&str> = fields::places(key).collect();
            let remedy = match suggest::nearest(key, known.iter().copied()) {
                Some(near) if self.get(near).is_some() => {
                    format!("remove it ({near} is already there)")
                }
                Some(near) => format!("write {near}"),
                None if !places.is_empty() => format!("move it into {}", or_list(places)),
                None => match known {
                    [] => "remove it; there are no fields here".to_owned(),
                    [only] if self.get(only).is_none() => format!("write {only}"),
                    _ => format!("remove it; the fields here are {}", list(known)),
                },
            };
            findings.invalid(self.at(key), format!("is not a known field: {remedy}"));
        }
    }
}

fn whole(value: &Value) -> Option<i128> {
    let number = value.as_number()?;
    let integer = number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from));
    // A float beyond i128 saturates, which is still out of every range here.
    integer.or_else(|| {
        number
            .as_f64()
            .filter(|float| float.fract() == 0.0)
            .map(|float| float as i128)
    })
}
