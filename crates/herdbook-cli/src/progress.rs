//! The progress bar of a training: steps a second, reward, time left.

use herdbook_training::{Observer, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{bar:20} {percent:>3} % · {msg} · {eta} left";

/// Shows a training on stderr, where that is a terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
    is_quiet: bool,
}

impl Bar {
    pub(crate) fn new(is_quiet: bool) -> Self {
        let target =
            if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        Self { bar, is_quiet }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Bar {
    fn notice(&mut self, text: &str) {
        if !self.is_quiet {
            // Above the bar; a closed stderr loses the notice and nothing else.
            self.bar.suspend(|| {
                let _ = std::io::Write::write_fmt(
                    &mut std::io::stderr(),
                    format_args!("note: {text}\n"),
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
