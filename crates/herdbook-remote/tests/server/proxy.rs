//! A proxy between a client and the server. It cuts the client off at one of its calls: from then on no call reaches the
//! server, as after `kill -9`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

pub(crate) struct Proxy {
    address: SocketAddr,
    n_calls: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens for the clients of a server, such as `http://127.0.0.1:5000`.
    pub(crate) fn before(server: &str, death: Death) -> Self {
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), n_calls: Arc::default() };
        let n_calls = Arc::clone(&proxy.n_calls);
        // This thread ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (server, n_calls) = (server.clone(), Arc::clone(&n_calls));
                // A client may close its connection: the proxy ignores that.
                std::thread::spawn(move || serve(&client?, &server, death, &n_calls));
            }
        });
        proxy
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The number of calls so far.
    pub(crate) fn n_calls(&self) -> usize {
        self.n_calls.load(Ordering::SeqCst)
    }
}

fn serve(client: &TcpStream, server: &str, death: Death, n_calls: &AtomicUsize) -> io::Result<()> {
    let mut client = client;
    let request = read(client)?;
    let nth = n_calls.fetch_add(1, Ordering::SeqCst);
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
