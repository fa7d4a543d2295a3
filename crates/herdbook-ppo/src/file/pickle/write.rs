//! Writing pickles of protocol 2, with opcodes that `torch.load(weights_only=True)` accepts.

/// Writes values in the order of the calls. Nothing is shared, so nothing is memoized.
#[derive(Debug)]
pub(crate) struct PickleWriter {
    bytes: Vec<u8>,
}

impl PickleWriter {
    pub(crate) fn new() -> Self {
        Self { bytes: b"\x80\x02".to_vec() }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(b'.');
        self.bytes
    }

    pub(crate) fn none(&mut self) {
        self.bytes.push(b'N');
    }

    pub(crate) fn boolean(&mut self, flag: bool) {
        self.bytes.push(if flag { 0x88 } else { 0x89 });
    }

    pub(crate) fn int(&mut self, number: u32) {
        if let Ok(byte) = u8::try_from(number) {
            self.bytes.extend([b'K', byte]);
        } else if let Ok(number) = i32::try_from(number) {
            self.bytes.push(b'J');
            self.bytes.extend(number.to_le_bytes());
        } else {
            // A fifth byte, so that the highest bit is not the sign.
            self.bytes.extend([0x8a, 5]);
            self.bytes.extend(number.to_le_bytes());
            self.bytes.push(0);
        }
    }

    pub(crate) fn float(&mut self, number: f64) {
        self.bytes.push(b'G');
        self.bytes.extend(number.to_be_bytes());
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.bytes.push(b'X');
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.bytes.extend(text.as_bytes());
    }

    pub(crate) fn global(&mut self, module: &str, name: &str) {
        self.bytes.extend(format!("c{module}\n{name}\n").as_bytes());
    }

    pub(crate) fn tuple(&mut self, items: impl FnOnce(&mut Self)) {
        self.bytes.push(b'(');
        items(self);
        self.bytes.push(b't');
    }

    pub(crate) fn list(&mut self, items: impl FnOnce(&mut Self)) {
        self.bytes.extend(b"](");
        items(self);
        self.bytes.push(b'e');
    }

    /// Writes a dictionary. `entries` writes keys and values in turn.
    pub(crate) fn dict(&mut self, entries: impl FnOnce(&mut Self)) {
        self.bytes.push(b'}');
        self.fill(entries);
    }

    /// Adds entries to the dictionary written last. `entries` writes keys and values in turn.
    pub(crate) fn fill(&mut self, entries: impl FnOnce(&mut Self)) {
        self.bytes.push(b'(');
        entries(self);
        self.bytes.push(b'u');
    }

    /// Writes a call of a function with the arguments that `arguments` writes.
    pub(crate) fn call(&mut self, module: &str, name: &str, arguments: impl FnOnce(&mut Self)) {
        self.global(module, name);
        self.tuple(arguments);
        self.bytes.push(b'R');
    }

    /// Writes a reference to an object outside of the pickle, described by a tuple.
    pub(crate) fn persistent(&mut self, description: impl FnOnce(&mut Self)) {
        self.tuple(description);
        self.bytes.push(b'Q');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::location::Location;
    use crate::file::pickle::machine::{Globals, parse};
    use crate::file::pickle::tokens::Dialect;

    #[test]
    fn written_pickle_is_read_back() {
        let mut writer = PickleWriter::new();
        writer.dict(|w| {
            w.string("numbers");
            w.list(|w| {
                for number in [0, 255, 256, 1 << 31] {
                    w.int(number);
                }
            });
            w.string("rest");
            w.tuple(|w| {
                w.none();
                w.boolean(true);
                w.float(-0.5);
            });
        });
        let bytes = writer.finish();
        let location = Location { file: "f", member: "m" };
        let pickle = parse(&bytes, Dialect::Torch, Globals::Only(&[]), location).unwrap();
        let want =
            serde_json::json!({"numbers": [0, 255, 256, 1_u64 << 31], "rest": [null, true, -0.5]});
        assert_eq!(pickle.root().to_json().unwrap(), want);
    }
}
