//! Model versions.

use herdbook_mlflow::registry::{
    self, MlflowStage, NewModelVersion, RegistrySearch, VersionRequest,
};
use herdbook_mlflow::write;
use herdbook_store::now;
use serde::Serialize;

use crate::app::App;
use crate::life_cycle::{creation, deletion, tags, transitions};
use crate::mlflow::endpoint::{Call, Endpoint, Verb};
use crate::mlflow::registry::{ModelVersion, OneVersion, TAG, Versions, check_at_most};
use crate::mlflow::wire::answer::{Answer, answer};
use crate::mlflow::wire::check::Check::{
    self, Array, Bool, Custom, IntLike, ItemsText, Required, Text,
};
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::json::Json;
use crate::mlflow::wire::message::{boolean, int64, message, text};

/// Most versions of a page.
const MAX_RESULTS: i128 = 200_000;

const REQUIRED: &[Check] = &[Text, Required];

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Verb::Post,
        path: "model-versions/create",
        fields: &[
            text("name"),
            text("source"),
            text("run_id"),
            message("tags", TAG).repeated(),
            text("run_link"),
            text("description"),
            text("model_id"),
        ],
        schema: &[
            ("name", REQUIRED),
            ("source", REQUIRED),
            ("run_id", &[Text]),
            ("tags", &[Array]),
            ("run_link", &[Text]),
            ("description", &[Text]),
            ("model_id", &[Text]),
        ],
        act: create,
    },
    Endpoint {
        method: Verb::Patch,
        path: "model-versions/update",
        fields: &[text("name"), text("version"), text("description")],
        schema: &[("name", REQUIRED), ("version", REQUIRED), ("description", &[Text])],
        act: update,
    },
    Endpoint {
        method: Verb::Post,
        path: "model-versions/transition-stage",
        fields: &[
            text("name"),
            text("version"),
            text("stage"),
            boolean("archive_existing_versions"),
        ],
        schema: &[
            ("name", REQUIRED),
            ("version", REQUIRED),
            ("stage", REQUIRED),
            ("archive_existing_versions", &[Bool]),
        ],
        act: transition_stage,
    },
    Endpoint {
        method: Verb::Delete,
        path: "model-versions/delete",
        fields: &[text("name"), text("version")],
        schema: &[("name", REQUIRED), ("version", REQUIRED)],
        act: delete,
    },
    Endpoint {
        method: Verb::Get,
        path: "model-versions/get",
        fields: &[text("name"), text("version")],
        schema: &[("name", REQUIRED), ("version", REQUIRED)],
        act: get,
    },
    Endpoint {
        method: Verb::Get,
        path: "model-versions/search",
        fields: &[
            text("filter"),
            int64("max_results"),
            text("order_by").repeated(),
            text("page_token"),
        ],
        schema: &[
            ("filter", &[Text]),
            ("max_results", &[IntLike, Custom(at_most_a_page)]),
            ("order_by", &[Array, ItemsText]),
            ("page_token", &[Text]),
        ],
        act: search,
    },
    Endpoint {
        method: Verb::Get,
        path: "model-versions/get-download-uri",
        fields: &[text("name"), text("version")],
        // MLflow checks neither of them here.
        schema: &[],
        act: download_uri,
    },
    Endpoint {
        method: Verb::Post,
        path: "model-versions/set-tag",
        fields: &[text("name"), text("version"), text("key"), text("value")],
        schema: &[("name", REQUIRED), ("version", REQUIRED), ("key", REQUIRED), ("value", &[Text])],
        act: set_tag,
    },
    Endpoint {
        method: Verb::Delete,
        path: "model-versions/delete-tag",
        fields: &[text("name"), text("version"), text("key")],
        schema: &[("name", REQUIRED), ("version", REQUIRED), ("key", REQUIRED)],
        act: delete_tag,
    },
];

#[derive(Serialize)]
struct DownloadUri<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_uri: Option<&'a str>,
}

fn at_most_a_page(value: &Json) -> Result<(), String> {
    check_at_most(value, MAX_RESULTS)
}

fn shown(version: &registry::ModelVersion) -> Result<Answer, Failure> {
    answer(&OneVersion { model_version: ModelVersion::of(version) })
}

fn key(call: &Call) -> Result<(&str, i64), Failure> {
    Ok(registry::parse_key(call.message.text("name"), call.message.text("version"))?)
}

fn create(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let tags = message.pairs("tags");
    let request = VersionRequest {
        source: message.text("source"),
        run_id: message.text_if_given("run_id"),
        model_id: message.text_if_given("model_id"),
        tags: &tags,
    };
    let new = NewModelVersion {
        name: message.text("name").to_owned(),
        source: registry::resolve_source(app.session(), &request)?,
        run_link: message.text("run_link").to_owned(),
        description: message.text("description").to_owned(),
        tags,
    };
    shown(&creation::create_version(app.records(), &new)?)
}

fn update(app: &App, call: &Call) -> Result<Answer, Failure> {
    let key = key(call)?;
    let description = call.message.text_if_given("description");
    let updated =
        write(app.session(), |act| registry::update_version(act.tx, key, description, now()))?;
    shown(&updated)
}

fn transition_stage(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let text = message.text("stage");
    let stage = MlflowStage::parse(text)?;
    let archives_others = message.boolean("archive_existing_versions");
    if archives_others {
        stage.check_archiving(text)?;
    }
    shown(&transitions::transition_stage(app.records(), key(call)?, stage, archives_others)?)
}

fn delete(app: &App, call: &Call) -> Result<Answer, Failure> {
    deletion::delete_version(app.records(), key(call)?)?;
    Ok(Answer::empty())
}

fn get(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (name, version) = (call.message.text("name"), call.message.text("version"));
    shown(&registry::get_version(app.session(), name, version)?)
}

fn search(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let search = RegistrySearch {
        filter: message.text("filter").to_owned(),
        order_by: message.texts("order_by"),
        page_token: message.text("page_token").to_owned(),
        max_results: message.int_if_given("max_results").unwrap_or(MAX_RESULTS as i64),
    };
    let page = registry::search_versions(app.session(), &search)?;
    answer(&Versions {
        model_versions: page.records.iter().map(ModelVersion::of).collect(),
        next_page_token: page.next.as_deref(),
    })
}

fn download_uri(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (name, version) = (call.message.text("name"), call.message.text("version"));
    let uri = registry::download_uri(app.session(), name, version)?;
    answer(&DownloadUri { artifact_uri: uri.as_deref() })
}

fn set_tag(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (tag, value) = (call.message.text("key"), call.message.text("value"));
    tags::set_version_tag(app.records(), key(call)?, tag, value)?;
    Ok(Answer::empty())
}

fn delete_tag(app: &App, call: &Call) -> Result<Answer, Failure> {
    tags::delete_version_tag(app.records(), key(call)?, call.message.text("key"))?;
    Ok(Answer::empty())
}
