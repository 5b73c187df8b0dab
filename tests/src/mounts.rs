//! A folder of mounts as the kubelet keeps it: each volume's files are behind the symbolic link `..data`, and a change
//! is one rename of that link.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use endpoint::contract::{CONFIG_MAP_KEY, MOUNTS, Mount};
use serde_json::{Value, json};

/// The mounts of one pod.
pub struct Mounts {
    directory: tempfile::TempDir,
}

impl Mounts {
    /// Mounts with one endpoint called `default`.
    pub fn new(mqtt_settings: Value) -> Self {
        let mounts = Self::empty();
        mounts.settings("default", mqtt_settings, 1);
        mounts
    }

    /// A folder without endpoints.
    pub fn empty() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory }
    }

    /// What `--mounts` is given.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The endpoint's resource, as the controller writes it.
    pub fn settings(&self, endpoint: &str, mqtt_settings: Value, generation: i64) {
        let resource = json!({
            "apiVersion": "connectivity.iotoperations.azure.com/v1",
            "kind": "DataflowEndpoint",
            "metadata": {"name": endpoint, "namespace": "test", "uid": "u-1", "generation": generation},
            "spec": {"endpointType": "Mqtt", "mqttSettings": mqtt_settings},
        });
        let text = resource.to_string();
        self.swap(
            endpoint,
            Mount::Config,
            &[(CONFIG_MAP_KEY, text.as_bytes())],
        );
    }

    /// The projected service account token.
    pub fn token(&self, token: &str) {
        self.swap("default", Mount::Token, &[("token", token.as_bytes())]);
    }

    /// A volume of `default`, replaced as the kubelet replaces it.
    pub fn swap(&self, endpoint: &str, mount: Mount, files: &[(&str, &[u8])]) {
        swap(&self.folder(endpoint, mount), files);
    }

    /// Overwrites a file in place, as no kubelet does but a person at a shell.
    pub fn overwrite(&self, mount: Mount, name: &str, content: &[u8]) {
        let file = self.folder("default", mount).join("..data").join(name);
        fs::write(file, content).expect("writable");
    }

    fn folder(&self, endpoint: &str, mount: Mount) -> PathBuf {
        let path = mount.path(endpoint);
        let below = path.strip_prefix(MOUNTS).expect("below the mounts");
        self.directory.path().join(below.trim_start_matches('/'))
    }
}

/// Replaces the files of a volume: a new folder, a link to it, and that link renamed over `..data`.
pub fn swap(volume: &Path, files: &[(&str, &[u8])]) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(volume).expect("writable");
    let name = format!("..2026_11_25.{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let data = volume.join("..data");
    let old = fs::read_link(&data).ok();
    let new = volume.join(&name);
    fs::create_dir(&new).expect("writable");
    for (file, content) in files {
        fs::write(new.join(file), content).expect("writable");
    }
    let temporary = volume.join("..data_tmp");
    symlink(&name, &temporary).expect("writable");
    fs::rename(&temporary, &data).expect("same folder");
    for (file, _) in files {
        let link = volume.join(file);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(file), link).expect("writable");
        }
    }
    if let Some(old) = old {
        fs::remove_dir_all(volume.join(old)).expect("writable");
    }
}
