//! An input as a script: its bytes are events and what they need to know.

/// What is left of the input.
pub(super) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// The next byte, if there is one.
    pub(super) fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// The next byte, 0 after the end.
    pub(super) fn byte(&mut self) -> u8 {
        self.next().unwrap_or_default()
    }

    /// A packet identifier: few, so that they come again.
    pub(super) fn id(&mut self) -> u16 {
        u16::from(self.byte() & 7) + 1
    }

    /// As many bytes as the next one says, or are left.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }

    /// One of these.
    pub(super) fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::from(self.byte()) % values.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::Script;

    #[test]
    fn a_script_that_ends_early_is_a_script() {
        let mut script = Script::new(&[1, 200, 7]);
        assert_eq!(script.next(), Some(1));
        assert_eq!(script.bytes(), [7]);
        assert_eq!(
            (script.next(), script.byte(), script.bytes()),
            (None, 0, &[][..])
        );
    }
}
