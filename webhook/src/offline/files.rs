//! Files as they are named on a command line.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The name that stands for standard input.
pub const STDIN: &str = "-";
/// Larger files are no manifests; the limit keeps a wrong path from filling the memory.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A file's text, or why it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The file as it was named.
    pub file: String,
    /// Its text.
    pub content: Result<String, String>,
}

impl Text {
    /// A text that is already there.
    pub fn new(file: impl Into<String>, content: impl Into<String>) -> Text {
        Text {
            file: file.into(),
            content: Ok(content.into()),
        }
    }
}

/// Reads all files; `-` is standard input.
pub fn read(paths: &[PathBuf]) -> Vec<Text> {
    paths
        .iter()
        .map(|path| Text {
            file: path.display().to_string(),
            content: read_one(path).map_err(|error| error.to_string()),
        })
        .collect()
}

fn read_one(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let size = if path.as_os_str() == STDIN {
        std::io::stdin()
            .lock()
            .take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)?
    } else {
        std::fs::File::open(path)?
            .take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)?
    };
    if size as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!(
            "it has more than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_cannot_be_read_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let good = dir.path().join("good.yaml");
        std::fs::write(&good, "a: 1\n").unwrap();
        let texts = read(&[good, dir.path().join("absent.yaml"), dir.path().to_owned()]);
        assert_eq!(texts[0].content.as_deref(), Ok("a: 1\n"));
        assert!(
            texts[1]
                .content
                .as_ref()
                .unwrap_err()
                .contains("No such file")
        );
        assert!(texts[2].content.is_err());
    }
}
