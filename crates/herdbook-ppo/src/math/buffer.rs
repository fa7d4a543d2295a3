//! Memory for floats, aligned to cache lines.

use std::ops::{Deref, DerefMut};

use crate::math::LINE;

/// A fixed number of floats, initially zero. The first one is at the start of a cache line, since a
/// vector that straddles two cache lines takes twice as long to load.
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
        // `align_offset` is allowed to fail. Unaligned floats are slower, but not wrong.
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
    fn first_float_of_a_buffer_and_its_copy_starts_a_cache_line() {
        for len in [0, 1, 16, 1_000] {
            let buffer = Buffer::zeroed(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.clone().as_ptr().align_offset(64), 0);
            assert_eq!(buffer.as_ptr().align_offset(64), 0);
        }
    }

    #[test]
    fn copies_are_equal() {
        let mut buffer = Buffer::zeroed(3);
        buffer.copy_from_slice(&[1.0, 2.0, 3.0]);
        assert_eq!(buffer.clone(), buffer);
        assert_eq!(&buffer[..], [1.0, 2.0, 3.0]);
    }
}
