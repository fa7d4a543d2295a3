//! A server that answers the calls of an import from a table.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Status and body of the answer to a call.
pub(crate) type Answer = (u16, String);
/// Answers a call by its path, with the query, and its body.
type Answering = dyn Fn(&str, &Value) -> Answer + Send + Sync;

/// A server on a port of this machine. Its thread ends with the test's process.
pub(crate) struct FakeServer {
    pub(crate) address: String,
    calls: Arc<Mutex<Vec<String>>>,
}

impl FakeServer {
    pub(crate) fn start(answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (answer, log): (Arc<Answering>, _) = (Arc::new(answer), Arc::clone(&calls));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                std::thread::spawn(move || serve(&stream, &*answer, &log));
            }
        });
        Self { address, calls }
    }

    /// How many calls there were whose path contains a text.
    pub(crate) fn n_calls(&self, path: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.contains(path)).count()
    }
}

/// Answers the calls on one connection.
fn serve(stream: &TcpStream, answer: &Answering, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let path = line.split(' ').nth(1)?.to_owned();
        let mut n_bytes = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(length) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                n_bytes = length.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; n_bytes];
        reader.read_exact(&mut body).ok()?;
        log.lock().unwrap().push(path.clone());
        let (status, text) = answer(&path, &serde_json::from_slice(&body).unwrap_or_default());
        let mut writer = stream;
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        writer.write_all(head.as_bytes()).ok()?;
        writer.write_all(text.as_bytes()).ok()?;
    }
}
