//! Which clients share a budget, and which credentials were refused a moment ago.

use super::{Failure, access::Credential, budget::Budget};
use crate::clock::Clock;
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use url::Url;
use uuid::Uuid;

/// How long a refused credential is not tried again, but by a person: failing attempts may lock the account behind it.
const REFUSED_FOR: Duration = Duration::from_mins(1);

/// A credential at a place, by a digest that gives neither away.
type Fingerprint = [u8; 32];

/// The budgets and refusals that clients share, as long as one of them lives.
pub(super) struct Accounts {
    clock: Arc<dyn Clock>,
    bulk_calls_max: Option<u32>,
    by_credential: Mutex<HashMap<Fingerprint, Weak<Budget>>>,
    by_user: Mutex<HashMap<(Uuid, Uuid), Weak<Budget>>>,
    refusals: Mutex<HashMap<Fingerprint, Weak<Refusal>>>,
}

impl Accounts {
    pub(super) fn new(clock: Arc<dyn Clock>, bulk_calls_max: Option<u32>) -> Self {
        let (by_credential, by_user, refusals) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { clock, bulk_calls_max, by_credential, by_user, refusals }
    }

    /// The account of a credential. The budget is the credential's at that origin, since one token opens several
    /// organizations; a refusal is about one of them.
    pub(super) fn account(&self, base: &Url, credential: Option<&Credential>) -> Account {
        let origin = base.origin().ascii_serialization();
        let budget = shared(&self.by_credential, fingerprint(&origin, credential), || {
            Arc::new(Budget::new(Arc::clone(&self.clock), self.bulk_calls_max))
        });
        let refusal = shared(&self.refusals, fingerprint(base.as_str(), credential), || {
            Arc::new(Refusal { clock: Arc::clone(&self.clock), last: Mutex::default() })
        });
        Account { budget: Mutex::new(budget), refusal }
    }

    /// Says whose account it is: another credential of the same user spends the same budget.
    pub(super) fn join(&self, account: &Account, instance: Uuid, user: Uuid) {
        let own = account.budget();
        let joint = shared(&self.by_user, (instance, user), || Arc::clone(&own));
        if !Arc::ptr_eq(&own, &joint) {
            joint.absorb(&own);
            *account.budget.lock().unwrap_or_else(PoisonError::into_inner) = joint;
        }
    }
}

/// The living entry of that key, or a new one; entries that nobody uses go on the way.
fn shared<K: Eq + Hash, V>(entries: &Mutex<HashMap<K, Weak<V>>>, key: K, make: impl FnOnce() -> Arc<V>) -> Arc<V> {
    let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(living) = entries.get(&key).and_then(Weak::upgrade) {
        return living;
    }
    entries.retain(|_, entry| entry.strong_count() > 0);
    let new = make();
    entries.insert(key, Arc::downgrade(&new));
    new
}

fn fingerprint(place: &str, credential: Option<&Credential>) -> Fingerprint {
    let mut digest = Sha256::new();
    let mut part = |text: &str| {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    part(place);
    let parts: &[&str] = match credential {
        None => &["nobody"],
        Some(Credential::Pat(token)) => &["token", token],
        Some(Credential::ServicePrincipal { tenant, client_id, proof, .. }) => {
            &["principal", tenant, client_id, proof.secret()]
        }
        Some(Credential::ManagedIdentity { client_id }) => &["machine", client_id.as_deref().unwrap_or_default()],
    };
    for text in parts {
        part(text);
    }
    digest.finalize().into()
}

/// What the clients of one credential share.
pub(super) struct Account {
    budget: Mutex<Arc<Budget>>,
    pub(super) refusal: Arc<Refusal>,
}

impl Account {
    pub(super) fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// That a credential was refused, and until when it is not tried again by machines.
pub(super) struct Refusal {
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(Duration, Failure)>>,
}

impl Refusal {
    /// Remembers it.
    pub(super) fn note(&self, failure: &Failure) {
        let until = self.clock.monotonic() + REFUSED_FOR;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((until, failure.clone()));
    }

    /// The credential was taken.
    pub(super) fn clear(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The failure, while it holds.
    pub(super) fn holds(&self) -> Option<Failure> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(until, _)| self.clock.monotonic() < *until).map(|(_, failure)| failure.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Priority, *};
    use crate::clock::ManualClock;
    use zeroize::Zeroizing;

    fn accounts() -> (Arc<ManualClock>, Accounts) {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        (Arc::clone(&clock), Accounts::new(clock, None))
    }

    fn account(accounts: &Accounts, base: &str, token: &str) -> Account {
        let credential = Credential::Pat(Zeroizing::new(token.to_owned()));
        accounts.account(&Url::parse(base).unwrap(), Some(&credential))
    }

    #[test]
    fn a_token_has_one_budget_in_all_organizations_and_a_refusal_in_each() {
        let (clock, accounts) = accounts();
        let one = account(&accounts, "https://dev.azure.com/one", "token");
        let same = account(&accounts, "https://dev.azure.com/one", "token");
        let two = account(&accounts, "https://dev.azure.com/two", "token");
        let other = account(&accounts, "https://dev.azure.com/one", "other");
        assert!(Arc::ptr_eq(&one.budget(), &two.budget()) && !Arc::ptr_eq(&one.budget(), &other.budget()));
        let failure = Failure::Unauthorized { detail: None };
        one.refusal.note(&failure);
        assert_eq!(same.refusal.holds(), Some(failure));
        assert!(two.refusal.holds().is_none() && other.refusal.holds().is_none());
        clock.advance(REFUSED_FOR);
        assert_eq!(one.refusal.holds(), None);
    }

    #[tokio::test]
    async fn credentials_of_one_user_spend_one_budget_once_it_is_known_whose_they_are() {
        let (_, accounts) = accounts();
        let one = account(&accounts, "https://tfs.example/Coll", "one");
        let two = account(&accounts, "https://tfs.example/Coll", "two");
        drop(two.budget().enter(Priority::Bulk).await.unwrap());
        let (instance, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
        accounts.join(&one, instance, user);
        accounts.join(&two, instance, user);
        accounts.join(&two, instance, user);
        assert!(Arc::ptr_eq(&one.budget(), &two.budget()));
        assert_eq!(one.budget().spent().calls, 1);
        let three = account(&accounts, "https://tfs.example/Coll", "three");
        accounts.join(&three, instance, Uuid::from_u128(3));
        assert!(!Arc::ptr_eq(&one.budget(), &three.budget()));
    }
}
