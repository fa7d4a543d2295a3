//! Runs: their endpoints.

mod log;
mod shape;

use herdbook_mlflow::runs::{self, NewRun, RunSearch, RunStatus, RunUpdate};

use self::shape::{OneRun, Run, RunInfo, Runs, UpdatedRun};
use crate::app::App;
use crate::mlflow::endpoint::{Call, Endpoint, Verb};
use crate::mlflow::experiments::{VIEW_TYPES, view_type};
use crate::mlflow::wire::answer::{Answer, answer};
use crate::mlflow::wire::check::Check::{Array, Custom, IntLike, ItemsText, Required, Text};
use crate::mlflow::wire::check::Schema;
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::json::Json;
use crate::mlflow::wire::message::{PAIR, enumeration, int32, int64, message, text};

pub(crate) use self::log::ENDPOINTS as LOG_ENDPOINTS;
pub(crate) use self::shape::Metric;

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Verb::Post,
        path: "runs/create",
        fields: &[
            text("experiment_id"),
            text("user_id"),
            text("run_name"),
            int64("start_time"),
            message("tags", PAIR).repeated(),
        ],
        schema: &[("experiment_id", &[Text]), ("start_time", &[IntLike]), ("run_name", &[Text])],
        act: create,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/update",
        fields: &[
            text("run_id"),
            text("run_uuid"),
            enumeration("status", STATUSES),
            int64("end_time"),
            text("run_name"),
        ],
        schema: &[
            ("run_id", &[Required, Text]),
            ("end_time", &[IntLike]),
            ("status", &[Text]),
            ("run_name", &[Text]),
        ],
        act: update,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/delete",
        fields: &[text("run_id")],
        schema: RUN_GIVEN,
        act: delete,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/restore",
        fields: &[text("run_id")],
        schema: RUN_GIVEN,
        act: restore,
    },
    Endpoint {
        method: Verb::Get,
        path: "runs/get",
        fields: &[text("run_id"), text("run_uuid")],
        schema: RUN_GIVEN,
        act: get,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/search",
        fields: &[
            text("experiment_ids").repeated(),
            text("filter"),
            enumeration("run_view_type", VIEW_TYPES),
            int32("max_results"),
            text("order_by").repeated(),
            text("page_token"),
        ],
        schema: &[
            ("experiment_ids", &[Array]),
            ("filter", &[Text]),
            ("max_results", &[IntLike, Custom(at_most_50000)]),
            ("order_by", &[Array, ItemsText]),
        ],
        act: search,
    },
];

pub(crate) static RUN_GIVEN: Schema = &[("run_id", &[Required, Text])];

/// Names and numbers of [`RunStatus`].
static STATUSES: &[(&str, i64)] = &{
    let mut names = [("", 0); RunStatus::ALL.len()];
    let mut idx = 0;
    while idx < names.len() {
        names[idx] = (RunStatus::ALL[idx].1, RunStatus::ALL[idx].2);
        idx += 1;
    }
    names
};

fn at_most_50000(value: &Json) -> Result<(), String> {
    let is_more = match value {
        Json::Int(number) => *number > 50_000,
        Json::Float(number) => *number > 50_000.0,
        Json::Text(text) => {
            herdbook_mlflow::python::parse_int(text).is_some_and(|number| number > 50_000)
        }
        _ => false,
    };
    if is_more { Err(String::new()) } else { Ok(()) }
}

fn create(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let new = NewRun {
        experiment_id: message.text("experiment_id").to_owned(),
        user_id: message.text("user_id").to_owned(),
        name: message.text("run_name").to_owned(),
        start_time: message.int("start_time"),
        tags: message.pairs("tags"),
    };
    let run = runs::create(app.session(), &new)?;
    answer(&OneRun { run: Run::without_outputs(&run) })
}

fn update(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let update = RunUpdate {
        status: message.int_if_given("status").and_then(RunStatus::of_number),
        end_time: message.int_if_given("end_time"),
        name: message.text_if_given("run_name").map(str::to_owned),
    };
    let info = runs::update(app.session(), call.run_id(), &update)?;
    answer(&UpdatedRun { run_info: RunInfo::of(&info) })
}

fn delete(app: &App, call: &Call) -> Result<Answer, Failure> {
    runs::delete(app.session(), call.message.text("run_id"))?;
    Ok(Answer::empty())
}

fn restore(app: &App, call: &Call) -> Result<Answer, Failure> {
    runs::restore(app.session(), call.message.text("run_id"))?;
    Ok(Answer::empty())
}

fn get(app: &App, call: &Call) -> Result<Answer, Failure> {
    let run = runs::get(app.session(), call.run_id())?;
    answer(&OneRun { run: Run::of(&run) })
}

fn search(app: &App, call: &Call) -> Result<Answer, Failure> {
    /// Runs of a page if the request names no number.
    const DEFAULT_RESULTS: i64 = 1000;
    let message = &call.message;
    let search = RunSearch {
        experiment_ids: message.texts("experiment_ids"),
        filter: message.text("filter").to_owned(),
        view: view_type(message.int("run_view_type")),
        order_by: message.texts("order_by"),
        page_token: message.text("page_token").to_owned(),
        max_results: message.int_if_given("max_results").unwrap_or(DEFAULT_RESULTS),
    };
    let page = runs::search(app.session(), &search)?;
    answer(&Runs {
        runs: page.records.iter().map(Run::of).collect(),
        next_page_token: page.next.as_deref(),
    })
}
