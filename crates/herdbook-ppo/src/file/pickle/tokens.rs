//! Pickle opcodes with their arguments. Only the opcodes listed here are accepted.

/// The opcodes that are allowed in addition to the common ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The opcodes of pickles in a torch file.
    Torch,
    /// The opcodes of pickles in `data`.
    Data,
}

/// An opcode with its argument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// No effect: protocol number or frame length.
    Skip,
    Mark,
    Stop,
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits. Its value is never needed.
    HugeInt,
    Float(f64),
    String(&'a str),
    Bytes(&'a [u8]),
    EmptyTuple,
    /// A tuple of all elements above the mark.
    Tuple,
    /// A tuple of the last 1, 2 or 3 elements.
    TupleOf(usize),
    EmptyList,
    Append,
    Appends,
    EmptyDict,
    SetItem,
    SetItems,
    Get(u32),
    Put(u32),
    Memoize,
    Pop,
    Global(&'a str, &'a str),
    StackGlobal,
    Reduce,
    NewObject,
    Build,
    Persistent,
}

/// Reads opcodes one after the other.
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
    dialect: Dialect,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(bytes: &'a [u8], dialect: Dialect) -> Self {
        Self { rest: bytes, dialect }
    }

    /// Whether all bytes have been read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads the next opcode. The error text continues a sentence that starts with the member's name.
    pub(super) fn next(&mut self) -> Result<Token<'a>, String> {
        let opcode = self.byte()?;
        match self.common(opcode)? {
            Some(token) => Ok(token),
            None => match self.dialect {
                Dialect::Torch => self.torch(opcode),
                Dialect::Data => self.data(opcode),
            },
        }
    }

    fn common(&mut self, opcode: u8) -> Result<Option<Token<'a>>, String> {
        Ok(Some(match opcode {
            0x80 => self.array::<1>().map(|_| Token::Skip)?,
            b'(' => Token::Mark,
            b'.' => Token::Stop,
            b'N' => Token::None,
            0x88 => Token::Bool(true),
            0x89 => Token::Bool(false),
            b'J' => Token::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Token::Int(self.byte()?.into()),
            b'M' => Token::Int(u16::from_le_bytes(self.array()?).into()),
            0x8a => self.long()?,
            b'G' => Token::Float(f64::from_be_bytes(self.array()?)),
            b'X' => Token::String(self.string_with_u32_length()?),
            b')' => Token::EmptyTuple,
            b't' => Token::Tuple,
            0x85..=0x87 => Token::TupleOf(usize::from(opcode - 0x84)),
            b']' => Token::EmptyList,
            b'a' => Token::Append,
            b'e' => Token::Appends,
            b'}' => Token::EmptyDict,
            b's' => Token::SetItem,
            b'u' => Token::SetItems,
            b'h' => Token::Get(self.byte()?.into()),
            b'j' => Token::Get(u32::from_le_bytes(self.array()?)),
            b'c' => Token::Global(self.line()?, self.line()?),
            b'R' => Token::Reduce,
            b'b' => Token::Build,
            _ => return Ok(None),
        }))
    }

    fn torch(&mut self, opcode: u8) -> Result<Token<'a>, String> {
        Ok(match opcode {
            b'q' => Token::Put(self.byte()?.into()),
            b'r' => Token::Put(u32::from_le_bytes(self.array()?)),
            b'Q' => Token::Persistent,
            _ => return Err(refused(opcode)),
        })
    }

    fn data(&mut self, opcode: u8) -> Result<Token<'a>, String> {
        Ok(match opcode {
            0x95 => self.array::<8>().map(|_| Token::Skip)?,
            0x8c => {
                let len = self.byte()?;
                Token::String(self.string(len.into())?)
            }
            b'C' => {
                let len = self.byte()?;
                Token::Bytes(self.take(len.into())?)
            }
            b'B' => {
                let len = u32::from_le_bytes(self.array()?);
                Token::Bytes(self.take(len.into())?)
            }
            0x96 => {
                let len = u64::from_le_bytes(self.array()?);
                Token::Bytes(self.take(len)?)
            }
            0x94 => Token::Memoize,
            // Sets, as cloudpickle writes them for classes that it stores by value.
            0x8f => Token::EmptyList,
            0x90 => Token::Appends,
            0x91 => Token::Tuple,
            // Needed only for the functions that old releases pickled.
            b'0' => Token::Pop,
            0x93 => Token::StackGlobal,
            0x81 => Token::NewObject,
            _ => return Err(refused(opcode)),
        })
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], String> {
        let len = usize::try_from(len).map_err(|_| cut_off())?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(taken)
    }

    fn string(&mut self, len: u64) -> Result<&'a str, String> {
        std::str::from_utf8(self.take(len)?)
            .map_err(|_| "contains a string that is not UTF-8".to_owned())
    }

    fn string_with_u32_length(&mut self) -> Result<&'a str, String> {
        let len = u32::from_le_bytes(self.array()?);
        self.string(len.into())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let len = self.rest.iter().position(|byte| *byte == b'\n').ok_or_else(cut_off)?;
        let line = self.string(len as u64)?;
        self.byte()?;
        Ok(line)
    }

    /// Reads a little-endian integer in two's complement, after a byte with its length.
    fn long(&mut self) -> Result<Token<'a>, String> {
        let len = self.byte()?;
        let bytes = self.take(len.into())?;
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut full = if negative { [0xff; 8] } else { [0; 8] };
        match full.get_mut(..bytes.len()) {
            Some(low) => low.copy_from_slice(bytes),
            None => return Ok(Token::HugeInt),
        }
        Ok(Token::Int(i64::from_le_bytes(full)))
    }
}

fn cut_off() -> String {
    "is a truncated pickle".to_owned()
}

fn refused(opcode: u8) -> String {
    format!("contains the pickle opcode 0x{opcode:02x}, which is not allowed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(bytes: &[u8]) -> Vec<Token<'_>> {
        let mut tokens = Tokens::new(bytes, Dialect::Data);
        std::iter::from_fn(|| (!tokens.is_empty()).then(|| tokens.next().unwrap())).collect()
    }

    #[test]
    fn integers_of_every_size_are_read() {
        let bytes = b"K\xffM\x00\x01J\xfe\xff\xff\xff\x8a\x00\x8a\x01\xff\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01";
        let want = [
            Token::Int(255),
            Token::Int(256),
            Token::Int(-2),
            Token::Int(0),
            Token::Int(-1),
            Token::HugeInt,
        ];
        assert_eq!(tokens(bytes), want);
    }

    #[test]
    fn length_beyond_the_end_is_refused() {
        for bytes in
            [&b"X\xff\xff\xff\x7fab"[..], b"\x96\xff\xff\xff\xff\xff\xff\xff\xffa", b"cmodule"]
        {
            assert_eq!(Tokens::new(bytes, Dialect::Data).next(), Err(cut_off()));
        }
    }

    #[test]
    fn opcode_outside_the_list_is_refused_by_number() {
        // INST could call a function without GLOBAL. BINPUT is allowed in torch files only, MEMOIZE in
        // `data` only.
        for (opcode, dialect) in
            [(b'i', Dialect::Torch), (b'q', Dialect::Data), (0x94, Dialect::Torch)]
        {
            let message = Tokens::new(&[opcode, 0], dialect).next().unwrap_err();
            assert!(message.contains(&format!("0x{opcode:02x}")), "{message}");
        }
    }
}
