//! The nearest of a closed set of words to one that a person mistyped.
//!
//! Case, `-` and `_` do not count; after those, few wrong letters are nearer than a word cut short, and that is nearer
//! than a word inside another.

/// Longer words are not compared: the cost grows with the product of the lengths, and no name we know is as long.
const COMPARED_CHARS_MAX: usize = 64;
/// Shorter words are the beginning of too many others.
const PREFIX_CHARS_MIN: usize = 3;
/// Shorter words are inside too many others.
const INFIX_CHARS_MIN: usize = 4;

/// The one candidate that `given` most likely stands for; `None` where nothing is near or two are equally near.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    let mut tied = false;
    for (score, candidate) in scored(given, candidates) {
        match best {
            Some((lowest, _)) if score > lowest => {}
            // Two spellings of one word are no tie.
            Some((lowest, first)) if score == lowest => tied |= plain(first) != plain(candidate),
            _ => (best, tied) = (Some((score, candidate)), false),
        }
    }
    best.filter(|_| !tied).map(|(_, candidate)| candidate)
}

/// Up to `count_max` candidates near `given`, the nearest first.
pub fn nearest_all<'a>(
    given: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    count_max: usize,
) -> Vec<&'a str> {
    let mut near: Vec<(usize, &str)> = scored(given, candidates).collect();
    near.sort();
    near.into_iter()
        .take(count_max)
        .map(|(_, candidate)| candidate)
        .collect()
}

fn scored<'a>(
    given: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> impl Iterator<Item = (usize, &'a str)> {
    let given = plain(given);
    candidates.into_iter().filter_map(move |candidate| {
        score(&given, &plain(candidate)).map(|score| (score, candidate))
    })
}

/// Lower-case letters without the separators that people vary.
fn plain(word: &str) -> Vec<char> {
    word.chars()
        .take(COMPARED_CHARS_MAX + 1)
        .filter(|c| !matches!(c, '-' | '_' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// How far two words are apart, lower is nearer; `None` is too far to suggest.
fn score(given: &[char], candidate: &[char]) -> Option<usize> {
    if given.is_empty() || given.len() > COMPARED_CHARS_MAX || candidate.len() > COMPARED_CHARS_MAX
    {
        return None;
    }
    let shorter = given.len().min(candidate.len());
    let allowed = match shorter {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let (short, long) = if given.len() < candidate.len() {
        (given, candidate)
    } else {
        (candidate, given)
    };
    let distance = if long.len() - short.len() > allowed {
        usize::MAX
    } else {
        distance(given, candidate)
    };
    match distance {
        0 => Some(0),
        1 if allowed >= 1 => Some(10),
        _ if shorter >= PREFIX_CHARS_MIN && long.starts_with(short) => Some(15),
        2.. if distance <= allowed => Some(10 * distance),
        _ if shorter >= INFIX_CHARS_MIN && long.windows(shorter).any(|part| part == short) => {
            Some(40)
        }
        _ => None,
    }
}

/// Letters to insert, remove, replace or swap with their neighbour (optimal string alignment).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = above[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{nearest, nearest_all};

    const METHODS: [&str; 6] = [
        "ServiceAccountToken",
        "X509Certificate",
        "SystemAssignedManagedIdentity",
        "UserAssignedManagedIdentity",
        "AccessToken",
        "Anonymous",
    ];

    #[test]
    fn a_near_miss_finds_the_word_that_was_meant() {
        for (given, candidates, wanted) in [
            (
                "cliendId",
                &["clientId", "tenantId", "scope"][..],
                Some("clientId"),
            ),
            ("mqtt", &["Mqtt", "WebSockets"], Some("Mqtt")),
            ("mqtts", &["Mqtt", "WebSockets"], Some("Mqtt")),
            ("websocket", &["Mqtt", "WebSockets"], Some("WebSockets")),
            ("x509", &METHODS, Some("X509Certificate")),
            (
                "service-account-token",
                &METHODS,
                Some("ServiceAccountToken"),
            ),
            ("annonymous", &METHODS, Some("Anonymous")),
            ("Certificate", &METHODS, Some("X509Certificate")),
            ("Qos", &["qos", "host", "tls"], Some("qos")),
            ("ohst", &["qos", "host", "tls"], Some("host")),
            ("ManagedIdentity", &METHODS, None),
            ("Kerberos", &METHODS, None),
            ("", &METHODS, None),
            ("a", &METHODS, None),
        ] {
            assert_eq!(
                nearest(given, candidates.iter().copied()),
                wanted,
                "{given:?}"
            );
        }
    }

    #[test]
    fn several_near_words_come_nearest_first() {
        let names = ["default", "default-2", "broker", "defualt"];
        assert_eq!(
            nearest_all("defaul", names, 3),
            ["default", "default-2", "defualt"]
        );
        assert_eq!(nearest_all("defaul", names, 1), ["default"]);
    }

    #[test]
    fn long_words_are_not_compared() {
        let long = "x".repeat(1_000_000);
        assert_eq!(nearest(&long, ["x"]), None);
    }
}
