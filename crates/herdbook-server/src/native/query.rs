//! Parameters of a query as a structure: each at most once, none unknown, and each error names its parameter.

use serde::de::value::{Error, MapDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Reads the parameters of a query.
///
/// # Errors
/// What is wrong, with the name of the parameter.
pub(super) fn parse<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    let pairs = form_urlencoded::parse(query.as_bytes()).map(|(name, value)| {
        let name = name.into_owned();
        (name.clone(), Value { name, text: value.into_owned() })
    });
    T::deserialize(MapDeserializer::new(pairs)).map_err(|error: Error| error.to_string())
}

/// The parameters of an endpoint without any.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

/// The value of one parameter.
struct Value {
    name: String,
    text: String,
}

impl Value {
    fn parsed<T: std::str::FromStr>(&self, what: &str) -> Result<T, Error> {
        self.text.parse().map_err(|_| {
            Error::custom(format!("`{}`: `{}` is not {what}", self.name, self.text.escape_debug()))
        })
    }

    /// Adds the name of the parameter to an error.
    fn named(name: &str, error: &Error) -> Error {
        Error::custom(format!("`{name}`: {error}"))
    }
}

impl IntoDeserializer<'_, Error> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number: $number = self.parsed("a number in the permitted range")?;
            visitor.$visit(number).map_err(|error: Error| Self::named(&self.name, &error))
        })*
    };
}

impl<'de> Deserializer<'de> for Value {
    type Error = Error;

    numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.parsed("`true` or `false`")?;
        visitor.visit_bool(value)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text).map_err(|error: Error| Self::named(&self.name, &error))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name = self.name;
        let word: serde::de::value::StringDeserializer<Error> = self.text.into_deserializer();
        visitor.visit_enum(word).map_err(|error| Self::named(&name, &error))
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use herdbook_domain::{Stage, Timestamp};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Asked {
        limit: Option<u32>,
        stage: Option<Stage>,
        at: Option<Timestamp>,
        name: String,
        reverse: bool,
    }

    #[test]
    fn parameters_become_fields() {
        let asked: Asked =
            parse("limit=5&stage=beta&name=a%20b&reverse=true&at=2026-01-02T03:04:05Z").unwrap();
        assert_eq!((asked.limit, asked.stage, asked.reverse), (Some(5), Some(Stage::Beta), true));
        assert_eq!(asked.name, "a b");
        assert!(asked.at.is_some());
        assert_eq!(parse::<Asked>(""), Ok(Asked::default()));
    }

    #[test]
    fn errors_name_the_parameter() {
        let error = |query: &str| parse::<Asked>(query).unwrap_err();
        assert_eq!(error("limit=-1"), "`limit`: `-1` is not a number in the permitted range");
        assert_eq!(
            error("limit=5000000000"),
            "`limit`: `5000000000` is not a number in the permitted range"
        );
        assert_eq!(error("reverse=yes"), "`reverse`: `yes` is not `true` or `false`");
        assert!(error("stage=prod").starts_with("`stage`: unknown variant `prod`"));
        assert!(error("at=noon").starts_with("`at`: "));
        assert!(error("color=red").starts_with("unknown field `color`"));
        assert_eq!(error("limit=1&limit=2"), "duplicate field `limit`");
    }
}
