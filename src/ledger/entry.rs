//! One entry of the ledger: what was found of one hour of one stream of a binding, and where it stands in the chain. Pure.

use crate::domain::{Account, BindingId, Stream, hour_after};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::{fmt, fmt::Write as _};
use uuid::Uuid;

/// Of the keys of entries; never change it.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x6d0c_4f0e_2f0b_4c35_9a8e_0b1f_7d52_c4e1);
const HASH_BYTES: usize = 32;

/// A SHA-256, in lower-case hexadecimal wherever it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// What the first entry of all names as the one before it.
    pub const NONE: Self = Self([0; HASH_BYTES]);

    /// Of an entry, as it is kept.
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * HASH_BYTES);
        write!(text, "{self}").map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; HASH_BYTES];
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if text.len() != 2 * HASH_BYTES {
            return Err(serde::de::Error::custom("a SHA-256 has 64 hexadecimal digits"));
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (high, low) = (digit(pair[0]), digit(pair[1]));
            let value = high.zip(low).map(|(high, low)| high << 4 | low);
            *byte = value.ok_or_else(|| serde::de::Error::custom("not hexadecimal"))?;
        }
        Ok(Self(bytes))
    }
}

/// An hour of a stream of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour {
    /// Whose.
    pub binding: BindingId,
    /// Of what.
    pub stream: Stream,
    /// Its beginning.
    pub from: Timestamp,
}

/// As it is kept. The chain is over these bytes, so members are only ever added, at the end and optional.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without a gap.
    pub number: u64,
    /// The hash of the entry before it.
    pub previous: Hash,
    /// Whose hour.
    pub binding: BindingId,
    /// Of what.
    pub stream: Stream,
    /// The hour's beginning.
    pub hour: Timestamp,
    /// From 1: a higher one supersedes what was found of this hour before.
    pub revision: u32,
    /// When it was written, to the millisecond.
    pub compared_at: Timestamp,
    /// Up to when the hour had been compared: its end, or before that while it was running.
    pub compared_until: Timestamp,
    /// What was found.
    #[serde(flatten)]
    pub account: Account,
}

impl Entry {
    /// Which hour it is about.
    pub fn of(&self) -> Hour {
        Hour { binding: self.binding, stream: self.stream, from: self.hour }
    }

    /// Whether the hour was over when it was compared.
    pub fn is_whole(&self) -> bool {
        self.compared_until >= hour_after(self.hour)
    }

    /// As it is kept.
    ///
    /// # Panics
    /// Never: an entry is plain data with string keys.
    pub fn to_stored(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an entry is plain data with string keys")
    }

    /// From what is kept.
    pub fn from_stored(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Its key in the log.
    pub fn key(&self) -> Uuid {
        key(self.of(), self.revision)
    }
}

/// The key of what was found of an hour at this revision: made of what it is about, so that an hour is found without an index.
pub fn key(hour: Hour, revision: u32) -> Uuid {
    let Hour { binding, stream, from } = hour;
    let (second, revision) = (from.as_second().to_be_bytes(), revision.to_be_bytes());
    let parts = [binding.0.as_bytes().as_slice(), stream.word().as_bytes(), &second, &revision].concat();
    Uuid::new_v5(&KEY_NAMESPACE, &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written_and_a_hash_in_hexadecimal_only() {
        let entry = Entry {
            number: 7,
            previous: Hash::of(b"before"),
            binding: BindingId(Uuid::from_u128(1)),
            stream: Stream::Builds,
            hour: "2026-11-22T10:00:00Z".parse().unwrap(),
            revision: 2,
            compared_at: "2026-11-22T11:05:00.123Z".parse().unwrap(),
            compared_until: "2026-11-22T11:00:00Z".parse().unwrap(),
            account: Account { expected: 3, received: 2, rest: 1, ..Account::default() },
        };
        assert_eq!(Entry::from_stored(&entry.to_stored()), Some(entry.clone()));
        assert!(entry.is_whole());
        let text = String::from_utf8(entry.to_stored()).unwrap();
        let digits = entry.previous.to_string();
        assert!(text.contains(&digits) && digits.len() == 64, "{text}");
        for wrong in ["", "0", &digits[1..], &format!("{}g", &digits[1..])] {
            assert_eq!(Entry::from_stored(text.replace(&digits, wrong).as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn what_it_is_about_makes_its_key() {
        let hour = |second, stream| Hour {
            binding: BindingId(Uuid::from_u128(1)),
            stream,
            from: Timestamp::from_second(second).unwrap(),
        };
        let keys = [
            key(hour(0, Stream::Pushes), 1),
            key(hour(0, Stream::Pushes), 2),
            key(hour(3_600, Stream::Pushes), 1),
            key(hour(0, Stream::PullRequests), 1),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key));
        }
    }
}
