//! A new, empty PostgreSQL server for the tests, removed on drop.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::program;
use crate::python::Python;
use crate::workspace::Workspace;

/// Where distributions install the server's programs, in one folder per version.
const INSTALLED: [&str; 2] = ["/usr/lib/postgresql", "/usr/local/lib/postgresql"];
/// The folder with the server's certificate, its key, and the `root.crt` that signed it.
const TLS: &str = "crates/herdbook-store/tests/postgres/tls";
/// Durability is off: the database is removed after the tests.
const SETTINGS: &str = "fsync = off\nlisten_addresses = 'localhost'\nunix_socket_directories = ''\n\
                        max_connections = 200\nssl = on\n";

/// A server that runs until it is dropped.
pub(crate) struct Postgres {
    /// The folder of `initdb` and `postgres`.
    pub(crate) programs: PathBuf,
    folder: TempDir,
    user: Option<User>,
    /// The URI of the server, without a database.
    pub(crate) uri: String,
}

impl Postgres {
    /// Starts a server on a free port. Uses the installed PostgreSQL; else installs Debian's package, when run as root;
    /// else a package from `PyPI`.
    pub(crate) fn start(workspace: &Workspace) -> anyhow::Result<Self> {
        let programs = programs(workspace)?;
        let user = User::of_server()?;
        let folder = tempfile::Builder::new().prefix("herdbook-postgres").tempdir()?;
        if let Some(user) = &user {
            chown(folder.path(), Some(user.uid), Some(user.gid))?;
        }
        let port = TcpListener::bind(("localhost", 0))?.local_addr()?.port();
        let uri = format!("postgresql://herd@localhost:{port}");
        let server = Self { programs, folder, user, uri };
        let data = server.data();
        let initdb =
            ["--auth=trust", "--username=herd", "--encoding=UTF8", "--locale=C", "--no-sync"];
        program::output(server.command("initdb").args(initdb).arg("-D").arg(&data))?;
        server.copy_key(&workspace.root.join(TLS))?;
        let mut settings = fs::read_to_string(data.join("postgresql.conf"))?;
        settings.push_str(&format!("{SETTINGS}port = {port}\n"));
        fs::write(data.join("postgresql.conf"), settings)?;
        let log = server.folder.path().join("log");
        program::output(server.control("start").arg("-l").arg(&log)).with_context(|| {
            format!("the server did not start: {}", fs::read_to_string(&log).unwrap_or_default())
        })?;
        Ok(server)
    }

    /// Creates a database and returns its URI.
    pub(crate) fn database(&self, name: &str) -> anyhow::Result<String> {
        program::output(
            self.command("createdb")
                .arg("--maintenance-db")
                .arg(format!("{}/postgres", self.uri))
                .arg(name),
        )?;
        Ok(format!("{}/{name}", self.uri))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn control(&self, action: &str) -> Command {
        let mut command = self.command("pg_ctl");
        command.args([action, "--silent", "--wait", "-D"]).arg(self.data());
        command
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path());
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Copies certificate and key. The server refuses a key that other users can read.
    fn copy_key(&self, tls: &Path) -> anyhow::Result<()> {
        for name in ["server.crt", "server.key"] {
            let path = self.data().join(name);
            fs::copy(tls.join(name), &path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            if let Some(user) = &self.user {
                chown(&path, Some(user.uid), Some(user.gid))?;
            }
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The data is removed next, so an immediate stop, or one that fails, loses nothing.
        let _ = program::output(self.control("stop").args(["-m", "immediate"]));
    }
}

/// The user to run the server as when xtask runs as root: PostgreSQL refuses to run as root.
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    fn of_server() -> anyhow::Result<Option<Self>> {
        if !is_root()? {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd")?;
        let found = ["postgres", "nobody"].iter().find_map(|name| Self::named(&accounts, name));
        found.map(Some).context("found neither a user `postgres` nor `nobody` to run the server as")
    }

    fn named(accounts: &str, name: &str) -> Option<Self> {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some(Self { uid: ids.next()?.ok()?, gid: ids.next()?.ok()? })
    }
}

fn is_root() -> anyhow::Result<bool> {
    Ok(program::output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn programs(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    if is_root()? && Path::new("/usr/bin/apt-get").is_file() {
        let apt = |arguments: &[&str]| {
            let mut command = Command::new("apt-get");
            program::to_end(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
        };
        // If Debian's packages cannot be installed, those of PyPI are tried.
        let done = apt(&["-qq", "update"]).and_then(|()| {
            apt(&["-qq", "install", "--yes", "--no-install-recommends", "postgresql"])
        });
        if let (Ok(()), Some(found)) = (done, installed()) {
            return Ok(found);
        }
    }
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let layer = python.layer(workspace, "conformance/postgres/requirements-server.txt")?;
    let packaged = layer.join("pgserver/pginstall/bin");
    if packaged.join("initdb").is_file() {
        return Ok(packaged);
    }
    bail!(
        "no PostgreSQL server was found: install one, on Debian and Ubuntu with `apt-get install postgresql`"
    )
}

/// The programs of the newest installed version.
fn installed() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = INSTALLED
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(Iterator::flatten)
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            let programs = version.path().join("bin");
            programs.join("initdb").is_file().then_some((number, programs))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, programs)| programs).or_else(on_path)
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\nnobody2:x:1:2::/:\nnobody:x:65534:65533::/:\n";
        let user = User::named(accounts, "nobody").unwrap();
        assert_eq!((user.uid, user.gid), (65534, 65533));
        assert!(User::named(accounts, "postgres").is_none());
    }
}
