//! Conditions on promotion from `herdbook.toml`. Errors name the line.

use herdbook_domain::{
    Condition, Conditions, Direction, MetricName, ModelName, Requirement, Stage, Timeframe,
};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::TrainingError;
use crate::request::toml_file::{Reader, number, unknown_key};

/// Keys of the whole file.
const SECTIONS: [&str; 2] = ["promotion", "store"];
const KEYS: [&str; 2] = ["enforce", "condition"];
/// Keys that say what a condition requires. Each condition has exactly one of them.
const DEMANDS: [&str; 4] = ["metric", "beats_champion_on", "evidence", "hours_in_beta"];
const CONDITION_KEYS: [&str; 9] = [
    "to",
    "metric",
    "at_least",
    "at_most",
    "beats_champion_on",
    "evidence",
    "hours_in_beta",
    "timeframes",
    "models",
];

type Value<'a> = Spanned<DeValue<'a>>;

/// Parses the conditions on promotion from the contents of a file of settings. Errors call the file `name`.
///
/// # Errors
/// [`TrainingError::ConfigFile`] with the line of the problem.
pub(crate) fn conditions_from_toml(text: &str, name: &str) -> Result<Conditions, TrainingError> {
    let reader = Reader { text, name };
    let file = reader.table()?;
    let mut conditions = Conditions::default();
    check_keys(&reader, file.get_ref(), "key", &SECTIONS)?;
    let Some(promotion) = file.get_ref().get("promotion") else {
        return Ok(conditions);
    };
    let section = table(promotion, "promotion").map_err(|p| reader.error(promotion.span(), &p))?;
    check_keys(&reader, section, "key in `[promotion]`", &KEYS)?;
    if let Some(enforce) = section.get("enforce") {
        conditions.enforce = enforce.get_ref().as_bool().ok_or_else(|| {
            reader.error(enforce.span(), "`enforce` must be `true` (refuse) or `false` (warn)")
        })?;
    }
    if let Some(list) = section.get("condition") {
        let wanted = "write each condition as its own `[[promotion.condition]]`";
        let list = list.get_ref().as_array().ok_or_else(|| reader.error(list.span(), wanted))?;
        for one in list {
            conditions.all.push(condition(&reader, one)?);
        }
    }
    Ok(conditions)
}

fn condition(reader: &Reader<'_>, value: &Value<'_>) -> Result<Condition, TrainingError> {
    let keys = table(value, "condition").map_err(|p| reader.error(value.span(), &p))?;
    check_keys(reader, keys, "condition key", &CONDITION_KEYS)?;
    // The line of the wrong key, or that of the condition if a key is missing.
    let at = |key: &str| keys.get(key).map_or_else(|| value.span(), Spanned::span);
    let or_at = |key: &'static str| move |problem: String| reader.error(at(key), &problem);
    let to = stage(keys).map_err(or_at("to"))?;
    let asked: Vec<&str> = DEMANDS.into_iter().filter(|key| keys.contains_key(*key)).collect();
    let [asked] = asked[..] else {
        let problem = format!("a condition must have exactly one of {}", DEMANDS.join(", "));
        return Err(reader.error(value.span(), &problem));
    };
    for key in ["at_least", "at_most"] {
        if asked != "metric" && keys.contains_key(key) {
            return Err(
                reader.error(at(key), &format!("`{key}` is allowed only together with `metric`"))
            );
        }
    }
    let requirement =
        requirement(asked, keys, to).map_err(|problem| reader.error(at(asked), &problem))?;
    Ok(Condition {
        to,
        timeframes: words(keys, "timeframes", |text| text.parse::<Timeframe>().map_err(text_of))
            .map_err(or_at("timeframes"))?,
        models: words(keys, "models", |text| ModelName::parse(text).map_err(text_of))
            .map_err(or_at("models"))?,
        requirement,
    })
}

fn stage(keys: &DeTable<'_>) -> Result<Stage, String> {
    match text(keys, "to")?.parse::<Stage>().map_err(text_of)? {
        stage @ (Stage::Beta | Stage::Champion) => Ok(stage),
        other => Err(format!(
            "promotion to `{other}` cannot have conditions: `to` must be beta or champion"
        )),
    }
}

