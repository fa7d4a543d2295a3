//! Flags of `serve`. Those that MLflow's server has too have its names.

use std::path::PathBuf;

use clap::Args as ClapArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Host name or address to listen on
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Port to listen on; 0 for a free one, which is printed
    #[arg(long, short, value_name = "PORT", default_value_t = 5000)]
    pub(crate) port: u16,
    /// Store to serve; the same as `--tracking-uri`
    #[arg(long, value_name = "URI", conflicts_with = "tracking_uri")]
    pub(crate) backend_store_uri: Option<String>,
    /// Folder in which the server keeps the artifacts of new experiments
    #[arg(long, value_name = "FOLDER", default_value = "mlartifacts")]
    pub(crate) artifacts_destination: PathBuf,
    /// Location of the artifacts of new experiments, which clients must reach themselves [default: the server passes
    /// artifacts on]
    #[arg(long, value_name = "LOCATION")]
    pub(crate) default_artifact_root: Option<String>,
    /// Listen on an address that other machines can reach, although anyone there can change the store
    #[arg(long)]
    pub(crate) insecure: bool,
}
