//! Reading everything: damage where no opening looks is found, and nothing is changed by looking.

use super::{
    damage::{files, fresh, sample},
    embedded::small_segments,
};
use hookwell::store::{Journal as _, Log, Position, embedded::EmbeddedStore};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// The result of reading all of it: flawed places, and records that cannot be read.
fn verify(dir: &Path) -> (Vec<String>, Vec<String>) {
    let before: Vec<_> = files(dir).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let (aside, mut told) = (tempfile::tempdir().unwrap(), Vec::new());
    let store = EmbeddedStore::examine(dir, small_segments(), aside.path()).unwrap();
    let flaws = store.verify(|done, total| told.push((done, total))).unwrap();
    let (last, all) = (*told.last().unwrap(), fs::metadata(segments(dir).last().unwrap()).unwrap().len());
    assert!(last.0 == last.1 && last.1 > all, "{told:?}");
    let damage = store.damage().iter().map(ToString::to_string).collect();
    drop(store);
    let after: Vec<_> = files(dir).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    assert!(before == after, "looking changed something");
    assert_eq!(fs::read_dir(aside.path()).unwrap().count(), 0);
    (flaws.iter().map(ToString::to_string).collect(), damage)
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "segment");
    files(&dir.join("journal")).into_iter().filter(is_segment).collect()
}

fn flip(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x41], at).unwrap();
}

#[tokio::test]
async fn a_store_that_is_as_it_was_written_has_no_flaw_also_without_its_indexes() {
    let original = tempfile::tempdir().unwrap();
    sample(original.path()).await;
    assert_eq!(verify(original.path()), (Vec::new(), Vec::new()));
    for path in files(&original.path().join("journal")) {
        if path.extension().is_some_and(|extension| extension == "index") {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(verify(original.path()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_flipped_byte_anywhere_in_any_segment_is_found_with_its_place() {
    let original = tempfile::tempdir().unwrap();
    sample(original.path()).await;
    let mut lost = 0;
    for (segment, path) in segments(original.path()).iter().enumerate() {
        let len = fs::metadata(path).unwrap().len();
        for tenth in 0..10 {
            let dir = fresh(original.path());
            let at = len * tenth / 10;
            flip(&segments(dir.path())[segment], at);
            let (flaws, damage) = verify(dir.path());
            let [flaw] = &flaws[..] else { panic!("byte {at} of {}: {flaws:?}", path.display()) };
            let bytes: Vec<u64> = flaw.split(' ').filter_map(|word| word.parse().ok()).collect();
            assert!(flaw.contains(path.file_name().unwrap().to_str().unwrap()), "{flaw}");
            assert!((bytes[0]..bytes[1]).contains(&at), "byte {at}: {flaw}");
            for damage in &damage {
                assert!(damage.contains("received"), "{damage}");
            }
            lost += damage.len();
        }
    }
    assert!(lost > 20, "only {lost} hit a record");
}

#[tokio::test]
async fn a_segment_that_was_cut_in_the_middle_is_found_with_what_it_had() {
    let original = tempfile::tempdir().unwrap();
    sample(original.path()).await;
    for (segment, path) in segments(original.path()).iter().enumerate() {
        for without_index in [false, true] {
            let dir = fresh(original.path());
            let cut = &segments(dir.path())[segment];
            let len = fs::metadata(cut).unwrap().len();
            File::options().write(true).open(cut).unwrap().set_len(len / 2).unwrap();
            if without_index {
                let _ = fs::remove_file(cut.with_extension("index"));
            }
            let (flaws, damage) = verify(dir.path());
            let [flaw] = &flaws[..] else { panic!("{}: {flaws:?}", path.display()) };
            assert!(flaw.contains(&format!("to {len} ")), "{flaw}; it had {len}");
            assert!(!damage.is_empty());
        }
    }
}

#[tokio::test]
async fn records_that_lie_where_something_is_wrong_are_those_that_cannot_be_read() {
    let original = tempfile::tempdir().unwrap();
    let (records, _) = sample(original.path()).await;
    let dir = fresh(original.path());
    let segment = &segments(dir.path())[1];
    flip(segment, fs::metadata(segment).unwrap().len() / 3);
    let aside = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::examine(dir.path(), small_segments(), aside.path()).unwrap();
    store.verify(|_, _| {}).unwrap();
    let named = store.damage();
    let page = store.read(Log::Notifications, Position(0), super::ALL).await.unwrap();
    assert_eq!(named, page.left_out);
    assert_eq!(page.len() as u64 + named.iter().map(hookwell::store::Damage::count).sum::<u64>(), records.len() as u64);
}
