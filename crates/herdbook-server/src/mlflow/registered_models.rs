//! Registered models.

use herdbook_mlflow::registry::{self, RegistrySearch};
use herdbook_mlflow::write;
use herdbook_store::now;

use crate::app::App;
use crate::life_cycle::{aliases, deletion};
use crate::mlflow::endpoint::{Call, Endpoint, Verb};
use crate::mlflow::registry::{
    ModelVersion, Models, OneModel, OneVersion, RegisteredModel, TAG, Versions, check_at_most,
};
use crate::mlflow::wire::answer::{Answer, answer};
use crate::mlflow::wire::check::Check::{Array, Custom, IntLike, ItemsText, Required, Text};
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::json::Json;
use crate::mlflow::wire::message::{int64, message, text};

/// Most registered models of a page.
const MAX_RESULTS: i128 = 1_000;
/// Registered models of a page, if the request does not say.
const DEFAULT_RESULTS: i64 = 100;

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Verb::Post,
        path: "registered-models/create",
        fields: &[
            text("name"),
            message("tags", TAG).repeated(),
            text("description"),
            text("deployment_job_id"),
        ],
        schema: &[("name", &[Text, Required]), ("tags", &[Array]), ("description", &[Text])],
        act: create,
    },
    Endpoint {
        method: Verb::Post,
        path: "registered-models/rename",
        fields: &[text("name"), text("new_name")],
        schema: &[("name", &[Text, Required]), ("new_name", &[Text, Required])],
        act: rename,
    },
    Endpoint {
        method: Verb::Patch,
        path: "registered-models/update",
        fields: &[text("name"), text("description"), text("deployment_job_id")],
        schema: &[("name", &[Text, Required]), ("description", &[Text])],
        act: update,
    },
    Endpoint {
        method: Verb::Delete,
        path: "registered-models/delete",
        fields: &[text("name")],
        schema: &[("name", &[Text, Required])],
        act: delete,
    },
    Endpoint {
        method: Verb::Get,
        path: "registered-models/get",
        fields: &[text("name")],
        schema: &[("name", &[Text, Required])],
        act: get,
    },
    Endpoint {
        method: Verb::Get,
        path: "registered-models/search",
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
        method: Verb::GetOrPost,
        path: "registered-models/get-latest-versions",
        fields: &[text("name"), text("stages").repeated()],
        schema: &[("name", &[Text, Required]), ("stages", &[Array, ItemsText])],
        act: latest_versions,
    },
    Endpoint {
        method: Verb::Post,
        path: "registered-models/set-tag",
        fields: &[text("name"), text("key"), text("value")],
        schema: &[("name", &[Text, Required]), ("key", &[Text, Required]), ("value", &[Text])],
        act: set_tag,
    },
    Endpoint {
        method: Verb::Delete,
        path: "registered-models/delete-tag",
        fields: &[text("name"), text("key")],
        schema: &[("name", &[Text, Required]), ("key", &[Text, Required])],
        act: delete_tag,
    },
    Endpoint {
        method: Verb::Post,
        path: "registered-models/alias",
        fields: &[text("name"), text("alias"), text("version")],
        schema: &[
            ("name", &[Text, Required]),
            ("alias", &[Text, Required]),
            ("version", &[Text, Required]),
        ],
        act: set_alias,
    },
    Endpoint {
        method: Verb::Delete,
        path: "registered-models/alias",
        fields: &[text("name"), text("alias")],
        schema: &[("name", &[Text, Required]), ("alias", &[Text, Required])],
        act: delete_alias,
    },
    Endpoint {
        method: Verb::Get,
        path: "registered-models/alias",
        fields: &[text("name"), text("alias")],
        schema: &[("name", &[Text, Required]), ("alias", &[Text, Required])],
        act: get_by_alias,
    },
];

fn at_most_a_page(value: &Json) -> Result<(), String> {
    check_at_most(value, MAX_RESULTS)
}

fn shown(model: &registry::RegisteredModel) -> Result<Answer, Failure> {
    answer(&OneModel { registered_model: RegisteredModel::of(model) })
}

fn create(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let (name, tags) = (message.text("name"), message.pairs("tags"));
    let description = message.text("description");
    let created = write(app.session(), |act| {
        registry::create_model(act.tx, name, &tags, description, now())
    })?;
    shown(&created)
}

fn rename(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    shown(&deletion::rename_model(app.records(), message.text("name"), message.text("new_name"))?)
}

fn update(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (name, description) = (call.message.text("name"), call.message.text("description"));
    let updated =
        write(app.session(), |act| registry::update_model(act.tx, name, description, now()))?;
    shown(&updated)
}

fn delete(app: &App, call: &Call) -> Result<Answer, Failure> {
    deletion::delete_model(app.records(), call.message.text("name"))?;
    Ok(Answer::empty())
}

fn get(app: &App, call: &Call) -> Result<Answer, Failure> {
    shown(&registry::get_model(app.session(), call.message.text("name"))?)
}

fn search(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let search = RegistrySearch {
        filter: message.text("filter").to_owned(),
        order_by: message.texts("order_by"),
        page_token: message.text("page_token").to_owned(),
        max_results: message.int_if_given("max_results").unwrap_or(DEFAULT_RESULTS),
    };
    let page = registry::search_models(app.session(), &search)?;
    answer(&Models {
        registered_models: page.records.iter().map(RegisteredModel::of).collect(),
        next_page_token: page.next.as_deref(),
    })
}

fn latest_versions(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let (name, stages) = (message.text("name"), message.texts("stages"));
    let versions = registry::latest_versions(app.session(), name, &stages)?;
    answer(&Versions {
        model_versions: versions.iter().map(ModelVersion::of).collect(),
        next_page_token: None,
    })
}

fn set_tag(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (name, key) = (call.message.text("name"), call.message.text("key"));
    let value = call.message.text("value");
    write(app.session(), |act| registry::set_model_tag(act.tx, name, key, value))?;
    Ok(Answer::empty())
}

fn delete_tag(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (name, key) = (call.message.text("name"), call.message.text("key"));
    write(app.session(), |act| registry::delete_model_tag(act.tx, name, key))?;
    Ok(Answer::empty())
}

fn set_alias(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (name, alias) = (call.message.text("name"), call.message.text("alias"));
    let key = registry::parse_alias(name, alias, call.message.text("version"))?;
    aliases::set_alias(app.records(), key, alias)?;
    Ok(Answer::empty())
}

fn delete_alias(app: &App, call: &Call) -> Result<Answer, Failure> {
    aliases::delete_alias(app.records(), call.message.text("name"), call.message.text("alias"))?;
    Ok(Answer::empty())
}

fn get_by_alias(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (name, alias) = (call.message.text("name"), call.message.text("alias"));
    let version = registry::version_by_alias(app.session(), name, alias)?;
    answer(&OneVersion { model_version: ModelVersion::of(&version) })
}
