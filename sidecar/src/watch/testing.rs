//! A mounted folder for tests: written and swapped as the kubelet's atomic writer does.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder with `..data` and one link per file.
pub(crate) struct Mount {
    path: PathBuf,
    version: AtomicUsize,
}

impl Mount {
    /// An empty mounted folder.
    pub(crate) fn new(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        Self {
            path,
            version: AtomicUsize::new(0),
        }
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces every file at once: new folder, `..data_tmp` renamed over `..data`, links, old folder removed.
    pub(crate) fn write(&self, files: &[(&str, &str)]) {
        let version = self.version.fetch_add(1, Ordering::Relaxed);
        let folder = format!("..2026_01_01_00_00_00.{version}");
        let old = fs::read_link(self.path.join("..data")).ok();
        fs::create_dir(self.path.join(&folder)).unwrap();
        for (name, content) in files {
            fs::write(self.path.join(&folder).join(name), content).unwrap();
        }
        symlink(&folder, self.path.join("..data_tmp")).unwrap();
        fs::rename(self.path.join("..data_tmp"), self.path.join("..data")).unwrap();
        self.link(files);
        if let Some(old) = old {
            fs::remove_dir_all(self.path.join(old)).unwrap();
        }
    }

    fn link(&self, files: &[(&str, &str)]) {
        for entry in fs::read_dir(&self.path).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if !name.starts_with("..") && !files.iter().any(|(file, _)| *file == name) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        for (name, _) in files {
            let link = self.path.join(name);
            if fs::symlink_metadata(&link).is_err() {
                symlink(Path::new("..data").join(name), link).unwrap();
            }
        }
    }
}

/// A token in the form of a JSON Web Token with these claims and no signature.
pub(crate) fn jwt(claims: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    format!("{header}.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims))
}

/// A resource with these `mqttSettings`.
pub(crate) fn resource(mqtt_settings: serde_json::Value) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": {"name": "default", "namespace": "apps", "generation": 1},
        "spec": {"endpointType": "Mqtt", "mqttSettings": mqtt_settings},
    })
}

/// A self-signed certificate for a name and its key, both PEM.
pub(crate) fn certificate(name: &str) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}
