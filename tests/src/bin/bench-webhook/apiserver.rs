//! An API server in memory, as far as the webhook asks one: lists in pages, watches that follow, server-side apply.
//!
//! What is fake: it answers at once, authenticates nobody, and knows no rules. What the webhook does is real.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::cluster::objects::{Kind, Objects};

/// The running server. It ends with the process.
#[derive(Clone)]
pub(crate) struct ApiServer {
    shared: Arc<Shared>,
    pub(crate) port: u16,
}

#[derive(Default)]
struct Shared {
    objects: Mutex<Objects>,
    changed: Condvar,
}

/// A request as it came.
struct Asked {
    method: String,
    path: String,
    query: String,
    body: Value,
}

impl ApiServer {
    /// Serves these objects.
    pub(crate) fn start(objects: Objects) -> Result<ApiServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            objects: Mutex::new(objects),
            changed: Condvar::new(),
        });
        let server = ApiServer { shared, port };
        let accepting = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = accepting.clone();
                // A connection that breaks is the webhook's to open again.
                thread::spawn(move || serving.serve(&stream));
            }
        });
        Ok(server)
    }

    /// What it holds.
    pub(crate) fn objects(&self) -> MutexGuard<'_, Objects> {
        let objects = self.shared.objects.lock();
        objects.unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores an object as somebody else would.
    pub(crate) fn put(&self, kind: Kind, object: Value) -> Result<()> {
        self.objects().put(kind, object)?;
        self.shared.changed.notify_all();
        Ok(())
    }

    fn serve(&self, stream: &TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(asked) = read(&mut reader)? {
            let kind = Kind::of_path(&asked.path)
                .with_context(|| format!("nothing is at {}", asked.path))?;
            if asked.query.contains("watch=true") {
                return self.watch(stream, kind, &asked);
            }
            let body = match asked.method.as_str() {
                "GET" => self.objects().list(kind, &asked.query)?,
                "PATCH" => {
                    let status = asked.path.ends_with("/status");
                    let stored = self.objects().apply(kind, asked.body, status)?;
                    self.shared.changed.notify_all();
                    stored
                }
                "POST" => asked.body,
                other => bail!("{other} is not spoken here"),
            };
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let mut stream = stream;
            stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
        }
        Ok(())
    }

    fn watch(&self, mut stream: &TcpStream, kind: Kind, asked: &Asked) -> Result<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let mut position = asked
            .query
            .split('&')
            .find_map(|pair| pair.strip_prefix("resourceVersion=")?.parse().ok())
            .unwrap_or_default();
        loop {
            let mut objects = self.objects();
            let mut events = objects.events_after(kind, position);
            while events.is_empty() {
                let changed = self.shared.changed.wait(objects);
                objects = changed.unwrap_or_else(PoisonError::into_inner);
                events = objects.events_after(kind, position);
            }
            position = objects.version();
            drop(objects);
            let text = events.concat();
            write!(stream, "{:x}\r\n{text}\r\n", text.len())?;
        }
    }
}

/// The next request of a connection; `None` where it ended.
fn read(reader: &mut BufReader<&TcpStream>) -> Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        bail!("no request line: {line}");
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = match length {
        0 => json!(null),
        _ => serde_json::from_slice(&body).context("the body must be JSON")?,
    };
    Ok(Some(Asked {
        method,
        path,
        query,
        body,
    }))
}
