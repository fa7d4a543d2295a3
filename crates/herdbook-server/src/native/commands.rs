//! Commands and code that use a version, for people to copy.

use herdbook_domain::{ModelName, Stage, Timeframe, VersionKey};
use herdbook_store::VersionRecord;

/// The model that commands mean without `--model`.
const DEFAULT_MODEL: &str = "trading_model";

/// The flags that name a model; `None` if its timeframe is not known, without which no command can name it.
pub(super) fn family(name: &ModelName, timeframe: Option<Timeframe>) -> Option<String> {
    let parts = name.as_str().split_once('_');
    let composed =
        parts.and_then(|(timeframe, model)| Some((timeframe.parse::<Timeframe>().ok()?, model)));
    // A model that MLflow renamed is named in full.
    let (timeframe, model) = composed.or(timeframe.map(|timeframe| (timeframe, name.as_str())))?;
    Some(match model {
        DEFAULT_MODEL => format!(" --timeframe {timeframe}"),
        model => format!(" --timeframe {timeframe} --model={}", quoted(model)),
    })
}

/// Commands and code that use a version.
pub(super) fn using(version: &VersionRecord) -> Vec<String> {
    let VersionKey { name, version: number } = &version.key;
    let mut commands = Vec::new();
    if let Some(family) = family(name, version.timeframe()) {
        let of_version = format!("{family} --model-version {number}");
        let targets = version.stage().map(Stage::targets).unwrap_or_default();
        commands.extend(
            targets.iter().map(|to| format!("herdbook promote{of_version} --target-stage {to}")),
        );
        commands.extend(
            ["evaluate", "backtest", "predict"]
                .map(|command| format!("herdbook {command}{of_version} --data FILE")),
        );
        commands.push(format!("herdbook history{of_version}"));
    }
    commands.push(format!("mlflow.pyfunc.load_model({:?})", format!("models:/{name}/{number}")));
    commands
}

/// Quotes a text so that a shell reads it as one word.
fn quoted(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// The stages to pass through from one stage to another, the last included. Two steps are always enough.
pub(super) fn path(from: Stage, to: Stage) -> Vec<Stage> {
    let between = if from.change_to(to).is_some() {
        None
    } else {
        from.targets().iter().copied().find(|between| between.change_to(to).is_some())
    };
    between.into_iter().chain([to]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_name_the_model_so_that_a_shell_reads_them() {
        let flags = |name: &str| family(&ModelName::parse(name).unwrap(), None);
        assert_eq!(flags("1H_trading_model").as_deref(), Some(" --timeframe 1H"));
        assert_eq!(flags("D_my model").as_deref(), Some(" --timeframe D --model='my model'"));
        assert_eq!(flags("other"), None);
        let named = family(&ModelName::parse("other").unwrap(), "4H".parse().ok());
        assert_eq!(named.as_deref(), Some(" --timeframe 4H --model=other"));
    }

    #[test]
    fn every_permitted_change_is_undone_in_two_steps() {
        for from in Stage::ALL {
            for to in from.targets() {
                let mut at = *to;
                let steps = path(*to, *from);
                assert!(steps.len() <= 2);
                for next in steps {
                    assert!(at.change_to(next).is_some(), "{at} to {next}");
                    at = next;
                }
                assert_eq!(at, *from);
            }
        }
    }
}
