//! The stack machine that turns opcodes into a tree, without calling anything.

use std::collections::BTreeMap;

use super::tokens::{Dialect, Token, Tokens};
use super::tree::{Id, Node, Pickle};
use crate::error::PpoError;
use crate::file::location::Location;

/// The Python objects that a pickle may name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Globals<'a> {
    /// Only these, given as module and name.
    Only(&'a [(&'a str, &'a str)]),
    /// All, for searching a pickle for its constants.
    Any,
}

/// Largest size of a pickle. That of the largest space with limits is smaller. In memory, each byte
/// may need a hundred.
const MAX_BYTES: usize = 2 << 20;

/// Parses a whole pickle. `location` names it in errors.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    dialect: Dialect,
    globals: Globals<'_>,
    location: Location<'a>,
) -> Result<Pickle<'a>, PpoError> {
    let mut machine =
        Machine { nodes: vec![], stack: vec![], marks: vec![], memo: BTreeMap::new() };
    if bytes.len() > MAX_BYTES {
        return Err(location.error(format!("is a pickle of more than {MAX_BYTES} bytes")));
    }
    let mut tokens = Tokens::new(bytes, dialect);
    let root = loop {
        let token = tokens.next().map_err(|problem| location.error(problem))?;
        if token == Token::Stop {
            break machine.pop();
        }
        machine.run(token, globals).map_err(|problem| location.error(problem))?;
    };
    match root {
        Ok(root) if tokens.is_empty() => Ok(Pickle { nodes: machine.nodes, root, location }),
        Ok(_) => Err(location.error("has data after the end of its pickle")),
        Err(problem) => Err(location.error(problem)),
    }
}

