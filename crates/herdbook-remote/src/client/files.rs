//! Files over HTTP: downloads that continue after a broken connection, and uploads.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::time::Instant;

use herdbook_store::{Content, StoreError};

use super::http::{Call, Client, FIRST_WAIT, Method, PARTIAL_CONTENT, Payload, Trying, whole};

impl Client {
    /// Opens a file, or a range of its bytes, as a stream. A connection that breaks while it is read is opened again from
    /// there on, as long as other calls are retried.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn open(&self, url: &str, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        let (start, end) = match range {
            Some(range) if range.is_empty() => return Ok(Box::new(std::io::empty())),
            Some(range) => (range.start, Some(range.end)),
            None => (0, None),
        };
        let content = self.open_from(url, start, end)?;
        let (client, url) = (self.clone(), url.to_owned());
        Ok(Box::new(Download { client, url, position: start, end, content, broken_since: None }))
    }

    /// Opens a file from a position on, up to `end` if there is one.
    fn open_from(&self, url: &str, start: u64, end: Option<u64>) -> Result<Content, StoreError> {
        let mut call = Call::get(self.absolute(url));
        if start > 0 || end.is_some() {
            let last = end.map_or(String::new(), |end| (end - 1).to_string());
            call.range = Some(format!("bytes={start}-{last}"));
        }
        let answer = self.until_answered(&call, Trying::Patiently, Ok)?;
        let is_part = answer.status().as_u16() == PARTIAL_CONTENT;
        let mut content = answer.into_body().into_with_config().limit(u64::MAX).reader();
        if !is_part && start > 0 {
            // A server may ignore the range; stock MLflow does.
            let skipped = std::io::copy(&mut (&mut content).take(start), &mut std::io::sink());
            skipped.map_err(|error| self.unreachable(error.to_string()))?;
        }
        Ok(match end {
            Some(end) => Box::new(content.take(end - start)),
            None => Box::new(content),
        })
    }

    /// Stores a small file. The call may be repeated.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn upload(&self, url: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(url, Payload::Bytes(bytes))
    }

    /// Stores the content of a local file, from its beginning.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn upload_file(&self, url: &str, file: &File) -> Result<(), StoreError> {
        self.put(url, Payload::File(file))
    }

    fn put(&self, url: &str, body: Payload<'_>) -> Result<(), StoreError> {
        let call = Call {
            method: Method::Put,
            url: self.absolute(url),
            range: None,
            content_type: "application/octet-stream",
            body,
        };
        self.until_answered(&call, Trying::Patiently, whole).map(drop)
    }
}

/// The content of a file on the server.
struct Download {
    client: Client,
    url: String,
    /// The next byte to read.
    position: u64,
    end: Option<u64>,
    content: Content,
    /// When the connection broke after which no byte was read yet.
    broken_since: Option<Instant>,
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let error = match self.content.read(buffer) {
                Ok(n_read) => {
                    self.position += n_read as u64;
                    self.broken_since = None;
                    return Ok(n_read);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(error) => error,
            };
            let broken_since = *self.broken_since.get_or_insert_with(Instant::now);
            if broken_since.elapsed() > self.client.patience {
                return Err(error);
            }
            std::thread::sleep(FIRST_WAIT);
            self.content = match self.client.open_from(&self.url, self.position, self.end) {
                Ok(content) => content,
                // The connection broke at the end of the file.
                Err(StoreError::ServerRefused { status: 416, .. }) => Box::new(std::io::empty()),
                Err(StoreError::Unreachable { .. }) => return Err(error),
                Err(error) => return Err(std::io::Error::other(error)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use herdbook_store::Notices;

    use super::super::credentials::Access;
    use super::*;

    /// Serves `content` to one client after another, each answer cut after so many bytes of its body. Ranges are ignored,
    /// as by stock MLflow.
    fn server(content: &'static [u8], cuts: &'static [usize]) -> Client {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for (stream, cut) in listener.incoming().zip(cuts) {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len());
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(&content[..*cut]).unwrap();
            }
        });
        Client::new(Access {
            base: format!("http://{address}"),
            authorization: None,
            tls: ureq::tls::TlsConfig::default(),
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(30),
            first_answer: Duration::from_secs(30),
            notices: Notices::default(),
        })
    }

    fn read(client: &Client, range: Option<Range<u64>>) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        client.open("/file", range).unwrap().read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn broken_download_goes_on_where_it_broke() {
        const CONTENT: &[u8] = b"0123456789abcdef";
        let client = server(CONTENT, &[3, 9, 16, 16]);
        assert_eq!(read(&client, None).unwrap(), CONTENT);
        let client = server(CONTENT, &[7, 16, 16]);
        assert_eq!(read(&client, Some(5..12)).unwrap(), &CONTENT[5..12]);
    }
}
