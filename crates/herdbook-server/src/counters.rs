//! Counters and histograms for Prometheus.

use std::fmt;
use std::time::Duration;

use herdbook_store::CommitCounts;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper limits of the buckets of latency, in seconds.
const LATENCY_BUCKETS: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 2.0,
    8.0,
];

/// The labels of a request: names with values.
type Labels = Vec<(&'static str, String)>;

/// The counters of a server.
pub(crate) struct Counters {
    requests: Family<Labels, Counter>,
    latency: Family<Labels, Histogram, fn() -> Histogram>,
    in_progress: Gauge,
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counters")
    }
}

impl Default for Counters {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(LATENCY_BUCKETS);
        Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(histogram),
            in_progress: Gauge::default(),
        }
    }
}

impl Counters {
    /// Counts a request that began.
    pub(crate) fn began(&self) {
        self.in_progress.inc();
    }

    /// Counts a request that ended. `route` is the pattern of its path, of which there are few.
    pub(crate) fn ended(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.in_progress.dec();
        let request = vec![
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        self.requests.get_or_create(&request).inc();
        let route = vec![("route", route.to_owned())];
        self.latency.get_or_create(&route).observe(took.as_secs_f64());
    }

    /// All values in the text format of `OpenMetrics`.
    pub(crate) fn text(&self, commits: CommitCounts) -> String {
        let mut registry = Registry::with_prefix("herdbook");
        registry.register("requests", "Requests that were answered", self.requests.clone());
        let about = "Time from the head of a request to the head of its answer";
        registry.register_with_unit("request_duration", about, Unit::Seconds, self.latency.clone());
        let about = "Requests in progress";
        registry.register("requests_in_progress", about, self.in_progress.clone());
        let acts = ConstCounter::new(commits.acts);
        registry.register("store_acts", "Acts that were committed or refused", acts);
        let about = "Commits; each has one or more acts";
        registry.register("store_commits", about, ConstCounter::new(commits.commits));
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}
