//! Request messages: fields of protocol buffers (proto2), read from JSON by the rules of protobuf's Python package.

use herdbook_mlflow::python;

use super::json::Json;

/// A field of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) is_repeated: bool,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Int32,
    Int64,
    Double,
    Bool,
    /// Names and numbers.
    Enum(&'static [(&'static str, i64)]),
    Message(&'static [Field]),
}

/// Fields of one kind each; [`Field::repeated`] makes a list of one.
pub(crate) const fn text(name: &'static str) -> Field {
    Field { name, kind: Kind::Text, is_repeated: false }
}

pub(crate) const fn int32(name: &'static str) -> Field {
    Field { name, kind: Kind::Int32, is_repeated: false }
}

pub(crate) const fn int64(name: &'static str) -> Field {
    Field { name, kind: Kind::Int64, is_repeated: false }
}

pub(crate) const fn double(name: &'static str) -> Field {
    Field { name, kind: Kind::Double, is_repeated: false }
}

pub(crate) const fn boolean(name: &'static str) -> Field {
    Field { name, kind: Kind::Bool, is_repeated: false }
}

pub(crate) const fn enumeration(
    name: &'static str,
    names: &'static [(&'static str, i64)],
) -> Field {
    Field { name, kind: Kind::Enum(names), is_repeated: false }
}

pub(crate) const fn message(name: &'static str, fields: &'static [Field]) -> Field {
    Field { name, kind: Kind::Message(fields), is_repeated: false }
}

impl Field {
    pub(crate) const fn repeated(self) -> Self {
        Self { is_repeated: true, ..self }
    }

    /// The name in camel case.
    fn json_name(&self) -> String {
        let mut camel = String::with_capacity(self.name.len());
        let mut is_upper = false;
        for c in self.name.chars() {
            match c {
                '_' => is_upper = true,
                c if is_upper => {
                    camel.push(c.to_ascii_uppercase());
                    is_upper = false;
                }
                c => camel.push(c),
            }
        }
        camel
    }
}

/// The fields of tags, params and the like.
pub(crate) static PAIR: &[Field] = &[text("key"), text("value")];

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    Message(Message),
    List(Vec<Value>),
}

/// A request, or a part of one. A field has a value only if the request gave it one.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    fields: &'static [Field],
    values: Vec<Option<Value>>,
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.fields, other.fields) && self.values == other.values
    }
}

/// A value that does not fit its field. The fields before it have been read, as in MLflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unparsable;

impl Message {
    pub(crate) fn new(fields: &'static [Field]) -> Self {
        Self { fields, values: vec![None; fields.len()] }
    }

    /// Reads the fields of an object. Unknown ones are ignored, `null` clears a field.
    pub(crate) fn fill(&mut self, json: &Json) -> Result<(), Unparsable> {
        let entries = match json {
            Json::Object(entries) => entries,
            // Protobuf iterates over these, and finds no field.
            Json::Text(_) => return Ok(()),
            Json::List(items)
                if !items.iter().any(|item| matches!(item, Json::List(_) | Json::Object(_))) =>
            {
                return Ok(());
            }
            _ => return Err(Unparsable),
        };
        for (name, value) in entries {
            let is_named = |field: &Field| field.name == name || field.json_name() == *name;
            let Some(idx) = self.fields.iter().position(is_named) else { continue };
            let field = &self.fields[idx];
            if !matches!(field.kind, Kind::Message(_)) || field.is_repeated {
                self.values[idx] = None;
            }
            if *value != Json::Null {
                read(field, value, &mut self.values[idx])?;
            }
        }
        Ok(())
    }

    /// A name that occurs in both of its spellings, in this object or one within.
    pub(crate) fn conflict(json: &Json, fields: &'static [Field]) -> Option<(String, String)> {
        if !matches!(json, Json::Object(_)) {
            return None;
        }
        for field in fields {
            let camel = field.json_name();
            let (snake_value, camel_value) = (json.get(field.name), json.get(&camel));
            if camel != field.name && snake_value.is_some() && camel_value.is_some() {
                return Some((field.name.to_owned(), camel));
            }
            let Kind::Message(within) = field.kind else { continue };
            let found = match snake_value.or(camel_value) {
                Some(Json::List(items)) => {
                    items.iter().find_map(|item| Self::conflict(item, within))
                }
                Some(value) => Self::conflict(value, within),
                None => None,
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn value(&self, name: &str) -> Option<&Value> {
        let idx = self.fields.iter().position(|field| field.name == name);
        debug_assert!(idx.is_some(), "there is no field `{name}`");
        self.values[idx?].as_ref()
    }

    /// Whether the request gave the field a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A text; empty if there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.text_if_given(name).unwrap_or_default()
    }

    pub(crate) fn text_if_given(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A text that is not empty.
    pub(crate) fn some_text(&self, name: &str) -> Option<&str> {
        self.text_if_given(name).filter(|text| !text.is_empty())
    }

    /// An integer or the number of an enum; 0 if there is none.
    pub(crate) fn int(&self, name: &str) -> i64 {
        self.int_if_given(name).unwrap_or_default()
    }

    pub(crate) fn int_if_given(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// A number; 0 if there is none.
    pub(crate) fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Some(Value::Double(number)) => *number,
            _ => 0.0,
        }
    }

    /// A boolean; false if there is none.
    pub(crate) fn boolean(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Bool(true)))
    }