fn requirement(asked: &str, keys: &DeTable<'_>, to: Stage) -> Result<Requirement, String> {
    let limit = |key: &str| -> Result<f64, String> {
        let value = keys.get(key).ok_or_else(|| format!("`{key}` is missing"))?;
        let limit = number(value, key)?;
        if limit.is_finite() { Ok(limit) } else { Err(format!("`{key}` must be a finite number")) }
    };
    let name = |key| MetricName::parse(text(keys, key)?).map_err(text_of);
    match asked {
        "metric" => match (keys.contains_key("at_least"), keys.contains_key("at_most")) {
            (true, false) => Ok(Requirement::AtLeast(name(asked)?, limit("at_least")?)),
            (false, true) => Ok(Requirement::AtMost(name(asked)?, limit("at_most")?)),
            _ => Err("`metric` needs either `at_least` or `at_most`".to_owned()),
        },
        "beats_champion_on" => {
            let metric = name(asked)?;
            if to != Stage::Champion {
                return Err(
                    "`beats_champion_on` is allowed only with `to = \"champion\"`".to_owned()
                );
            }
            if Direction::of(metric.as_str()) == Direction::Neither {
                return Err(format!(
                    "`{metric}` cannot be compared: neither higher nor lower is better"
                ));
            }
            Ok(Requirement::BeatsChampion(metric))
        }
        "evidence" => match limit("evidence")? {
            probability if probability > 0.0 && probability < 1.0 => {
                Ok(Requirement::Evidence(probability))
            }
            _ => Err("`evidence` must be a probability above 0 and below 1".to_owned()),
        },
        _ if to != Stage::Champion => {
            Err("`hours_in_beta` is allowed only with `to = \"champion\"`".to_owned())
        }
        _ => match limit("hours_in_beta")? {
            hours if hours >= 0.0 => Ok(Requirement::HoursInBeta(hours)),
            _ => Err("`hours_in_beta` must be 0 or above".to_owned()),
        },
    }
}

fn check_keys(
    reader: &Reader<'_>,
    table: &DeTable<'_>,
    what: &str,
    known: &[&str],
) -> Result<(), TrainingError> {
    let unknown = table.keys().find(|key| !known.contains(&key.get_ref().as_ref()));
    unknown.map_or(Ok(()), |key| {
        Err(reader.error(key.span(), &unknown_key(what, key.get_ref(), known)))
    })
}

fn table<'a, 'b>(value: &'a Value<'b>, what: &str) -> Result<&'a DeTable<'b>, String> {
    value.get_ref().as_table().ok_or_else(|| format!("`{what}` must be a table"))
}

fn text<'a>(keys: &'a DeTable<'_>, key: &str) -> Result<&'a str, String> {
    let value = keys.get(key).ok_or_else(|| format!("a condition must have `{key}`"))?;
    value.get_ref().as_str().ok_or_else(|| format!("`{key}` must be a string in quotes"))
}

