//! Lists that were read a moment ago.

use super::{Call, ITEMS_MAX, Item};
use crate::{azure::client::Failure, domain::ConnectionId};
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::OnceCell;

/// How long a list is good for.
const FRESH_FOR: Duration = Duration::from_mins(5);
/// Most lists.
const LISTS_MAX: usize = 256;
/// Most memory for all of them.
const BYTES_MAX: usize = 32 << 20;

/// A whole list, sorted.
#[derive(Debug, PartialEq, Eq)]
pub struct List {
    /// By [`Item::key`], each with it.
    pub items: Vec<(String, Item)>,
    /// Whether there were more than a list may have, or than were read.
    pub is_cut: bool,
}

impl List {
    /// Sorted, and cut to what a list may have. `goes_on` says that Azure had more.
    pub fn new(items: Vec<Item>, goes_on: bool) -> Self {
        let mut items: Vec<(String, Item)> = items.into_iter().map(|item| (item.key(), item)).collect();
        items.sort_by(|(one, _), (other, _)| one.cmp(other));
        let is_cut = goes_on || items.len() > ITEMS_MAX;
        items.truncate(ITEMS_MAX);
        Self { items, is_cut }
    }

    /// About what it takes in memory.
    fn bytes(&self) -> usize {
        let texts = |item: &Item| match item {
            Item::Project(project) => project.description.as_ref().map_or(0, String::len) + project.state.len(),
            Item::Repository(repository) => {
                repository.project_name.len() + repository.web_url.as_ref().map_or(0, String::len)
            }
            Item::Pipeline(pipeline) => pipeline.path.len(),
            Item::WorkItemType(kind) => kind.states.iter().map(|(name, _)| 80 + name.len()).sum(),
        };
        self.items.iter().map(|(key, item)| size_of::<(String, Item)>() + 2 * key.len() + texts(item)).sum()
    }
}

type Key = (ConnectionId, u64, Call);

struct Entry {
    made_at: Duration,
    /// Empty while it is being read: whoever asks for the same in the meantime waits for it.
    list: Arc<OnceCell<Arc<List>>>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.list.get().map_or(0, |list| list.bytes())
    }
}

/// Lists by connection, its version, and call: a changed connection starts anew.
#[derive(Default)]
pub struct Cache(Mutex<HashMap<Key, Entry>>);

impl Cache {
    /// The list, read when there is none that is fresh; several who ask at once pay for one reading.
    pub(super) async fn list(
        &self,
        key: Key,
        now: Duration,
        refresh: bool,
        reading: impl Future<Output = Result<List, Failure>>,
    ) -> Result<Arc<List>, Failure> {
        let cell = self.cell(&key, now, refresh);
        let list = cell.get_or_try_init(|| async { reading.await.map(Arc::new) }).await.cloned();
        self.trim();
        list
    }

    fn cell(&self, key: &Key, now: Duration, refresh: bool) -> Arc<OnceCell<Arc<List>>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|(id, version, _), entry| {
            now.saturating_sub(entry.made_at) < FRESH_FOR && (*id != key.0 || *version >= key.1)
        });
        // One that is being read is as fresh as one could wish.
        let fresh = entries.get(key).filter(|entry| !refresh || !entry.list.initialized());
        if let Some(entry) = fresh {
            return Arc::clone(&entry.list);
        }
        let list = Arc::<OnceCell<Arc<List>>>::default();
        entries.insert(key.clone(), Entry { made_at: now, list: Arc::clone(&list) });
        list
    }

    /// The oldest go first.
    fn trim(&self) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes: usize = entries.values().map(Entry::bytes).sum();
        while entries.len() > LISTS_MAX || bytes > BYTES_MAX {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.made_at).map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| entries.remove(&key)) else { return };
            bytes -= entry.bytes();
        }
    }

    pub(super) fn forget(&self, connection: ConnectionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(id, ..), _| *id != connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::client::BuildDefinition;
    use std::sync::atomic::{AtomicU32, Ordering};
    use uuid::Uuid;

    fn pipelines(count: usize, name_bytes: usize) -> List {
        let one = |id| BuildDefinition { id, name: "n".repeat(name_bytes), path: String::new() };
        List::new((0..count).map(|id| Item::Pipeline(one(i64::try_from(id).unwrap()))).collect(), false)
    }

    fn key(version: u64, project: &str) -> Key {
        (ConnectionId(Uuid::nil()), version, Call::Pipelines(project.to_owned()))
    }

    #[tokio::test]
    async fn a_list_is_read_once_while_it_is_fresh_and_the_connection_is_the_same() {
        let (cache, read) = (Cache::default(), AtomicU32::new(0));
        let list = async |key, now: u64, refresh| {
            let reading = async {
                read.fetch_add(1, Ordering::Relaxed);
                Ok(pipelines(1, 1))
            };
            cache.list(key, Duration::from_secs(now), refresh, reading).await.unwrap();
            read.load(Ordering::Relaxed)
        };
        assert_eq!(list(key(1, "a"), 0, false).await, 1);
        assert_eq!(list(key(1, "a"), 299, false).await, 1);
        assert_eq!(list(key(1, "b"), 299, false).await, 2, "another call");
        assert_eq!(list(key(1, "a"), 300, false).await, 3, "five minutes old");
        assert_eq!(list(key(1, "a"), 301, true).await, 4, "asked for anew");
        assert_eq!(list(key(2, "a"), 302, false).await, 5, "another version");
        cache.forget(ConnectionId(Uuid::nil()));
        assert_eq!(list(key(2, "a"), 303, false).await, 6);
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let cache = Cache::default();
        let fails = async { Err(Failure::NotFound { detail: None }) };
        assert!(cache.list(key(1, "a"), Duration::ZERO, false, fails).await.is_err());
        assert!(cache.list(key(1, "a"), Duration::ZERO, false, async { Ok(pipelines(1, 1)) }).await.is_ok());
    }

    #[tokio::test]
    async fn it_keeps_within_its_bounds() {
        let cache = Cache::default();
        let fill = async |count: usize, list: fn() -> List| {
            for n in 0..count {
                let now = Duration::from_millis(n as u64);
                cache.list(key(1, &n.to_string()), now, false, async { Ok(list()) }).await.unwrap();
            }
        };
        fill(300, || pipelines(1, 1)).await;
        assert_eq!(cache.0.lock().unwrap().len(), LISTS_MAX);
        cache.forget(ConnectionId(Uuid::nil()));
        fill(60, || pipelines(1_000, 400)).await;
        let entries = cache.0.lock().unwrap();
        let bytes: usize = entries.values().map(Entry::bytes).sum();
        assert!((BYTES_MAX / 2..=BYTES_MAX).contains(&bytes) && entries.len() < 60, "{bytes}");
        assert!(entries.contains_key(&key(1, "59")), "the newest stays");
    }

    #[test]
    fn a_list_is_sorted_by_name_and_cut_where_it_would_be_too_long() {
        let list = pipelines(ITEMS_MAX + 1, 1);
        assert!(list.is_cut && list.items.len() == ITEMS_MAX);
        assert!(list.items.is_sorted_by_key(|(key, _)| key.clone()));
        assert!(!pipelines(ITEMS_MAX, 1).is_cut);
        assert!(List::new(Vec::new(), true).is_cut);
    }
}
