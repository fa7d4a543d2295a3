//! The content of a pickle as a tree.

use serde_json::{Map, Value as Json};

use crate::error::PpoError;
use crate::file::location::Location;

/// Index of a node. Nodes refer to each other by index, since a pickle may share nodes and even
/// contain cycles.
pub(super) type Id = usize;

/// A Python object, or the call that would create it.
#[derive(Debug)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    HugeInt,
    Float(f64),
    String(&'a str),
    Bytes(&'a [u8]),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// `function(*arguments)`, with the state and the items set afterwards.
    Call {
        function: Id,
        arguments: Id,
        state: Option<Id>,
        items: Vec<(Id, Id)>,
    },
    /// A reference to an object outside of the pickle.
    Persistent(Id),
}

/// A parsed pickle.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) root: Id,
    pub(super) location: Location<'a>,
}

/// One object of a pickle. Methods return an error that says what was expected if the object is of
/// another kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'p, 'a> {
    pickle: &'p Pickle<'a>,
    id: Id,
}

/// Largest number of values that [`Value::to_json`] converts. With shared nodes, a small pickle can
/// describe an enormous value.
const MAX_PLAIN_VALUES: usize = 10_000;
/// Deepest nesting that [`Value::to_json`] converts.
const MAX_DEPTH: usize = 8;

impl<'a> Pickle<'a> {
    pub(crate) fn root(&self) -> Value<'_, 'a> {
        Value { pickle: self, id: self.root }
    }

    /// All strings anywhere in the pickle.
    pub(crate) fn strings(&self) -> impl Iterator<Item = &'a str> {
        self.nodes.iter().filter_map(|node| match node {
            Node::String(text) => Some(*text),
            _ => None,
        })
    }

    /// All floats anywhere in the pickle.
    pub(crate) fn floats(&self) -> impl Iterator<Item = f64> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Float(number) => Some(*number),
            _ => None,
        })
    }
}

