//! Parameters of a query as a structure: each at most once, none unknown, and each error names its parameter.

use serde::de::value::{Error, StringDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

/// Reads the parameters of a query.
///
/// # Errors
/// What is wrong, with the name of the parameter.
pub(super) fn parse<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    T::deserialize(Parameters { pairs, value: None }).map_err(|error: Error| error.to_string())
}

/// Names and values, the last first.
struct Parameters {
    pairs: Vec<(String, String)>,
    value: Option<(String, String)>,
}

impl<'de> Deserializer<'de> for Parameters {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.pairs.reverse();
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Parameters {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.value = self.pairs.pop();
        let Some((name, _)) = &self.value else { return Ok(None) };
        let name: StringDeserializer<Error> = name.clone().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (name, text) = self.value.take().unwrap_or_default();
        seed.deserialize(Value { text })
            .map_err(|error| Error::custom(format!("`{name}`: {error}")))
    }
}

/// The parameters of an endpoint without any.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

/// The value of one parameter.
struct Value {
    text: String,
}

impl Value {
    fn parsed<T: std::str::FromStr>(&self, what: &str) -> Result<T, Error> {
        self.text
            .parse()
            .map_err(|_| Error::custom(format!("`{}` is not {what}", self.text.escape_debug())))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number: $number = self.parsed("a number in the permitted range")?;
            visitor.$visit(number)
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
        visitor.visit_string(self.text)
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
        let word: StringDeserializer<Error> = self.text.into_deserializer();
        visitor.visit_enum(word)
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
