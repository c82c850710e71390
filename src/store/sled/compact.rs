//! Giving space back: sled's file never shrinks, so what lives is copied into a new tree that takes the old one's place.

use super::{
    Options,
    db::{Db, Write},
    files::{self, DataDir},
    load::Loaded,
    writer::open_error,
};
use crate::store::OpenError;
use std::{fs, path::Path};

/// Bytes of one commit of the copy.
const COMMIT_BYTES: usize = 4 << 20;

/// What compacting gave back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Size on disk before.
    pub before_bytes: u64,
    /// Size on disk now.
    pub after_bytes: u64,
}

/// Rewrites a data directory that nobody has open, so that it takes only what is kept. Blocks; needs space for a second
/// copy of what is kept. After a crash at any point the next opening finds the old or the new store, whole.
///
/// # Errors
/// As [`super::SledStore::open`]; the directory is as it was then.
pub fn compact(dir: &Path, options: &Options) -> Result<Compacted, OpenError> {
    if !dir.join("format").exists() {
        return Err(OpenError::Io {
            path: dir.display().to_string(),
            reason: "it holds no store; check the path".into(),
        });
    }
    let dir = DataDir::open(dir)?;
    let (from, to) = (dir.store(), dir.new_store());
    let before_bytes = files::disk_bytes(&from);
    if to.exists() {
        fs::remove_dir_all(&to).map_err(files::unusable(&to))?;
    }
    let source = Db::open(&from, options.cache_bytes, options.sync_data).map_err(|fault| open_error(&from, fault))?;
    // Damage must not be copied and then called whole.
    Loaded::read(&source).map_err(|fault| open_error(&from, fault))?;
    let target = Db::open(&to, options.cache_bytes, options.sync_data).map_err(|fault| open_error(&to, fault))?;
    let mut pending: (Vec<Write>, usize) = (Vec::new(), 0);
    source
        .scan(&[], |key, value| {
            super::layout::unseal(key, value)?;
            pending.1 += key.len() + value.len();
            pending.0.push((key.to_vec(), Some(value.to_vec())));
            if pending.1 < COMMIT_BYTES {
                return Ok(());
            }
            target.commit(std::mem::take(&mut pending).0)
        })
        .and_then(|()| target.commit(pending.0))
        .map_err(|fault| open_error(&from, fault))?;
    drop(source);
    drop(target);
    sync_all(&to).map_err(files::unusable(&to))?;
    dir.sync()?;
    dir.swap()?;
    Ok(Compacted { before_bytes, after_bytes: files::disk_bytes(&from) })
}

fn sync_all(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        fs::File::open(entry?.path())?.sync_all()?;
    }
    fs::File::open(dir)?.sync_all()
}
