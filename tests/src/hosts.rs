//! Programs for which a name of the internet is this machine: they run in a mount namespace of their own, in which
//! `/etc/hosts` is another file. Nothing of the machine is changed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The program with these lines as `/etc/hosts`, which are written to a file in `directory`.
///
/// # Panics
/// The machine does not let us have a mount namespace.
pub fn command(program: &Path, directory: &Path, hosts: &str) -> Command {
    let file = directory.join("hosts");
    fs::write(&file, hosts).expect("writable");
    let mut command = Command::new("unshare");
    command
        .arg(namespace())
        // `exec`, so that the process is the program and no shell.
        .args(["sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""])
        .arg(file)
        .arg(program);
    command
}

/// The option of `unshare` that works here: as root a mount namespace, for others within a user namespace.
fn namespace() -> &'static str {
    let works = |option: &&str| {
        let status = Command::new("unshare")
            .args([option, "true"])
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    ["-m", "-rm"].into_iter().find(works).expect(
        "this test gives the sidecar its own /etc/hosts, which needs `unshare` of util-linux and the right to a mount \
         namespace: run it as root, or allow user namespaces \
         (sudo sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0); a \
         container needs the capability SYS_ADMIN",
    )
}