    /// A message, if there is one.
    pub(crate) fn message(&self, name: &str) -> Option<&Message> {
        match self.value(name) {
            Some(Value::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// The items of a repeated message.
    pub(crate) fn messages(&self, name: &str) -> impl Iterator<Item = &Message> {
        self.items(name).iter().filter_map(|item| match item {
            Value::Message(message) => Some(message),
            _ => None,
        })
    }

    /// The items of a repeated text.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let text = |item: &Value| match item {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        self.items(name).iter().filter_map(text).collect()
    }

    /// The pairs of a repeated message with `key` and `value`.
    pub(crate) fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let pair = |item: &Message| (item.text("key").to_owned(), item.text("value").to_owned());
        self.messages(name).map(pair).collect()
    }

    fn items(&self, name: &str) -> &[Value] {
        match self.value(name) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }
}

/// Reads the value of a field into its place; what was read before an error stays there.
fn read(field: &Field, json: &Json, place: &mut Option<Value>) -> Result<(), Unparsable> {
    if !field.is_repeated {
        return read_one(field.kind, json, place);
    }
    let Json::List(items) = json else { return Err(Unparsable) };
    let mut list = Vec::with_capacity(items.len());
    let mut outcome = Ok(());
    for item in items {
        let mut value = None;
        outcome = if *item == Json::Null {
            // Protobuf adds a message before it looks at the item.
            if let Kind::Message(fields) = field.kind {
                value = Some(Value::Message(Message::new(fields)));
            }
            Err(Unparsable)
        } else {
            read_one(field.kind, item, &mut value)
        };
        list.extend(value);
        if outcome.is_err() {
            break;
        }
    }
    *place = Some(Value::List(list));
    outcome
}

fn read_one(kind: Kind, json: &Json, place: &mut Option<Value>) -> Result<(), Unparsable> {
    let value = match kind {
        Kind::Message(fields) => {
            let mut message = Message::new(fields);
            let outcome = message.fill(json);
            *place = Some(Value::Message(message));
            return outcome;
        }
        Kind::Text => match json {
            Json::Text(text) => Value::Text(text.clone()),
            _ => return Err(Unparsable),
        },
        Kind::Bool => match json {
            Json::Bool(truth) => Value::Bool(*truth),
            _ => return Err(Unparsable),
        },
        Kind::Int32 => Value::Int(i32::try_from(integer(json)?).map_err(|_| Unparsable)?.into()),
        Kind::Int64 => Value::Int(integer(json)?),
        Kind::Double => Value::Double(number(json)?),
        Kind::Enum(names) => match enum_number(names, json)? {
            Some(number) => Value::Int(number),
            None => return Ok(()),
        },
    };
    *place = Some(value);
    Ok(())
}

fn integer(json: &Json) -> Result<i64, Unparsable> {
    let of_float = |float: f64| {
        let is_whole = float.fract() == 0.0 && float.abs() < 9.3e18;
        is_whole.then_some(float as i128).ok_or(Unparsable)
    };
    let number = match json {
        Json::Int(number) => *number,
        Json::Float(float) => of_float(*float)?,
        Json::Text(text) if !text.contains(' ') => match python::parse_int(text) {
            Some(number) => number,
            None => of_float(python::parse_float(text).ok_or(Unparsable)?)?,
        },
        _ => return Err(Unparsable),
    };
    i64::try_from(number).map_err(|_| Unparsable)
}

fn number(json: &Json) -> Result<f64, Unparsable> {
    match json {
        Json::Int(number) => Ok(*number as f64),
        Json::Float(float) => Ok(*float),
        Json::Bool(truth) => Ok(f64::from(u8::from(*truth))),
        Json::Text(text) if text != "nan" => python::parse_float(text).ok_or(Unparsable),
        _ => Err(Unparsable),
    }
}

/// `None` for a name that the enum does not have: the field stays as if it were not given.
fn enum_number(names: &[(&str, i64)], json: &Json) -> Result<Option<i64>, Unparsable> {
    let known = |number: i128| {
        let found = names.iter().find(|(_, known)| i128::from(*known) == number);
        found.map(|(_, number)| Some(*number)).ok_or(Unparsable)
    };
    match json {
        Json::Text(text) => match names.iter().find(|(name, _)| name == text) {
            Some((_, number)) => Ok(Some(*number)),
            None => python::parse_int(text).map_or(Ok(None), known),
        },
        Json::Int(number) => known(*number),
        Json::Float(float) if float.is_finite() => known(float.trunc() as i128),
        Json::Bool(truth) => known(i128::from(*truth)),
        _ => Err(Unparsable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static FIELDS: &[Field] = &[
        text("name"),
        int64("max_results"),
        int32("small"),
        double("value"),
        boolean("flag"),
        enumeration("view", &[("ONE", 1), ("TWO", 2)]),
        message("tags", PAIR).repeated(),
        text("list").repeated(),
    ];

    fn read(body: &str) -> Option<Message> {
        let mut message = Message::new(FIELDS);
        message.fill(&Json::parse(body.as_bytes()).unwrap()).ok().map(|()| message)
    }

    #[test]
    fn integers_may_be_numbers_or_texts() {
        for (given, expected) in [
            ("5", Some(5)),
            ("\"5\"", Some(5)),
            ("5.0", Some(5)),
            ("\"5.0\"", Some(5)),
            ("\"1e3\"", Some(1000)),
            ("\"-7\"", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("5.5", None),
            ("\"x\"", None),
            ("\" 5\"", None),
            ("\"\"", None),
            ("true", None),
            ("[]", None),
        ] {
            let message = read(&format!("{{\"max_results\": {given}}}"));
            assert_eq!(message.map(|message| message.int("max_results")), expected, "{given}");
        }
        assert!(read("{\"small\": 2147483648}").is_none());
    }

    #[test]
    fn numbers_may_be_integers_texts_and_booleans() {
        for (given, expected) in
            [("1", 1.0), ("\"1.5\"", 1.5), ("true", 1.0), ("\"-Infinity\"", f64::NEG_INFINITY)]
        {
            let message = read(&format!("{{\"value\": {given}}}")).unwrap();
            assert_eq!(message.double("value").to_bits(), f64::to_bits(expected), "{given}");
        }
        assert!(read("{\"value\": NaN}").unwrap().double("value").is_nan());
        for given in ["\"nan\"", "\"x\"", "[]", "{}"] {
            assert!(read(&format!("{{\"value\": {given}}}")).is_none(), "{given}");
        }
    }

    #[test]
    fn field_is_given_also_if_it_is_empty_but_not_if_it_is_null() {
        let message = read(r#"{"name": "", "maxResults": null, "unknown": {"name": 1}}"#).unwrap();
        assert!(message.has("name") && !message.has("max_results"));
        assert_eq!(message.some_text("name"), None);
    }

    #[test]
    fn unknown_name_of_an_enum_is_as_if_not_given() {
        assert_eq!(read("{\"view\": \"TWO\"}").unwrap().int_if_given("view"), Some(2));
        assert_eq!(read("{\"view\": 1}").unwrap().int_if_given("view"), Some(1));
        assert_eq!(read("{\"view\": \"2\"}").unwrap().int_if_given("view"), Some(2));
        assert_eq!(read("{\"view\": \"two\"}").unwrap().int_if_given("view"), None);
        assert!(read("{\"view\": 3}").is_none());
    }

    #[test]
    fn both_spellings_of_a_field_are_a_conflict() {
        let json = Json::parse(br#"{"max_results": 1, "maxResults": 1}"#).unwrap();
        let conflict = Message::conflict(&json, FIELDS).unwrap();
        assert_eq!(conflict, ("max_results".to_owned(), "maxResults".to_owned()));
    }

    #[test]
    fn fields_before_an_unfit_value_were_read() {
        let mut message = Message::new(FIELDS);
        let json = Json::parse(br#"{"name": "a", "value": [], "list": ["b"]}"#).unwrap();
        assert_eq!(message.fill(&json), Err(Unparsable));
        assert_eq!((message.text("name"), message.has("list")), ("a", false));
    }
}
