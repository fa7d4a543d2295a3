//! The progress bar of a training on a terminal, and the signals that cancel it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use herdbook_training::{Observer, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;
use crate::terminal;

const TEMPLATE: &str = "{bar:20} {percent:>3}% · {msg} · {eta} left";

/// Progress bar on stderr, hidden if stderr is not a terminal.
pub(crate) struct TrainingBar {
    bar: ProgressBar,
    is_quiet: bool,
}

impl TrainingBar {
    pub(crate) fn new(is_quiet: bool) -> Self {
        let target =
            if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        Self { bar, is_quiet }
    }
}

impl Drop for TrainingBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for TrainingBar {
    fn notice(&mut self, text: &str) {
        if !self.is_quiet {
            // Printed above the bar. If stderr is closed, the notice is lost and the training continues.
            self.bar.suspend(|| {
                let _ = std::io::Write::write_fmt(
                    &mut std::io::stderr(),
                    format_args!("note: {}\n", terminal::message(text)),
                );
            });
        }
    }

    fn stage(&mut self, text: &str) {
        self.notice(text);
    }

    fn progress(&mut self, progress: &Progress) {
        let reward = |name, value: Option<f64>| {
            value.map(|value| format!(" · {name} {value:+.2}")).unwrap_or_default()
        };
        self.bar.set_length(progress.target);
        self.bar.set_position(progress.trained.min(progress.target));
        self.bar.set_message(format!(
            "{} steps/s{}{}",
            crate::format::count(progress.steps_per_second as u64),
            reward("reward", progress.mean_episode_reward),
            reward("validation", progress.validation_reward),
        ));
    }
}

/// Makes Ctrl-C, SIGTERM and SIGHUP cancel the training at its next iteration. A second signal ends the process.
pub(crate) fn cancel_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // Order matters: the first signal must find the flag unset here, and set it only in the next handler.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&cancelled))
            .and_then(|_| flag::register(signal, Arc::clone(&cancelled)))
            .context("cannot catch signals")?;
    }
    Ok(cancelled)
}
