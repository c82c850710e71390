//! The open connections, and which of them have to go when there is no room for another.
//!
//! Nobody is kept out by connections that wait for their other side: of the address that has most of them, those that
//! have waited longest make room, first of all those that never sent a whole request. So whoever wants to close the
//! gateway can only drive out its own connections, and those of others that are idle. An address has a share of all
//! connections, so that one that is not even waiting leaves room; behind a proxy all have one address, and then the
//! share is the proxy's.

use super::turn::{Turn, Waiting};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// Of all connections so many make room at once: looking for them costs a look at each that is open.
const MAKE_ROOM_PART: usize = 64;
/// Connections that are told to make room may be so many more than there should be, as a part of all, until they have
/// gone: they are never cut in the middle of an answer.
pub(super) const LEAVING_PART: usize = 8;
/// How often to look again when everybody is being answered.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The connections that are open.
pub(super) struct Guests {
    max: usize,
    per_address_max: usize,
    table: Mutex<Table>,
    left: Notify,
}

#[derive(Default)]
struct Table {
    here: HashMap<u64, Here>,
    per_address: HashMap<Address, usize>,
    /// All that have not ended, those that make room among them.
    open: usize,
    next: u64,
}

struct Here {
    address: Address,
    turn: Arc<Turn>,
}

/// Whom a connection is counted for: an IPv4 address, or the network of an IPv6 address, because one machine has all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Address(IpAddr);

/// A connection's place; free again when it is dropped.
pub(super) struct Place {
    guests: Arc<Guests>,
    id: u64,
}

/// No more connections from this address: all it has are being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OverShare;

impl Guests {
    pub(super) fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { max, per_address_max, table: Mutex::default(), left: Notify::new() })
    }

    /// Takes a connection in, once there is room for it.
    pub(super) async fn admit(self: &Arc<Self>, peer: IpAddr, turn: &Arc<Turn>) -> Result<Place, OverShare> {
        loop {
            match self.table().admit(self.max, self.per_address_max, Address::of(peer), turn) {
                Some(Ok(id)) => return Ok(Place { guests: Arc::clone(self), id }),
                Some(Err(refused)) => return Err(refused),
                None => {}
            }
            tokio::select! {
                () = self.left.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// `None`: not yet.
    fn admit(
        &mut self,
        max: usize,
        per_address_max: usize,
        address: Address,
        turn: &Arc<Turn>,
    ) -> Option<Result<u64, OverShare>> {
        let make_room = max.div_ceil(MAKE_ROOM_PART);
        let own = self.per_address.get(&address).copied().unwrap_or_default();
        if own >= per_address_max && self.make_room(make_room, Some(address)) == 0 {
            return Some(Err(OverShare));
        }
        if self.here.len() >= max && self.make_room(make_room, None) == 0 {
            return None;
        }
        if self.open >= max + max.div_ceil(LEAVING_PART) {
            return None;
        }
        let id = self.next;
        self.next += 1;
        self.open += 1;
        *self.per_address.entry(address).or_default() += 1;
        self.here.insert(id, Here { address, turn: Arc::clone(turn) });
        Some(Ok(id))
    }

    /// Asks up to so many to leave, of one address or of all; answers how many.
    fn make_room(&mut self, count: usize, of: Option<Address>) -> usize {
        let waiting = self.here.iter().filter(|(_, here)| of.is_none_or(|address| here.address == address));
        let waiting: Vec<_> =
            waiting.filter_map(|(id, here)| Some((*id, here.address, here.turn.waiting()?))).collect();
        let chosen = chosen(waiting, count);
        for id in &chosen {
            if let Some(here) = self.forget(*id) {
                here.turn.leave();
            }
        }
        chosen.len()
    }

    fn forget(&mut self, id: u64) -> Option<Here> {
        let here = self.here.remove(&id)?;
        if let Some(count) = self.per_address.get_mut(&here.address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&here.address);
            }
        }
        Some(here)
    }
}