/// Parses a list of strings; empty if the key is absent.
fn words<T>(
    keys: &DeTable<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let Some(value) = keys.get(key) else { return Ok(Vec::new()) };
    let wanted = || format!("`{key}` must be a list of at least one string");
    let list = value.get_ref().as_array().filter(|list| !list.is_empty()).ok_or_else(wanted)?;
    list.iter().map(|word| parse(word.get_ref().as_str().ok_or_else(wanted)?)).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn text_of(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Conditions, String> {
        conditions_from_toml(text, "herdbook.toml").map_err(|error| error.to_string())
    }

    fn problem_of(condition: &str) -> String {
        let text = format!("[promotion]\n\n[[promotion.condition]]\n{condition}");
        read(&text).unwrap_err()
    }

    #[test]
    fn example_of_the_documentation_is_read() {
        let docs = include_str!("../../../../docs/commands.md");
        let begin = docs.find("```toml\n[promotion]\n").unwrap() + "```toml\n".len();
        let example = &docs[begin..begin + docs[begin..].find("```").unwrap()];
        let read = read(example).unwrap();
        assert!(read.enforce);
        let shown = CONDITION_KEYS.iter().filter(|key| example.contains(&format!("\n{key} =")));
        assert_eq!(shown.count(), CONDITION_KEYS.len(), "the example shows every key");
        let metric = |name| MetricName::parse(name).unwrap();
        assert_eq!(
            read.all.iter().map(|condition| condition.requirement.clone()).collect::<Vec<_>>(),
            [
                Requirement::AtLeast(metric("portfolio/sharpe_ratio"), 0.5),
                Requirement::AtMost(metric("portfolio/max_drawdown"), 0.25),
                Requirement::BeatsChampion(metric("portfolio/total_return")),
                Requirement::Evidence(0.95),
                Requirement::HoursInBeta(72.0),
            ]
        );
        assert_eq!(read.all[1].timeframes, [Timeframe::Hour1, Timeframe::Hour4]);
        assert_eq!(read.all[2].models, [ModelName::parse("1H_trading_model").unwrap()]);
    }

    #[test]
    fn file_without_conditions_has_none_and_warns() {
        assert_eq!(read("# nothing\n"), Ok(Conditions::default()));
        assert_eq!(read("[promotion]\nenforce = false\n"), Ok(Conditions::default()));
    }

    #[test]
    fn unknown_keys_are_named_with_their_line_and_the_nearest_there_is() {
        assert_eq!(
            problem_of("to = \"beta\"\nmetrik = \"portfolio/win_rate\"\n"),
            "`herdbook.toml`, line 5: unknown condition key `metrik`: did you mean `metric`?"
        );
        assert_eq!(
            read("[promotions]\n").unwrap_err(),
            "`herdbook.toml`, line 1: unknown key `promotions`: did you mean `promotion`?"
        );
        assert_eq!(
            read("[promotion]\nenforced = true\n").unwrap_err(),
            "`herdbook.toml`, line 2: unknown key in `[promotion]` `enforced`: did you mean `enforce`?"
        );
    }

    #[test]
    fn values_that_make_no_sense_are_named_with_their_line() {
        for (condition, line, part) in [
            (
                "to = \"archived\"\nevidence = 0.9",
                4,
                "promotion to `archived` cannot have conditions",
            ),
            ("to = \"betta\"\nevidence = 0.9", 4, "unknown stage `betta`"),
            ("evidence = 0.9", 3, "must have `to`"),
            ("to = \"beta\"", 3, "exactly one of metric"),
            ("to = \"beta\"\nevidence = 0.9\nhours_in_beta = 1", 3, "exactly one of metric"),
            ("to = \"beta\"\nevidence = 95", 5, "a probability above 0 and below 1"),
            ("to = \"beta\"\nhours_in_beta = 5", 5, "only with `to = \"champion\"`"),
            ("to = \"champion\"\nhours_in_beta = -5", 5, "0 or above"),
            ("to = \"beta\"\nmetric = \"a\"", 5, "either `at_least` or `at_most`"),
            ("to = \"beta\"\nmetric = \"a\"\nat_least = nan", 5, "finite number"),
            ("to = \"beta\"\nmetric = 5\nat_least = 1", 5, "string in quotes"),
            ("to = \"beta\"\nevidence = 0.9\nat_least = 1", 6, "only together with `metric`"),
            (
                "to = \"champion\"\nbeats_champion_on = \"portfolio/skew\"",
                5,
                "neither higher nor lower",
            ),
            ("to = \"beta\"\nevidence = 0.9\ntimeframes = [\"2H\"]", 6, "unknown timeframe `2H`"),
            ("to = \"beta\"\nevidence = 0.9\nmodels = []", 6, "list of at least one string"),
        ] {
            let problem = problem_of(condition);
            assert!(problem.starts_with(&format!("`herdbook.toml`, line {line}: ")), "{problem}");
            assert!(problem.contains(part), "{problem}");
        }
        assert!(read("[promotion]\nenforce = 1\n").unwrap_err().contains("line 2"));
        assert!(read("promotion = 1\n").unwrap_err().contains("must be a table"));
        assert!(
            read("[promotion]\ncondition = 1\n").unwrap_err().contains("[[promotion.condition]]")
        );
    }
}
