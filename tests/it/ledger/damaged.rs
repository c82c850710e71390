//! The disk lost an entry of the ledger: what it still tells is shown, and what is compared again is written again.

use super::{build_provider, compared, received};
use crate::harness::Gateway;
use hookwell::{
    config::Settings,
    store::{
        Entry, Journal as _, Log, MemoryStore,
        embedded::{EmbeddedStore, Options},
    },
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};
use uuid::Uuid;

/// More than one segment's worth, so that what was written before is in a sealed one.
async fn go_on(store: &EmbeddedStore) {
    for _ in 0..8 {
        let body: Vec<u8> = std::iter::repeat_with(Uuid::new_v4).take(2_000).flat_map(Uuid::into_bytes).collect();
        let entry = Entry { key: Uuid::new_v4(), time: super::hours_ago(0), body: body.into() };
        store.append(Log::Notifications, entry).await.unwrap();
    }
}

/// Flips a byte of the entry with this number.
fn flip(dir: &Path, number: u64) {
    let said = format!("{{\"number\":{number},\"previous\"");
    for segment in fs::read_dir(dir.join("journal")).unwrap().map(|file| file.unwrap().path()) {
        let bytes = fs::read(&segment).unwrap();
        if let Some(at) = bytes.windows(said.len()).position(|window| window == said.as_bytes()) {
            return File::options().write(true).open(&segment).unwrap().write_all_at(b"[", at as u64).unwrap();
        }
    }
    panic!("no segment has entry {number}");
}

/// The chain, and how many hours are told.
async fn told(gateway: &Gateway) -> (Value, usize) {
    let reply = gateway.get("/v1/completeness").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let page = reply.json();
    let streams = page["data"][0]["streams"].as_array().unwrap();
    (page["chain"].clone(), streams.iter().map(|stream| stream["hours"].as_array().map_or(0, Vec::len)).sum())
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_a_place_in_the_chain_and_its_hour_is_compared_anew() {
    for lost in [1, 3, 6] {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 64 << 10, free_bytes_min: 0, ..Options::default() };
        let store = Arc::new(EmbeddedStore::open(dir.path(), options).unwrap());
        let engine = Arc::<EmbeddedStore>::clone(&store);
        let gateway = Gateway::on(Settings::default(), engine, Arc::new(MemoryStore::new())).await;
        let (_, binding) = build_provider(&gateway, "shop").await;
        for hour in 1..=6 {
            compared(&gateway, binding, 20 - hour, &[received(hour)]).await;
        }
        go_on(&store).await;
        flip(dir.path(), lost);
        let (chain, hours) = told(&gateway).await;
        let broken = json!({ "number": lost, "fault": "changed" });
        assert_eq!((&chain["verdict"], &chain["broken"], hours), (&json!("broken"), &broken, 5), "without {lost}");
        compared(&gateway, binding, 20 - lost, &[received(lost)]).await;
        let (chain, hours) = told(&gateway).await;
        assert_eq!((&chain["broken"], hours), (&broken, 6), "entry {lost}, compared again");
    }
}
