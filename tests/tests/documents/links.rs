//! Links between pages, and paths that commands name.

use crate::pages::{all, root};

#[test]
fn every_link_leads_somewhere() {
    let mut followed = 0;
    for page in all() {
        let directory = root().join(&page.path);
        let directory = directory.parent().expect("a folder");
        for target in page
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => root().join(&page.path),
                file => directory.join(file),
            };
            assert!(path.exists(), "{}: {target} is not there", page.path);
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&path).expect("a page");
                let found = text
                    .lines()
                    .filter_map(|line| line.strip_prefix('#'))
                    .any(|title| anchor(title) == heading);
                assert!(found, "{}: {target} has no such heading", page.path);
            }
            followed += 1;
        }
    }
    assert!(followed > 20, "{followed} links");
}

/// As GitHub makes it of a heading.
fn anchor(title: &str) -> String {
    let title = title.trim_start_matches('#').trim().to_lowercase();
    title
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[test]
fn every_file_of_a_command_is_there() {
    for page in all() {
        for command in page.commands() {
            let words = command.split_whitespace();
            for word in
                words.filter(|word| word.starts_with("deploy/") || word.starts_with("tests/"))
            {
                assert!(root().join(word).exists(), "{}: {command}", page.path);
            }
        }
    }
}
