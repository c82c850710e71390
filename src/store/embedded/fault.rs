//! How the disk fails us.

use crate::store::{Error, OpenError};
use std::{io, path::Path};

/// A failure of the disk or of its contents.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The operating system refused: it may work again later.
    Io(String),
    /// A file says something that was never written, at this place.
    Damaged(String),
}

impl Fault {
    /// The operating system's word about a path.
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::Io(format!("{path}: {error}"))
    }

    /// For a person.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Io(text) | Self::Damaged(text) => text,
        }
    }

    /// The error that a waiter gets when his own work could not be done.
    pub(super) fn unavailable(&self) -> Error {
        Error::Unavailable { reason: self.text().to_owned() }
    }

    /// The error of opening a directory.
    pub(super) fn of_opening(self, path: &Path) -> OpenError {
        let path = path.display().to_string();
        match self {
            Self::Io(reason) => OpenError::Io { path, reason },
            Self::Damaged(what) => OpenError::Corrupt { path, what },
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(reason) => Self::Unavailable { reason },
            Fault::Damaged(what) => Self::Corrupt { what },
        }
    }
}
