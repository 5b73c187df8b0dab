//! Ports for programs that are started, killed and started again.

use std::fs::File;
use std::net::TcpListener;
use std::sync::Mutex;

/// Below the ports that Linux gives to outgoing connections (from 32768): while a program is down between a kill and
/// its restart, no connection of another test can be given its port, and none can connect to itself on it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of 127.0.0.1 that is free, and that no other test is given while this process lives.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    // A locked file for each port keeps other test programs away; the lock ends with the process.
    static LOCKS: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let mut locks = LOCKS.lock().expect("no panic while it is held");
    // Every process begins elsewhere, so that the first try is usually right.
    let start = std::process::id() % u32::from(COUNT) + locks.len() as u32;
    for index in 0..u32::from(COUNT) {
        let port = FIRST + ((start + index) % u32::from(COUNT)) as u16;
        let path = std::env::temp_dir().join(format!("dataflow-sidecar-test-port-{port}"));
        let Ok(lock) = File::options().create(true).append(true).open(path) else {
            continue;
        };
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            locks.push(lock);
            return port;
        }
    }
    panic!("none of the {COUNT} ports from {FIRST} is free");
}
