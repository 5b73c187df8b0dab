//! Topic names and topic filters (section 4.7), and shared subscriptions (section 4.8).

use super::{DecodeError, ReasonCode};

const SHARE_PREFIX: &str = "$share/";

/// Whether a topic filter asks for a shared subscription.
pub fn is_shared(filter: &str) -> bool {
    filter.starts_with(SHARE_PREFIX)
}

/// Whether a topic filter has a wildcard.
pub fn has_wildcard(filter: &str) -> bool {
    filter.bytes().any(|byte| matches!(byte, b'+' | b'#'))
}

/// A topic name, which may be empty only beside a topic alias. Its characters are looked at here, in one pass.
pub(super) fn check_name(topic: &str) -> Result<(), DecodeError> {
    // Without an early end the loop is one that the compiler can vectorise.
    let (nul, wildcard) = topic.bytes().fold((false, false), |(nul, wildcard), byte| {
        (
            nul | (byte == 0),
            wildcard | (byte == b'+') | (byte == b'#'),
        )
    });
    if nul {
        return Err(DecodeError::malformed("topic name contains U+0000")); // [MQTT-4.7.3-2]
    }
    if wildcard {
        // [MQTT-4.7.0-1], [MQTT-3.3.2-2].
        return Err(DecodeError::new(
            ReasonCode::TOPIC_NAME_INVALID,
            "topic name contains a wildcard",
        ));
    }
    Ok(())
}

/// A topic filter. The form of shared subscriptions binds 3.1.1 clients too: the broker is spoken to in MQTT 5,
/// where a filter that begins with `$share/` is one.
pub(super) fn check_filter(filter: &str) -> Result<(), DecodeError> {
    let invalid = |message| Err(DecodeError::new(ReasonCode::TOPIC_FILTER_INVALID, message));
    let levels = match filter.strip_prefix(SHARE_PREFIX) {
        None => filter,
        Some(shared) => match shared.split_once('/') {
            // [MQTT-4.8.2-1], [MQTT-4.8.2-2].
            Some((name, levels)) if !name.is_empty() && !has_wildcard(name) => levels,
            _ => {
                return invalid(
                    "shared subscription is not of the form $share/<name>/<topic filter>",
                );
            }
        },
    };
    if levels.is_empty() {
        return invalid("topic filter is empty"); // [MQTT-4.7.3-1]
    }
    let mut rest = levels.split('/').peekable();
    while let Some(level) = rest.next() {
        let last = rest.peek().is_none();
        let legal = match level {
            "#" => last, // [MQTT-4.7.1-1]
            "+" => true, // [MQTT-4.7.1-2]
            level => !has_wildcard(level),
        };
        if !legal {
            return invalid(
                "topic filter has a wildcard beside other characters, or # before its end",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_anything_without_wildcards_and_nul() {
        for name in [
            "a",
            "/",
            "//",
            "a/b",
            "$SYS/x",
            "$share/g/x",
            " ",
            "a/\u{FEFF}",
            "",
        ] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["#", "+", "a+", "a/#", "a\0"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn filters_have_wildcards_as_whole_levels() {
        for filter in [
            "a",
            "/",
            "#",
            "+",
            "+/+",
            "/+",
            "a/#",
            "+/a/#",
            "/#",
            "a//+",
            "$SYS/#",
            "$share",
            "$shared/+",
        ] {
            assert!(check_filter(filter).is_ok(), "{filter}");
        }
        for filter in [
            "", "#/", "##", "a#", "#a", "a/#/b", "++", "a+", "+a", "a/b+/c",
        ] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn shared_filters_have_a_name_and_a_filter() {
        for filter in [
            "$share/g/a",
            "$share/g/#",
            "$share/g//",
            "$share/g/$share/x/y",
            "$share/g h/+/a",
        ] {
            assert!(check_filter(filter).is_ok(), "{filter}");
            assert!(is_shared(filter), "{filter}");
        }
        for filter in [
            "$share/",
            "$share/g",
            "$share//a",
            "$share/g/",
            "$share/+/a",
            "$share/#",
            "$share/a#/b",
            "$share/g/a#",
        ] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
    }
}