impl<'p, 'a> Value<'p, 'a> {
    pub(crate) fn location(self) -> Location<'a> {
        self.pickle.location
    }

    /// The error that this object is not the expected one.
    pub(crate) fn unexpected(self, expected: &str) -> PpoError {
        self.location().error(format!("has an unexpected value, expected {expected}"))
    }

    pub(crate) fn int(self) -> Result<i64, PpoError> {
        match *self.node() {
            Node::Int(number) => Ok(number),
            _ => Err(self.unexpected("an integer")),
        }
    }

    pub(crate) fn index(self) -> Result<usize, PpoError> {
        usize::try_from(self.int()?).map_err(|_| self.unexpected("a non-negative integer"))
    }

    pub(crate) fn float(self) -> Result<f64, PpoError> {
        match *self.node() {
            Node::Float(number) => Ok(number),
            Node::Int(number) => Ok(number as f64),
            _ => Err(self.unexpected("a number")),
        }
    }

    pub(crate) fn boolean(self) -> Result<bool, PpoError> {
        match *self.node() {
            Node::Bool(flag) => Ok(flag),
            _ => Err(self.unexpected("True or False")),
        }
    }

    pub(crate) fn string(self) -> Result<&'a str, PpoError> {
        match *self.node() {
            Node::String(text) => Ok(text),
            _ => Err(self.unexpected("a string")),
        }
    }

    pub(crate) fn bytes(self) -> Result<&'a [u8], PpoError> {
        match *self.node() {
            Node::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected("bytes")),
        }
    }

    /// The items of a tuple or list.
    pub(crate) fn items(self) -> Result<Vec<Self>, PpoError> {
        match self.node() {
            Node::Tuple(items) | Node::List(items) => {
                Ok(items.iter().map(|id| self.other(*id)).collect())
            }
            _ => Err(self.unexpected("a tuple or list")),
        }
    }

    /// A tuple of non-negative integers, such as a shape.
    pub(crate) fn indices(self) -> Result<Vec<usize>, PpoError> {
        self.items()?.into_iter().map(Self::index).collect()
    }

    /// Keys and values of a `dict` or `OrderedDict`.
    pub(crate) fn entries(self) -> Result<Vec<(Self, Self)>, PpoError> {
        let entries = match self.node() {
            Node::Dict(entries) => entries,
            Node::Call { items, .. } if self.calls("collections", "OrderedDict").is_some() => items,
            _ => return Err(self.unexpected("a dictionary")),
        };
        Ok(entries.iter().map(|(key, value)| (self.other(*key), self.other(*value))).collect())
    }

    /// The value of a string key; the last one if the key was set several times.
    pub(crate) fn get(self, key: &str) -> Result<Self, PpoError> {
        self.find(key)?.ok_or_else(|| self.location().error(format!("has no entry `{key}`")))
    }

    /// Like [`Value::get`], but `None` if there is no such key.
    pub(crate) fn find(self, key: &str) -> Result<Option<Self>, PpoError> {
        let is_key = |other: &Self| matches!(*other.node(), Node::String(text) if text == key);
        Ok(self.entries()?.into_iter().rfind(|(other, _)| is_key(other)).map(|(_, value)| value))
    }

    /// Whether this is the Python object `module.name`.
    pub(crate) fn is_global(self, wanted_module: &str, wanted_name: &str) -> bool {
        matches!(*self.node(), Node::Global { module, name } if module == wanted_module && name == wanted_name)
    }

    /// Module and name if this is a named Python object.
    pub(crate) fn global(self) -> Option<(&'a str, &'a str)> {
        match *self.node() {
            Node::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    /// Module and name of the function if this is the result of a call.
    pub(crate) fn called(self) -> Option<(&'a str, &'a str)> {
        match *self.node() {
            Node::Call { function, .. } => self.other(function).global(),
            _ => None,
        }
    }

    /// Whether this is a Python object other than plain data.
    pub(crate) fn is_object(self) -> bool {
        matches!(self.node(), Node::Global { .. } | Node::Call { .. })
    }

    /// The arguments if this is a call of the function `module.name`, `None` otherwise.
    pub(crate) fn calls(self, module: &str, name: &str) -> Option<Vec<Self>> {
        match *self.node() {
            Node::Call { function, arguments, .. }
                if self.other(function).is_global(module, name) =>
            {
                self.other(arguments).items().ok()
            }
            _ => None,
        }
    }

    /// The state of an object.
    pub(crate) fn state(self) -> Result<Self, PpoError> {
        match *self.node() {
            Node::Call { state: Some(state), .. } => Ok(self.other(state)),
            _ => Err(self.unexpected("an object with a state")),
        }
    }

    /// The description of an object outside of the pickle.
    pub(crate) fn persistent(self) -> Result<Self, PpoError> {
        match *self.node() {
            Node::Persistent(id) => Ok(self.other(id)),
            _ => Err(self.unexpected("a reference to a storage")),
        }
    }

    /// Converts plain data to JSON. A named Python object becomes its dotted name.
    pub(crate) fn to_json(self) -> Result<Json, PpoError> {
        self.to_json_within(MAX_DEPTH, &mut MAX_PLAIN_VALUES.clone())
    }

    fn to_json_within(self, depth: usize, budget: &mut usize) -> Result<Json, PpoError> {
        let (Some(below), Some(rest)) = (depth.checked_sub(1), budget.checked_sub(1)) else {
            return Err(self.location().error("is nested too deeply, or too large"));
        };
        *budget = rest;
        Ok(match *self.node() {
            Node::None => Json::Null,
            Node::Bool(flag) => flag.into(),
            Node::Int(number) => number.into(),
            Node::Float(number) => number.into(),
            Node::String(text) => text.into(),
            Node::Global { module, name } => format!("{module}.{name}").into(),
            Node::Tuple(_) | Node::List(_) => {
                let items = self.items()?.into_iter();
                items.map(|item| item.to_json_within(below, budget)).collect::<Result<_, _>>()?
            }
            Node::Dict(_) => {
                let mut map = Map::new();
                for (key, value) in self.entries()? {
                    map.insert(key.string()?.to_owned(), value.to_json_within(below, budget)?);
                }
                Json::Object(map)
            }
            _ => return Err(self.unexpected("plain data")),
        })
    }

    fn node(self) -> &'p Node<'a> {
        &self.pickle.nodes[self.id]
    }

    fn other(self, id: Id) -> Self {
        Self { id, ..self }
    }
}
