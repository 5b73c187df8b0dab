//! What a body will weigh once it is parsed: a few bytes of JSON can become hundreds in memory.

/// A map has room for eleven fields, whatever is in it: 640 bytes.
const MAP_BYTES: usize = 640;
/// A value, and what a field's name and the allocator take beside it.
const VALUE_BYTES: usize = 64;
/// The largest object that an API server takes, made of nothing but small maps, weighs less; two of them at once leave
/// room in a container of 128 MiB.
const PARSED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Whether a body is made to fill the memory. What is no JSON has any answer: the parser refuses it.
pub(super) fn is_too_heavy(body: &[u8]) -> bool {
    // No byte weighs more than a map.
    if body.len() <= PARSED_BYTES_MAX / MAP_BYTES {
        return false;
    }
    let mut weight = body.len();
    let (mut in_text, mut escaped) = (false, false);
    for byte in body {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' => weight += MAP_BYTES,
            b'[' | b',' => weight += VALUE_BYTES,
            _ => {}
        }
    }
    weight > PARSED_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::is_too_heavy;

    /// A list of the same item that is about so many bytes long.
    fn list(item: &str, bytes: usize) -> String {
        let items = vec![item; bytes / (item.len() + 1)];
        format!("[{}]", items.join(","))
    }

    #[test]
    fn small_maps_and_numbers_without_end_are_too_heavy() {
        const MIB: usize = 1024 * 1024;
        let variable = r#"{"name":"SETTING_1","value":"a value of some characters"}"#;
        let json_in_text = format!("{:?}", list(r#"{"":0}"#, MIB));
        for (item, bytes, wanted) in [
            // As large as an API server takes it.
            (variable, 3 * MIB / 2, false),
            (r#"{"":0}"#, 4 * MIB, true),
            ("{}", 4 * MIB, true),
            ("0", 4 * MIB, true),
            ("[]", 4 * MIB, true),
            ("0", MIB / 4, false),
            (&json_in_text, 3 * MIB, false),
            (r#""a \"{[,{[, text""#, 3 * MIB, false),
        ] {
            let text = list(item, bytes);
            let shown = &item[..item.len().min(40)];
            assert_eq!(is_too_heavy(text.as_bytes()), wanted, "{shown} {bytes}");
        }
    }
}
