//! Room for what is being received, and for replies that are not taken yet, shared so that no connection's credential and
//! no token can use up that of the others.
//!
//! Each may go on taking while it holds less than what is free. So one alone gets half of it, two get a third each,
//! and there is always a share left for whoever comes next; nobody has to say how many there will be.

use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// So many bytes, for all.
pub(super) struct Room {
    bytes_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    bytes: usize,
    by: HashMap<Uuid, usize>,
}

/// The room that one body holds; dropping it frees the room.
pub(super) struct Held {
    room: Arc<Room>,
    by: Uuid,
    bytes: usize,
}

impl Room {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, taken: Mutex::default() }
    }

    /// Nothing yet, for this connection or token.
    pub(super) fn hold(self: &Arc<Self>, by: Uuid) -> Held {
        Held { room: Arc::clone(self), by, bytes: 0 }
    }

    /// Bytes that hold their room for as long as they are in memory.
    pub(super) fn keep(self: &Arc<Self>, by: Uuid, bytes: Vec<u8>) -> Result<Bytes, NoRoom> {
        let mut held = self.hold(by);
        held.grow_to(bytes.len())?;
        Ok(Bytes::from_owner(Kept { bytes, _held: held }))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Kept {
    bytes: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Held {
    /// Holds this much in all from now on; when there is no room, what it held.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else { return Ok(()) };
        let mut taken = self.room.taken();
        let own = taken.by.get(&self.by).copied().unwrap_or_default() + more;
        if own > self.room.bytes_max.saturating_sub(taken.bytes + more) {
            return Err(NoRoom);
        }
        taken.bytes += more;
        taken.by.insert(self.by, own);
        self.bytes = bytes;
        Ok(())
    }

    /// Holds nothing any more.
    pub(super) fn let_go(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes == 0 {
            return;
        }
        let mut taken = self.room.taken();
        taken.bytes -= bytes;
        if let Some(own) = taken.by.get_mut(&self.by) {
            *own -= bytes;
            if *own == 0 {
                taken.by.remove(&self.by);
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Too much is being received, or not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_all_it_can_leaves_a_share_for_each_who_comes_later() {
        let room = Arc::new(Room::new(1_000));
        let mut held: Vec<Held> = Vec::new();
        for hog in 0..4 {
            let mut taken = room.hold(Uuid::from_u128(hog));
            while taken.grow_to(taken.bytes + 1).is_ok() {}
            held.push(taken);
        }
        let shares: Vec<usize> = held.iter().map(|held| held.bytes).collect();
        assert_eq!(shares, [500, 250, 125, 62]);
        drop(held);
        assert_eq!(room.taken().bytes, 0);
        assert!(room.taken().by.is_empty());
    }

    #[test]
    fn several_bodies_of_one_connection_share_its_share() {
        let room = Arc::new(Room::new(1_000));
        let (mut one, mut other) = (room.hold(Uuid::nil()), room.hold(Uuid::nil()));
        assert_eq!(one.grow_to(400), Ok(()));
        assert_eq!(other.grow_to(101), Err(NoRoom));
        assert_eq!(other.grow_to(100), Ok(()));
        one.let_go();
        assert_eq!(other.grow_to(500), Ok(()));
    }

    #[test]
    fn bytes_hold_their_room_until_the_last_piece_of_them_is_gone() {
        let room = Arc::new(Room::new(1_000));
        let mut kept = room.keep(Uuid::nil(), vec![7; 300]).unwrap();
        let piece = kept.split_to(10);
        drop(kept);
        assert_eq!(room.keep(Uuid::nil(), vec![7; 300]), Err(NoRoom));
        drop(piece);
        assert!(room.keep(Uuid::nil(), vec![7; 300]).is_ok());
    }
}
