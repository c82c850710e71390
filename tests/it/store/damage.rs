//! A damaged file gives a clear error or loses a tail: never a panic that escapes, never bytes that were not written.

use super::{ALL, entry, open, options, read_all};
use hookwell::store::{Entry, Error, Journal, Log, OpenError, Position, Record, sled::SledStore};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
};

const LOG: Log = Log::Notifications;

/// Writes a store and gives back its files and its records.
async fn sample(dir: &Path) -> (Vec<u8>, Vec<Record>) {
    let store = open(dir);
    for round in 0..30_u64 {
        let appends = (0..20).map(|number| {
            let number = round * 20 + number;
            let mut seed = number;
            let body: Vec<u8> = (0..4_000).map(|_| b'a' + u8::try_from(random(&mut seed) % 26).unwrap()).collect();
            let body = body.into();
            store.append(LOG, Entry { body, ..entry(number) })
        });
        futures_util::future::join_all(appends).await;
    }
    let records = read_all(&store, LOG).await;
    drop(store);
    (fs::read(dir.join("store/db")).unwrap(), records)
}

/// Opens and reads everything; gives back what could be read, checking that all of it was written so.
async fn examine(dir: &Path, written: &[Record]) -> Result<usize, String> {
    let store = match SledStore::open(dir, options()) {
        Ok(store) => store,
        Err(OpenError::Corrupt { what, path }) => return Err(format!("{path}: {what}")),
        Err(other) => panic!("not named as damage: {other}"),
    };
    let mut after = Position(0);
    loop {
        match store.read(LOG, after, ALL).await {
            Ok(page) => {
                let Some(last) = page.last() else { break };
                let at = usize::try_from(after.0).unwrap();
                assert!(page == written[at..at + page.len()], "wrong records after {after}");
                after = last.position;
            }
            Err(Error::Corrupt { what }) => return Err(what),
            Err(other) => panic!("not named as damage: {other}"),
        }
    }
    Ok(usize::try_from(after.0).unwrap())
}

fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 17
}

/// A directory as the sample left it.
fn fresh(from: &Path, file: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("store/blobs")).unwrap();
    for name in fs::read_dir(from.join("store")).unwrap() {
        let name = name.unwrap();
        if name.file_type().unwrap().is_file() && name.file_name() != "db" {
            fs::copy(name.path(), dir.path().join("store").join(name.file_name())).unwrap();
        }
    }
    fs::copy(from.join("format"), dir.path().join("format")).unwrap();
    fs::write(dir.path().join("store/db"), file).unwrap();
    dir
}

#[tokio::test]
async fn flipped_bytes_are_an_error_or_unseen_but_never_served() {
    let original = tempfile::tempdir().unwrap();
    let (file, records) = sample(original.path()).await;
    let (mut seed, mut noticed) = (42, 0);
    for _ in 0..60 {
        let dir = fresh(original.path(), &file);
        let db = File::options().write(true).open(dir.path().join("store/db")).unwrap();
        for _ in 0..20 {
            let offset = usize::try_from(random(&mut seed)).unwrap() % file.len();
            db.write_all_at(&[file[offset] ^ 0x55], offset as u64).unwrap();
        }
        match examine(dir.path(), &records).await {
            Ok(_) => {}
            Err(what) => {
                noticed += 1;
                assert!(what.contains("restore") || what.contains("move it aside"), "no remedy: {what}");
            }
        }
    }
    assert!(noticed > 0, "no damage was noticed: it tests nothing");
}

#[tokio::test]
async fn a_truncated_file_opens_without_its_tail_or_says_why_not() {
    let original = tempfile::tempdir().unwrap();
    let (file, records) = sample(original.path()).await;
    let (mut seed, mut opened) = (7, 0);
    for _ in 0..30 {
        let len = usize::try_from(random(&mut seed)).unwrap() % file.len();
        let dir = fresh(original.path(), &file[..len]);
        opened += usize::from(examine(dir.path(), &records).await.is_ok());
    }
    assert!(opened > 0, "no truncated file could be opened");
}
