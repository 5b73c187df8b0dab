//! The shapes of names: DNS names and labels, GUIDs, URIs.

use std::net::Ipv4Addr;

use crate::limits::{NAME_CHARS_MAX, SUBDOMAIN_CHARS_MAX};

/// A DNS label as Kubernetes wants it: lower-case letters, digits and `-`, at most 63 (RFC 1123).
pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && is_label_of(text, |b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// A DNS subdomain name as Kubernetes wants it: labels of any length separated by dots, at most 253 together.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= SUBDOMAIN_CHARS_MAX
        && text
            .split('.')
            .all(|part| is_label_of(part, |b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

/// An IPv4 address or a DNS name of any case; a name whose last part is a number can only be an address.
pub(crate) fn is_host_name(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or(text);
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<Ipv4Addr>().is_ok();
    }
    text.len() <= SUBDOMAIN_CHARS_MAX
        && text.split('.').all(|part| {
            part.len() <= NAME_CHARS_MAX && is_label_of(part, |b| b.is_ascii_alphanumeric())
        })
}

fn is_label_of(text: &str, inner: impl Fn(u8) -> bool) -> bool {
    let ends = |b: Option<&u8>| b.is_some_and(|b| inner(*b));
    let bytes = text.as_bytes();
    ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(|b| inner(*b) || *b == b'-')
}

/// What a person most likely meant by a name that is no label or subdomain.
pub(crate) fn mended(text: &str, good: fn(&str) -> bool) -> Option<String> {
    let mended: String = text
        .trim()
        .chars()
        .map(|c| {
            if c == '_' || c == ' ' {
                '-'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    good(&mended).then_some(mended)
}

/// 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_guid(text: &str) -> bool {
    let mut parts = text.split('-');
    [8, 4, 4, 4, 12].iter().all(|length| {
        parts.next().is_some_and(|part| {
            part.len() == *length && part.bytes().all(|b| b.is_ascii_hexdigit())
        })
    }) && parts.next().is_none()
}

/// The GUID in a text that only lacks its dashes or has braces around it.
pub(crate) fn guid_in(text: &str) -> Option<String> {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, '{' | '}' | '(' | ')' | '-' | ' '))
        .collect();
    let whole = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    whole.then(|| {
        format!(
            "{}-{}-{}-{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..]
        )
    })
}

/// A URI with a scheme and something after it (RFC 3986 section 3, its characters only).
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme_good = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let rest_good = !rest.trim_start_matches('/').is_empty()
        && rest
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b));
    scheme_good && rest_good
}
