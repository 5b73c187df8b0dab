//! What a plain word means in YAML 1.1, as the parser behind kubectl resolves it.

use serde_json::{Number, Value};

/// The meaning of a plain, untagged scalar.
pub(super) fn resolve(word: &str) -> Value {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    match word.as_bytes()[0] {
        // A time stays text: JSON has no other way to say it.
        b'0'..=b'9' | b'+' | b'-' if !is_date(word) => number(&word.replace('_', "")),
        b'.' => float(word),
        _ => None,
    }
    .map_or_else(|| Value::String(word.to_owned()), Value::Number)
}

/// Whether a word, written plain, would be read as itself: by YAML 1.1 and by parsers of 1.2 alike.
pub(super) fn reads_as_itself(word: &str) -> bool {
    let text = resolve(word) == Value::String(word.to_owned());
    // Words that some parsers know and kubectl's does not: merge and default keys, numbers to base 60, dates,
    // octals of 1.2, infinities.
    let other = matches!(word, "<<" | "=") || is_date(word) || is_base_60(word);
    let number_like = word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && word
            .chars()
            .all(|c| c.is_ascii_hexdigit() || "+-._oxinfINFxXOaNn".contains(c));
    text && !other && !number_like
}

/// Integers of any base that Go's `strconv` takes with base 0, then floats.
fn number(plain: &str) -> Option<Number> {
    integer(plain).or_else(|| float(plain))
}

fn integer(plain: &str) -> Option<Number> {
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative {
        let value = i64::try_from(-i128::from(magnitude)).ok()?;
        Some(Number::from(value))
    } else {
        Some(Number::from(magnitude))
    }
}

fn float(plain: &str) -> Option<Number> {
    let good = plain
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let value: f64 = plain.parse().ok().filter(|_| good)?;
    from_float(value)
}

/// A float as Go writes it in JSON: without a fraction it is an integer. Infinities cannot be said in JSON.
fn from_float(value: f64) -> Option<Number> {
    /// Above this not every integer is a float, and Go writes an exponent.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT_MAX {
        // Exact by the two conditions above.
        #[allow(clippy::cast_possible_truncation)]
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

/// `2001-12-14` and times that begin so.
fn is_date(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && word[5..]
            .split(['-', 'T', 't', ' '])
            .take(2)
            .all(|part| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
}

/// `1:30`, which YAML 1.1 calls 90.
fn is_base_60(word: &str) -> bool {
    word.contains(':')
        && word.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-')
        && word
            .bytes()
            .all(|b| b.is_ascii_digit() || b"+-:._".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::{reads_as_itself, resolve};
    use serde_json::{Value, json};

    #[test]
    fn words_mean_what_kubectl_says() {
        for (word, wanted) in [
            ("yes", json!(true)),
            ("On", json!(true)),
            ("y", json!(true)),
            ("no", json!(false)),
            ("OFF", json!(false)),
            ("N", json!(false)),
            ("~", Value::Null),
            ("", Value::Null),
            ("NULL", Value::Null),
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("-010", json!(-8)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("1_000", json!(1000)),
            ("+7", json!(7)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
            ("0", json!(0)),
            ("089", json!(89)),
            ("1.5", json!(1.5)),
            ("1.0", json!(1)),
            (".5", json!(0.5)),
            ("1e3", json!(1000)),
            ("3.", json!(3)),
            // Texts.
            ("1883:1884", json!("1883:1884")),
            ("1:30", json!("1:30")),
            ("2001-12-14", json!("2001-12-14")),
            ("2001-12-14T21:59:43Z", json!("2001-12-14T21:59:43Z")),
            ("10m", json!("10m")),
            ("64Mi", json!("64Mi")),
            ("1.2.3", json!("1.2.3")),
            ("0x", json!("0x")),
            ("-", json!("-")),
            (".", json!(".")),
            ("yEs", json!("yEs")),
            ("nan", json!("nan")),
            ("+inf", json!("+inf")),
        ] {
            assert_eq!(resolve(word), wanted, "{word:?}");
        }
    }

    #[test]
    fn a_word_that_reads_as_something_else_is_not_itself() {
        for word in [
            "yes",
            "n",
            "off",
            "true",
            "null",
            "~",
            "",
            "0644",
            "0o17",
            "1e3",
            "1_000",
            "1:30",
            ".5",
            "2001-12-14",
            "<<",
            "=",
            ".inf",
            "-.INF",
            ".nan",
            "0x1f",
            "123",
            "1.0",
            "+1",
            "0b1",
        ] {
            assert!(!reads_as_itself(word), "{word:?}");
        }
        for word in [
            "app",
            "10m",
            "64Mi",
            "default:1883",
            "nginx:1.27",
            "Yess",
            "a=b",
            "127.0.0.1:80/x",
        ] {
            assert!(reads_as_itself(word), "{word:?}");
        }
    }
}
