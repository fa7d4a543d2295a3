//! What a pickle describes, as a tree to be matched.

use serde_json::{Map, Value as Json};

use crate::PpoError;
use crate::file::place::Place;

/// Position of a node; nodes refer to each other by it, since a pickle may share and even nest
/// them in a ring.
pub(super) type Id = usize;

/// A Python object, or how it would be made.
#[derive(Debug)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    HugeInt,
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// `function(*arguments)`, with the state and the items given to it afterwards.
    Call {
        function: Id,
        arguments: Id,
        state: Option<Id>,
        items: Vec<(Id, Id)>,
    },
    /// Something kept outside of the pickle.
    Persistent(Id),
}

/// A pickle that has been read.
#[derive(Debug)]
pub(in crate::file) struct Pickle<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) root: Id,
    pub(super) place: Place<'a>,
}

/// One object of a pickle. Each question either gets its answer or an error that says what was
/// expected there.
#[derive(Debug, Clone, Copy)]
pub(in crate::file) struct Value<'p, 'a> {
    pickle: &'p Pickle<'a>,
    id: Id,
}

/// How many values plain data may hold. Sharing makes a small pickle describe an endless one.
const MAX_PLAIN_VALUES: usize = 10_000;
/// How deep it may be nested.
const MAX_DEPTH: usize = 8;

impl<'a> Pickle<'a> {
    pub(in crate::file) fn root(&self) -> Value<'_, 'a> {
        Value { pickle: self, id: self.root }
    }

    /// Every text in it, wherever it stands.
    pub(in crate::file) fn texts(&self) -> impl Iterator<Item = &'a str> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(*text),
            _ => None,
        })
    }

    /// Every floating-point number in it, wherever it stands.
    pub(in crate::file) fn floats(&self) -> impl Iterator<Item = f64> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Float(number) => Some(*number),
            _ => None,
        })
    }
}

impl<'p, 'a> Value<'p, 'a> {
    pub(in crate::file) fn place(self) -> Place<'a> {
        self.pickle.place
    }

    /// The error that something else stands here.
    pub(in crate::file) fn unexpected(self, expected: &str) -> PpoError {
        self.place().error(format!("has something else where {expected} belongs"))
    }

    pub(in crate::file) fn int(self) -> Result<i64, PpoError> {
        match *self.node() {
            Node::Int(number) => Ok(number),
            _ => Err(self.unexpected("a whole number")),
        }
    }

    pub(in crate::file) fn index(self) -> Result<usize, PpoError> {
        usize::try_from(self.int()?).map_err(|_| self.unexpected("a number that is not negative"))
    }

    pub(in crate::file) fn float(self) -> Result<f64, PpoError> {
        match *self.node() {
            Node::Float(number) => Ok(number),
            Node::Int(number) => Ok(number as f64),
            _ => Err(self.unexpected("a number")),
        }
    }

    pub(in crate::file) fn boolean(self) -> Result<bool, PpoError> {
        match *self.node() {
            Node::Bool(flag) => Ok(flag),
            _ => Err(self.unexpected("True or False")),
        }
    }

    pub(in crate::file) fn text(self) -> Result<&'a str, PpoError> {
        match *self.node() {
            Node::Text(text) => Ok(text),
            _ => Err(self.unexpected("a text")),
        }
    }

    pub(in crate::file) fn bytes(self) -> Result<&'a [u8], PpoError> {
        match *self.node() {
            Node::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected("a block of bytes")),
        }
    }

    /// The items of a tuple or list.
    pub(in crate::file) fn items(self) -> Result<Vec<Self>, PpoError> {
        match self.node() {
            Node::Tuple(items) | Node::List(items) => {
                Ok(items.iter().map(|id| self.other(*id)).collect())
            }
            _ => Err(self.unexpected("a tuple or list")),
        }
    }

    /// A tuple of whole numbers, such as a shape.
    pub(in crate::file) fn indices(self) -> Result<Vec<usize>, PpoError> {
        self.items()?.into_iter().map(Self::index).collect()
    }

    /// Keys and values of a dictionary, an ordered one too.
    pub(in crate::file) fn entries(self) -> Result<Vec<(Self, Self)>, PpoError> {
        let entries = match self.node() {
            Node::Dict(entries) => entries,
            Node::Call { items, .. } if self.calls("collections", "OrderedDict").is_some() => items,
            _ => return Err(self.unexpected("a dictionary")),
        };
        Ok(entries.iter().map(|(key, value)| (self.other(*key), self.other(*value))).collect())
    }

    /// The value under a text key; the last one set counts.
    pub(in crate::file) fn get(self, key: &str) -> Result<Self, PpoError> {
        self.find(key)?.ok_or_else(|| self.place().error(format!("lacks the entry `{key}`")))
    }

    /// The value under a text key, if there is one.
    pub(in crate::file) fn find(self, key: &str) -> Result<Option<Self>, PpoError> {
        let is_key = |other: &Self| matches!(*other.node(), Node::Text(text) if text == key);
        Ok(self.entries()?.into_iter().rfind(|(other, _)| is_key(other)).map(|(_, value)| value))
    }

    /// Whether this is the Python object of that name.
    pub(in crate::file) fn is_global(self, wanted_module: &str, wanted_name: &str) -> bool {
        matches!(*self.node(), Node::Global { module, name } if module == wanted_module && name == wanted_name)
    }

    /// The arguments, if this is a call of that function.
    pub(in crate::file) fn calls(self, module: &str, name: &str) -> Option<Vec<Self>> {
        match *self.node() {
            Node::Call { function, arguments, .. }
                if self.other(function).is_global(module, name) =>
            {
                self.other(arguments).items().ok()
            }
            _ => None,
        }
    }

    /// The state given to a called object.
    pub(in crate::file) fn state(self) -> Result<Self, PpoError> {
        match *self.node() {
            Node::Call { state: Some(state), .. } => Ok(self.other(state)),
            _ => Err(self.unexpected("an object with a state")),
        }
    }

    /// What a persistent id says.
    pub(in crate::file) fn persistent(self) -> Result<Self, PpoError> {
        match *self.node() {
            Node::Persistent(id) => Ok(self.other(id)),
            _ => Err(self.unexpected("a reference to a storage")),
        }
    }

    /// Plain data as JSON; a Python object becomes its dotted name.
    pub(in crate::file) fn to_json(self) -> Result<Json, PpoError> {
        self.to_json_within(MAX_DEPTH, &mut MAX_PLAIN_VALUES.clone())
    }

    fn to_json_within(self, depth: usize, budget: &mut usize) -> Result<Json, PpoError> {
        let (Some(below), Some(rest)) = (depth.checked_sub(1), budget.checked_sub(1)) else {
            return Err(self.place().error("is nested too deeply, or too large"));
        };
        *budget = rest;
        Ok(match *self.node() {
            Node::None => Json::Null,
            Node::Bool(flag) => flag.into(),
            Node::Int(number) => number.into(),
            Node::Float(number) => number.into(),
            Node::Text(text) => text.into(),
            Node::Global { module, name } => format!("{module}.{name}").into(),
            Node::Tuple(_) | Node::List(_) => {
                let items = self.items()?.into_iter();
                items.map(|item| item.to_json_within(below, budget)).collect::<Result<_, _>>()?
            }
            Node::Dict(_) => {
                let mut map = Map::new();
                for (key, value) in self.entries()? {
                    map.insert(key.text()?.to_owned(), value.to_json_within(below, budget)?);
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
