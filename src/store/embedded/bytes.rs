//! Numbers and texts as bytes, big-endian, so that order of bytes is order of numbers.

/// Reads numbers and slices off the front of content; `None` when it ends too early.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A text with its length in one byte before it.
    pub(super) fn short_text(&mut self) -> Option<String> {
        let len = self.u8()?;
        String::from_utf8(self.bytes(usize::from(len))?.to_vec()).ok()
    }
}

/// Writes a text of at most 255 bytes with its length before it.
pub(super) fn put_short_text(text: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).expect("kinds, ids and names are checked to be at most 200 bytes"));
    out.extend(text.as_bytes());
}

/// A length that is known to be far below four billion.
pub(super) fn number(len: usize) -> u32 {
    u32::try_from(len).expect("an entry is at most 32 MiB, and a commit little more")
}
