//! The file of the master keys.

use super::{Keys, Master, random_key};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use std::{
    io::{ErrorKind, Write as _},
    path::Path,
};
use zeroize::Zeroizing;

/// Why there are no master keys; each message names what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the master key file {path} cannot be used: {reason}")]
    File {
        /// The file.
        path: String,
        /// The operating system's word.
        reason: String,
    },
    /// There is none beside a store that was sealed under one.
    #[error(
        "the master key file {path} is missing, and the store beside it was sealed under its key; put it back from where \
         you keep it, or give it in HOOKWELL_MASTER_KEY"
    )]
    Missing {
        /// The file.
        path: String,
    },
    /// A key is not 32 bytes of base64url.
    #[error("{origin} holds something that is not a master key; a key is 32 bytes in base64url, one per line or comma")]
    Malformed {
        /// The file or variable.
        origin: String,
    },
    /// Everybody may read the file.
    #[error("the master key file {path} can be read by others; run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: String,
    },
}

impl Keys {
    /// From the file.
    ///
    /// # Errors
    /// `Missing` when there is none: what is stored was sealed under a key that somebody has to bring back.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let name = || path.display().to_string();
        let file_error = |e: std::io::Error| KeyError::File { path: name(), reason: e.to_string() };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                if readable_by_others(path).map_err(file_error)? {
                    return Err(KeyError::Exposed { path: name() });
                }
                Self::parse(&text, &name())
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Err(KeyError::Missing { path: name() }),
            Err(e) => Err(file_error(e)),
        }
    }

    /// From the file, which is made with a new key and mode 0600 when it does not exist.
    ///
    /// # Errors
    /// As [`Self::load`], and when it cannot be written.
    pub fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::Missing { .. }) => {}
            loaded => return loaded,
        }
        let file_error = |e: std::io::Error| KeyError::File { path: path.display().to_string(), reason: e.to_string() };
        let key = random_key();
        write_private(path, &Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*key))).map_err(file_error)?;
        Ok(Self { masters: vec![Master::new(key)] })
    }
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// Written beside, synced, then renamed: a crash leaves no half key that would lock everything sealed under it away.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
