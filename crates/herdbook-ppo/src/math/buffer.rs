//! Floats that start on a cache line.

use std::ops::{Deref, DerefMut};

use super::LINE;

/// A fixed number of floats, zero at first. Vectors that straddle two cache lines take twice as
/// long to load, so the first float is put at the start of one.
#[derive(Debug)]
pub(crate) struct Buffer {
    floats: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    pub(crate) fn zeroed(len: usize) -> Self {
        let floats = vec![0.0_f32; len + LINE];
        let start = floats.as_ptr().align_offset(LINE * size_of::<f32>());
        // `align_offset` may decline to answer; unaligned floats are slower, not wrong.
        let start = if start <= LINE { start } else { 0 };
        Self { floats, start, len }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.floats[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.floats[self.start..self.start + self.len]
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_float_starts_a_cache_line_also_in_a_copy() {
        for len in [0, 1, 16, 1_000] {
            let buffer = Buffer::zeroed(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.clone().as_ptr().align_offset(64), 0);
            assert_eq!(buffer.as_ptr().align_offset(64), 0);
        }
    }

    #[test]
    fn copies_are_equal_whatever_their_address() {
        let mut buffer = Buffer::zeroed(3);
        buffer.copy_from_slice(&[1.0, 2.0, 3.0]);
        assert_eq!(buffer.clone(), buffer);
        assert_eq!(&buffer[..], [1.0, 2.0, 3.0]);
    }
}
