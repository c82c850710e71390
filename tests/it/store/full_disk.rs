//! A disk that runs full under the store, in spite of the reserve: the store goes on by itself when there is space.
//! Needs root, to mount a small file system.

use super::{embedded::noise, entry, key, options, read_all};
use hookwell::store::{Entry, Error, Journal, Log, Status, Store, embedded::EmbeddedStore};
use std::{fs, path::PathBuf, process::Command, time::Duration};

const LOG: Log = Log::Notifications;

struct SmallDisk(PathBuf);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_disk_that_ran_full_is_used_again_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=40m", "tmpfs"]).arg(dir.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("NOT TESTED: a disk that runs full, since a small file system cannot be mounted here");
        return;
    }
    let disk = SmallDisk(dir.path().to_owned());
    let (ballast, data) = (disk.0.join("ballast"), disk.0.join("data"));
    fs::write(&ballast, vec![0; 20 << 20]).unwrap();

    let store = EmbeddedStore::open(&data, options()).unwrap();
    let mut acknowledged = Vec::new();
    let refusal = loop {
        let number = acknowledged.len() as u64;
        let appended = store.append(LOG, Entry { body: noise(number, 20_000).into(), ..entry(number) }).await;
        match appended {
            Ok(_) => acknowledged.push(number),
            Err(error) => break error,
        }
    };
    let Error::Unavailable { reason } = &refusal else { panic!("{refusal}") };
    assert!(reason.to_lowercase().contains("space"), "{reason}");

    fs::remove_file(&ballast).unwrap();
    let recovered = async {
        while store.status() != Status::Ready || store.append(LOG, entry(1_000_000)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), recovered).await.expect("it comes back by itself");
    for number in &acknowledged {
        let found = store.find(LOG, key(*number)).await.unwrap().expect("acknowledged before the disk was full");
        assert!(found.body == noise(*number, 20_000));
    }
    let records = read_all(&store, LOG).await;
    store.close().await;
    drop(store);
    assert!(read_all(&EmbeddedStore::open(&data, options()).unwrap(), LOG).await == records);
}
