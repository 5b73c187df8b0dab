//! One mounted folder, read as the kubelet writes it: every file from the same resolved `..data`, never from two.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// The largest file that is read: a Secret or ConfigMap cannot hold more than 1 MiB.
const FILE_SIZE_MAX: u64 = 1 << 20;
/// The most files that are read of one folder: a trust bundle has a few, a folder mounted by mistake may have thousands.
const FILES_MAX: usize = 256;
/// How often a reading starts over when the kubelet swapped the folder meanwhile; two swaps are a minute apart.
const ATTEMPTS_MAX: usize = 4;

/// What a folder held when it was read.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) enum Folder {
    /// There is no such folder: the pod does not mount it.
    #[default]
    NotMounted,
    /// File name to content; names that begin with `..` are the kubelet's and left out.
    Files(BTreeMap<String, Bytes>),
    /// The folder is there and cannot be read, with the reason.
    Unreadable(String),
}

impl Folder {
    /// Reads a folder whole, or says why not.
    pub(crate) fn read(path: &Path) -> Folder {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match read_once(path) {
                Ok(files) => return Folder::Files(files),
                // The folder itself is gone: not mounted. Else a file vanished between listing and opening: a swap.
                Err(Fault { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                    if !path.is_dir() {
                        return Folder::NotMounted;
                    }
                    if attempts >= ATTEMPTS_MAX {
                        let text = format!("{} kept changing while it was read", path.display());
                        return Folder::Unreadable(text);
                    }
                }
                Err(Fault { path, error }) => {
                    return Folder::Unreadable(format!("{}: {error}", path.display()));
                }
            }
        }
    }

    /// The content of one file.
    pub(crate) fn file(&self, name: &str) -> Option<&Bytes> {
        match self {
            Folder::Files(files) => files.get(name),
            Folder::NotMounted | Folder::Unreadable(_) => None,
        }
    }
}

/// What went wrong, and at which path.
struct Fault {
    path: PathBuf,
    error: io::Error,
}

fn read_once(path: &Path) -> Result<BTreeMap<String, Bytes>, Fault> {
    let root = resolve(path)?;
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&root).map_err(|error| fault(&root, error))? {
        let entry = entry.map_err(|error| fault(&root, error))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with("..") || !entry.path().is_file() {
            continue;
        }
        if files.len() == FILES_MAX {
            let text = format!("holds more than {FILES_MAX} files");
            return Err(fault(&root, io::Error::other(text)));
        }
        let content = read_file(&entry.path()).map_err(|error| fault(&entry.path(), error))?;
        files.insert(name, content);
    }
    // The kubelet removes the old files after a swap: what was listed meanwhile may be a part of them.
    match resolve(path)? == root {
        true => Ok(files),
        false => Err(fault(path, io::ErrorKind::NotFound.into())),
    }
}

/// Where the files of this moment are.
fn resolve(path: &Path) -> Result<PathBuf, Fault> {
    match fs::canonicalize(path.join("..data")) {
        Ok(data) => Ok(data),
        // Files put there by hand, or a subPath mount.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(fault(path, error)),
    }
}

fn read_file(path: &Path) -> io::Result<Bytes> {
    let mut content = Vec::new();
    let limit = FILE_SIZE_MAX + 1;
    fs::File::open(path)?
        .take(limit)
        .read_to_end(&mut content)?;
    if content.len() as u64 > FILE_SIZE_MAX {
        let text = format!("is larger than {FILE_SIZE_MAX} bytes");
        return Err(io::Error::other(text));
    }
    Ok(content.into())
}

fn fault(path: &Path, error: io::Error) -> Fault {
    Fault {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::Mount;

    #[test]
    fn missing_folder_is_not_mounted() {
        let mounts = tempfile::tempdir().unwrap();
        assert!(Folder::read(&mounts.path().join("token")) == Folder::NotMounted);
    }

    #[test]
    fn swapped_folder_yields_the_newest_files_only() {
        let mounts = tempfile::tempdir().unwrap();
        let mount = Mount::new(mounts.path().join("ca"));
        mount.write(&[("a.pem", "one"), ("b.pem", "two")]);
        mount.write(&[("a.pem", "three")]);
        let folder = Folder::read(mount.path());
        assert_eq!(folder.file("a.pem").unwrap(), "three");
        assert!(folder.file("b.pem").is_none());
        assert!(folder.file("..data").is_none());
    }

    #[test]
    fn files_put_there_by_hand_are_read() {
        let mounts = tempfile::tempdir().unwrap();
        fs::write(mounts.path().join("token"), "t").unwrap();
        fs::create_dir(mounts.path().join("folder")).unwrap();
        let folder = Folder::read(mounts.path());
        assert_eq!(folder.file("token").unwrap(), "t");
        assert!(folder.file("folder").is_none());
    }

    #[test]
    fn oversized_file_is_unreadable_and_named() {
        let mounts = tempfile::tempdir().unwrap();
        let content = vec![0; FILE_SIZE_MAX as usize + 1];
        fs::write(mounts.path().join("big.pem"), content).unwrap();
        let Folder::Unreadable(text) = Folder::read(mounts.path()) else {
            panic!("a file over the limit must not be read");
        };
        assert!(text.contains("big.pem"), "{text}");
    }

    #[test]
    fn reading_during_swaps_never_mixes_two_versions() {
        let mounts = tempfile::tempdir().unwrap();
        let mount = Mount::new(mounts.path().join("credentials"));
        mount.write(&[("tls.crt", "0"), ("tls.key", "0")]);
        let path = mount.path().to_owned();
        let writer = std::thread::spawn(move || {
            for version in 1..200 {
                let version = version.to_string();
                mount.write(&[("tls.crt", &version), ("tls.key", &version)]);
            }
        });
        while !writer.is_finished() {
            if let Folder::Files(files) = Folder::read(&path) {
                assert_eq!(files["tls.crt"], files["tls.key"]);
            }
        }
        writer.join().unwrap();
    }
}