struct Machine<'a> {
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Stack heights at the marks.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self, token: Token<'a>, globals: Globals<'_>) -> Result<(), String> {
        match token {
            Token::Skip | Token::Stop => Ok(()),
            Token::Mark => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            Token::None => self.push(Node::None),
            Token::Bool(flag) => self.push(Node::Bool(flag)),
            Token::Int(number) => self.push(Node::Int(number)),
            Token::HugeInt => self.push(Node::HugeInt),
            Token::Float(number) => self.push(Node::Float(number)),
            Token::String(text) => self.push(Node::String(text)),
            Token::Bytes(bytes) => self.push(Node::Bytes(bytes)),
            Token::EmptyTuple => self.push(Node::Tuple(vec![])),
            Token::Tuple => {
                let items = self.since_mark()?;
                self.push(Node::Tuple(items))
            }
            Token::TupleOf(n) => {
                let items = self.last(n)?;
                self.push(Node::Tuple(items))
            }
            Token::EmptyList => self.push(Node::List(vec![])),
            Token::Append => {
                let items = self.last(1)?;
                self.extend_list(items)
            }
            Token::Appends => {
                let items = self.since_mark()?;
                self.extend_list(items)
            }
            Token::EmptyDict => self.push(Node::Dict(vec![])),
            Token::SetItem => {
                let items = self.last(2)?;
                self.extend_dict(&items)
            }
            Token::SetItems => {
                let items = self.since_mark()?;
                self.extend_dict(&items)
            }
            Token::Get(key) => {
                let id = *self
                    .memo
                    .get(&key)
                    .ok_or("is a malformed pickle: it reads a memo entry that was never stored")?;
                self.stack.push(id);
                Ok(())
            }
            Token::Put(key) => self.remember(key),
            Token::Pop => self.pop().map(|_| ()),
            Token::Memoize => self.remember(self.memo.len() as u32),
            Token::Global(module, name) => self.push_global(module, name, globals),
            Token::StackGlobal => {
                match self.last(2)?[..] {
                    [module, name] => match (&self.nodes[module], &self.nodes[name]) {
                        (&Node::String(module), &Node::String(name)) => {
                            self.push_global(module, name, globals)
                        }
                        _ => Err("is a malformed pickle: the name of an object is not a string"
                            .to_owned()),
                    },
                    _ => Err(underflow()),
                }
            }
            Token::Reduce | Token::NewObject => match self.last(2)?[..] {
                [function, arguments] => {
                    self.push(Node::Call { function, arguments, state: None, items: vec![] })
                }
                _ => Err(underflow()),
            },
            Token::Build => self.build(),
            Token::Persistent => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))
            }
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "every arm of `run` returns a `Result`")]
    fn push(&mut self, node: Node<'a>) -> Result<(), String> {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn push_global(
        &mut self,
        module: &'a str,
        name: &'a str,
        globals: Globals<'_>,
    ) -> Result<(), String> {
        match globals {
            Globals::Only(allowed) if !allowed.contains(&(module, name)) => {
                Err(format!("refers to the Python object `{module}.{name}`, which is not allowed"))
            }
            _ => self.push(Node::Global { module, name }),
        }
    }

    fn remember(&mut self, key: u32) -> Result<(), String> {
        let id = self.top()?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(underflow)
    }

    fn pop(&mut self) -> Result<Id, String> {
        // Elements below a mark belong to the opcode that set it.
        if self.marks.last().is_some_and(|mark| self.stack.len() <= *mark) {
            return Err(underflow());
        }
        self.stack.pop().ok_or_else(underflow)
    }

    /// Pops `n` elements, in the order in which they were pushed.
    fn last(&mut self, n: usize) -> Result<Vec<Id>, String> {
        let mut items = (0..n).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        Ok(items)
    }

    /// Pops all elements above the last mark.
    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or_else(underflow)?;
        Ok(self.stack.split_off(mark))
    }

    fn extend_list(&mut self, new: Vec<Id>) -> Result<(), String> {
        let id = self.top()?;
        match &mut self.nodes[id] {
            Node::List(items) => items.extend(new),
            _ => {
                return Err(
                    "is a malformed pickle: it appends to something that is not a list".to_owned()
                );
            }
        }
        Ok(())
    }

    fn extend_dict(&mut self, new: &[Id]) -> Result<(), String> {
        let id = self.top()?;
        let (pairs, rest) = new.as_chunks::<2>();
        match &mut self.nodes[id] {
            Node::Dict(items) | Node::Call { items, .. } if rest.is_empty() => {
                items.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            _ => {
                return Err(
                    "is a malformed pickle: it sets items of something that is not a dictionary"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    fn build(&mut self) -> Result<(), String> {
        let new = self.pop()?;
        let id = self.top()?;
        match &mut self.nodes[id] {
            Node::Call { state: state @ None, .. } => *state = Some(new),
            _ => {
                return Err(
                    "is a malformed pickle: it sets the state of something that is not an object"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}

fn underflow() -> String {
    "is a malformed pickle: stack underflow".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCATION: Location<'static> = Location { file: "x.zip", member: "m" };

    fn message(bytes: &[u8]) -> String {
        let globals = Globals::Only(&[("good", "thing")]);
        parse(bytes, Dialect::Data, globals, LOCATION).err().unwrap().to_string()
    }

    #[test]
    fn global_outside_the_list_is_refused_by_name() {
        let want = "`x.zip`: `m` refers to the Python object `os.system`, which is not allowed";
        assert_eq!(message(b"\x80\x02cos\nsystem\n(X\x02\x00\x00\x00lstR."), want);
        assert_eq!(message(b"\x80\x04\x8c\x02os\x8c\x06system\x93."), want);
    }

    #[test]
    fn too_long_pickle_is_refused() {
        let message = message(&vec![b'N'; MAX_BYTES + 1]);
        assert_eq!(message, "`x.zip`: `m` is a pickle of more than 2097152 bytes");
    }

    #[test]
    fn malformed_programs_are_refused() {
        for (bytes, problem) in [
            (&b""[..], "truncated"),
            (b"N", "truncated"),
            (b".", "underflow"),
            (b"N.N", "data after the end"),
            (b"t.", "underflow"),
            (b"N(\x85.", "underflow"),
            (b"h\x00.", "never stored"),
            (b"Na.", "underflow"),
            (b"NNa.", "not a list"),
            (b"}Ns.", "underflow"),
            (b"}(Nu.", "not a dictionary"),
            (b"]Nb.", "state"),
            (b"NN\x93.", "not a string"),
        ] {
            let message = message(bytes);
            assert!(message.contains(problem), "{bytes:?}: {message}");
        }
    }
}