/// Those that never asked before those that did, the address with most of them before the others, the longest waiting
/// before the rest; never more than half of them, so that a single newcomer does not empty a small house.
fn chosen(mut waiting: Vec<(u64, Address, Waiting)>, count: usize) -> Vec<u64> {
    if waiting.iter().any(|(_, _, waiting)| !waiting.asked) {
        waiting.retain(|(_, _, waiting)| !waiting.asked);
    }
    let mut per_address: HashMap<Address, usize> = HashMap::new();
    for (_, address, _) in &waiting {
        *per_address.entry(*address).or_default() += 1;
    }
    let Some((most, _)) = per_address.into_iter().max_by_key(|(_, count)| *count) else { return Vec::new() };
    waiting.retain(|(_, address, _)| *address == most);
    waiting.sort_unstable_by_key(|(_, _, waiting)| waiting.since);
    waiting.truncate(count.min(waiting.len().div_ceil(2)));
    waiting.into_iter().map(|(id, ..)| id).collect()
}

impl Address {
    fn of(peer: IpAddr) -> Self {
        Self(match peer.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.guests.table();
        table.forget(self.id);
        table.open -= 1;
        drop(table);
        self.guests.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use std::sync::LazyLock;

    const EVIL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 6));
    const AZURE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    /// All by one clock, as the server has it.
    fn turn() -> Arc<Turn> {
        static CLOCK: LazyLock<SystemClock> = LazyLock::new(SystemClock::default);
        Arc::new(Turn::new(CLOCK.clone(), Duration::from_secs(30)))
    }

    fn answered() -> Arc<Turn> {
        let turn = turn();
        turn.asked();
        turn
    }

    fn idle() -> Arc<Turn> {
        let turn = answered();
        turn.gave(0);
        turn
    }

    async fn is_told_to_leave(turn: &Turn) -> bool {
        tokio::time::timeout(Duration::from_millis(1), turn.over()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_has_waited_longest_without_asking_makes_room() {
        let guests = Guests::new(4, 4);
        let (first, second, third, fourth) = (idle(), turn(), turn(), answered());
        let mut places = Vec::new();
        for turn in [&first, &second, &third, &fourth] {
            places.push(guests.admit(EVIL, turn).await.unwrap());
        }
        places.push(guests.admit(AZURE, &turn()).await.unwrap());
        assert!(is_told_to_leave(&second).await);
        for turn in [&first, &third, &fourth] {
            assert!(!is_told_to_leave(turn).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_address_with_most_of_those_that_wait_makes_room() {
        let guests = Guests::new(4, 4);
        let (azure, evil) = (turn(), turn());
        let mut places = vec![guests.admit(AZURE, &azure).await.unwrap(), guests.admit(EVIL, &evil).await.unwrap()];
        for _ in 0..2 {
            places.push(guests.admit(EVIL, &turn()).await.unwrap());
        }
        places.push(guests.admit(AZURE, &turn()).await.unwrap());
        assert!(!is_told_to_leave(&azure).await && is_told_to_leave(&evil).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_share_and_drives_out_nobody_but_itself() {
        let guests = Guests::new(8, 2);
        let (azure, evil) = (turn(), turn());
        let mut places = vec![guests.admit(AZURE, &azure).await.unwrap(), guests.admit(EVIL, &evil).await.unwrap()];
        for _ in 0..2 {
            places.push(guests.admit(EVIL, &turn()).await.unwrap());
        }
        assert!(!is_told_to_leave(&azure).await && is_told_to_leave(&evil).await);
        let guests = Guests::new(8, 2);
        let _answered =
            [guests.admit(EVIL, &answered()).await.unwrap(), guests.admit(EVIL, &answered()).await.unwrap()];
        assert_eq!(guests.admit(EVIL, &turn()).await.err(), Some(OverShare));
        assert!(guests.admit(AZURE, &turn()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn while_all_are_being_answered_the_next_one_waits_for_one_to_end() {
        let guests = Guests::new(1, 1);
        let place = guests.admit(EVIL, &answered()).await.unwrap();
        let newcomer = turn();
        let admitted = guests.admit(AZURE, &newcomer);
        let leaving = async {
            tokio::task::yield_now().await;
            drop(place);
        };
        let (admitted, ()) = tokio::join!(admitted, leaving);
        assert!(admitted.is_ok());
    }

    #[test]
    fn a_machine_has_one_address_however_many_ipv6_gives_it() {
        let of = |text: &str| Address::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.7"), Address(AZURE));
    }
}
