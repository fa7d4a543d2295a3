//! A proxy between a client and the server. It cuts the client off at one of its calls: from then on no call reaches the
//! server, as after `kill -9`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// When the client is cut off; calls are counted from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Death {
    Never,
    /// The call does not reach the server.
    Before(usize),
    /// The server carries the call out, and its answer is lost.
    After(usize),
}

/// The answer to a client that was cut off, so that it ends at once. MLflow never sends it.
const GONE: &[u8] = b"HTTP/1.1 410 Gone\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// The answer of a server that does not have an endpoint.
const NOT_FOUND: &[u8] =
    b"HTTP/1.1 404 Not Found\r\ncontent-length: 22\r\nconnection: close\r\n\r\n{\"detail\":\"Not Found\"}";

pub(crate) struct Proxy {
    address: SocketAddr,
    /// The first line of each request.
    calls: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Listens for the clients of a server, such as `http://127.0.0.1:5000`.
    pub(crate) fn before(server: &str, death: Death) -> Self {
        Self::start(server, death, None)
    }

    /// A proxy that answers calls of an endpoint as if the server did not have it.
    pub(crate) fn without(server: &str, endpoint: &'static str) -> Self {
        Self::start(server, Death::Never, Some(endpoint))
    }

    fn start(server: &str, death: Death, hidden: Option<&'static str>) -> Self {
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), calls: Arc::default() };
        let calls = Arc::clone(&proxy.calls);
        // This thread ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (server, calls) = (server.clone(), Arc::clone(&calls));
                // A client may close its connection: the proxy ignores that.
                std::thread::spawn(move || serve(&client?, &server, (death, hidden), &calls));
            }
        });
        proxy
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The number of calls so far.
    pub(crate) fn n_calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// The number of calls up to the first one of an endpoint, which is included.
    pub(crate) fn n_calls_to(&self, endpoint: &str) -> Option<usize> {
        let calls = self.calls.lock().unwrap();
        calls.iter().position(|call| call.contains(endpoint)).map(|idx| idx + 1)
    }
}

fn serve(
    client: &TcpStream,
    server: &str,
    (death, hidden): (Death, Option<&str>),
    calls: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut client = client;
    let request = read(client)?;
    let first_line = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap());
    let nth = {
        let mut calls = calls.lock().unwrap();
        calls.push(first_line.to_string());
        calls.len() - 1
    };
    if hidden.is_some_and(|endpoint| first_line.contains(endpoint)) {
        return client.write_all(NOT_FOUND);
    }
    let (is_carried_out, is_answered) = match death {
        Death::Never => (true, true),
        Death::Before(at) => (nth < at, nth < at),
        Death::After(at) => (nth <= at, nth < at),
    };
    let answer = if is_carried_out { forward(&request, server)? } else { Vec::new() };
    client.write_all(if is_answered { &answer } else { GONE })
}

/// A request with its body, changed so that the connection is closed after it.
fn read(client: &TcpStream) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let (mut request, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if !lower.starts_with("connection:") {
            request.extend(line.as_bytes());
        }
    }
    request.extend(b"connection: close\r\n\r\n");
    let body_from = request.len();
    request.resize(body_from + length, 0);
    reader.read_exact(&mut request[body_from..])?;
    Ok(request)
}

fn forward(request: &[u8], server: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
