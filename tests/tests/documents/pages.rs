//! The pages and what is in them.

use std::fs;
use std::path::{Path, PathBuf};

/// A page of the documentation.
pub(crate) struct Page {
    /// From the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// What stands between a pair of fences.
pub(crate) struct Block {
    /// The word behind the opening fence.
    pub(crate) language: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The pages that a user reads.
pub(crate) fn all() -> Vec<Page> {
    let mut paths = vec![
        "README.md".to_owned(),
        "deploy/chart/README.md".to_owned(),
        "CONTRIBUTING.md".to_owned(),
    ];
    let docs = fs::read_dir(root().join("docs")).expect("docs/ is there");
    let mut names: Vec<String> = docs
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".md"))
        .collect();
    names.sort();
    paths.extend(names.into_iter().map(|name| format!("docs/{name}")));
    paths
        .into_iter()
        .map(|path| Page {
            text: fs::read_to_string(root().join(&path)).expect(&path),
            path,
        })
        .collect()
}

impl Page {
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(language) = line.strip_prefix("```") else {
                continue;
            };
            let inside = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(Block {
                language: language.to_owned(),
                text: inside.map(|line| format!("{line}\n")).collect(),
            });
        }
        blocks
    }

    /// The commands of its console blocks, without their comments.
    pub(crate) fn commands(&self) -> Vec<String> {
        let blocks = self.blocks().into_iter();
        blocks
            .filter(|block| block.language == "console")
            .flat_map(|block| {
                let commands = block
                    .text
                    .lines()
                    .filter_map(|line| line.strip_prefix("$ "));
                let commands: Vec<String> = commands
                    .map(|command| command.split("  #").next().unwrap_or_default())
                    .flat_map(|command| command.split(" && "))
                    .map(|command| command.trim().to_owned())
                    .collect();
                commands
            })
            .collect()
    }
}
