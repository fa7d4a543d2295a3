//! A new, empty `mlflow server` for the tests, stopped on drop.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::python::Python;

/// How long to wait for the server: MLflow loads slowly on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(600);

/// A server that runs until it is dropped.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Server {
    /// Starts a server on an `SQLite` file, with its artifact proxy, and waits until it answers.
    pub(crate) fn start(python: &Python) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("herdbook-mlflow").tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let log = File::create(folder.path().join("log"))?;
        let child = Command::new(python.programs().join("mlflow"))
            .args(["server", "--host", "127.0.0.1", "--workers", "2"])
            .args(["--port", &port.to_string()])
            // On a busy machine a worker can answer its parent late, which would then kill it.
            .args(["--uvicorn-opts", "--timeout-worker-healthcheck 120"])
            .current_dir(&folder)
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            // Without this, MLflow starts six more processes for jobs that are not used here.
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A process group of its own, so that the workers can be killed too.
            .process_group(0)
            .spawn()
            .context("cannot start `mlflow server`")?;
        let mut server = Self { child, folder, port };
        let begun = Instant::now();
        while !server.answers() {
            if server.child.try_wait()?.is_some() || begun.elapsed() > START_TIMEOUT {
                let log = std::fs::read_to_string(server.folder.path().join("log"));
                bail!("`mlflow server` did not start: {}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(server)
    }

    /// The server's address.
    pub(crate) fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The server's database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("mlflow.db")
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.contains(" 200 "))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}
