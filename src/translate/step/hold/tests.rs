use super::*;
use crate::translate::order::Entity;
use jiff::Timestamp;
use proptest::prelude::*;

const ORDER_WAIT: Duration = Duration::from_mins(15);

fn id(text: &str) -> Uuid {
    Uuid::new_v5(&Uuid::nil(), text.as_bytes())
}

fn candidate(name: &str, place: Place) -> Candidate {
    let mut tells = vec![place.id];
    tells.extend(place.moved.map(|moved| moved.meets()));
    let notification = NotificationId(id(&format!("notification {name}")));
    Candidate { notification, tells, places: vec![place], patience: Patience::Waits, richer: None, has_waited: false }
}

/// A revision of a work item.
fn revision(rev: i64) -> Candidate {
    let event = |rev: i64| id(&format!("rev {rev}"));
    let before = if rev > 1 { Before::OneOf(vec![id("other"), event(rev - 1)]) } else { Before::Nothing };
    let entity = Entity::WorkItem { number: 1, rev };
    let place = Place {
        id: event(rev),
        entity,
        project: None,
        time: None,
        begun: None,
        before,
        moved: None,
        need: id(&format!("before {rev}")),
        root: None,
    };
    candidate(&format!("rev {rev}"), place)
}

/// A push that goes from the place before to its own.
fn push(number: i64) -> Candidate {
    let at = |number: i64| id(&format!("object {number}"));
    let moved =
        Move { reference: id("ref"), from: at(number - 1), to: at(number), push: number, time: None, makes: false };
    let entity = Entity::Ref { repository: String::new(), name: String::new(), from: String::new(), push: number };
    let (name, need) = (format!("push {number}"), moved.needs());
    let place = Place {
        id: id(&name),
        entity,
        project: None,
        time: None,
        begun: None,
        before: Before::Head,
        moved: Some(moved),
        need,
        root: None,
    };
    candidate(&name, place)
}

/// Delivers in this order, in batches of this size, until nothing is due any more; what became of it.
fn delivered(arrivals: &[Candidate], batch: usize, memory: &mut Memory) -> Vec<Uuid> {
    let (mut log, mut waiting): (Vec<Uuid>, Vec<&Candidate>) = (Vec::new(), Vec::new());
    let mut fresh = arrivals.iter().collect::<Vec<_>>();
    for _ in 0..arrivals.len() * 2 {
        let count = batch.min(fresh.len());
        let due: Vec<&Candidate> = waiting.drain(..).chain(fresh.drain(..count)).collect();
        let candidates: Vec<_> = due.iter().map(|own| Some(*own)).collect();
        let kept: HashSet<Uuid> = asked(&candidates, memory).into_iter().filter(|id| log.contains(id)).collect();
        let sorted = sort(&candidates, &kept, memory, true);
        for own in sorted.passing.iter().map(|at| due[*at]) {
            log.extend(own.places.iter().map(|place| place.id));
            own.places.iter().filter_map(|place| place.moved).for_each(|moved| memory.moved(moved));
            memory.release(own.notification);
        }
        for own in sorted.waiting.iter().map(|at| due[*at]) {
            let moves = own.places.iter().filter_map(|place| place.moved).collect();
            memory.hold(own.notification, &own.tells, moves, Timestamp::UNIX_EPOCH);
            waiting.push(own);
        }
    }
    log
}

fn ids(candidates: &[Candidate]) -> Vec<Uuid> {
    candidates.iter().map(|own| own.places[0].id).collect()
}

proptest! {
    #[test]
    fn whatever_order_they_arrive_in_revisions_and_pushes_end_in_theirs(
        order in Just((0..20_usize).collect::<Vec<_>>()).prop_shuffle(),
        batch in 1..8_usize,
    ) {
        let numbers = || 1..=10_i64;
        let mut all: Vec<Candidate> = numbers().map(revision).chain(numbers().map(|number| push(number + 1))).collect();
        let (revisions, pushes) = (ids(&all[..10]), ids(&all[10..]));
        let mut memory = Memory::default();
        memory.moved(push(1).places[0].moved.unwrap());
        let mut arrivals: Vec<Option<Candidate>> = all.drain(..).map(Some).collect();
        let arrivals: Vec<Candidate> = order.iter().map(|at| arrivals[*at].take().unwrap()).collect();
        let log = delivered(&arrivals, batch, &mut memory);
        let of = |ids: &[Uuid]| log.iter().copied().filter(|id| ids.contains(id)).collect::<Vec<_>>();
        prop_assert_eq!(of(&revisions), revisions);
        prop_assert_eq!(of(&pushes), pushes);
        prop_assert_eq!(memory.is_held(id("rev 1")), false);
    }
}

#[test]
fn only_the_first_link_that_is_missing_is_broken() {
    let all = [revision(1), revision(3), revision(4), revision(6)];
    let all: Vec<_> = all.iter().map(Some).collect();
    let sorted = sort(&all, &HashSet::new(), &mut Memory::default(), true);
    assert_eq!((sorted.passing, sorted.waiting), (vec![0], vec![1, 2, 3]));
    assert_eq!(sorted.broken, [(1, 0), (3, 0)]);
}

#[test]
fn what_is_waived_is_not_waited_for() {
    let order = crate::app::order::Order::default();
    order.waive([id("before 3")]);
    let sorted = sort(&[Some(&revision(3))], &HashSet::new(), &mut order.memory(), true);
    assert_eq!((sorted.passing, sorted.in_vain), (vec![0], 0));
}

#[test]
fn the_first_push_that_is_heard_of_waits_until_it_is_known_that_none_came_before_it() {
    let order = crate::app::order::Order::default();
    let arrivals = [push(7), push(9), push(8)];
    let sorted = sort(&arrivals.each_ref().map(Some), &HashSet::new(), &mut order.memory(), true);
    assert_eq!((sorted.passing, sorted.broken), (vec![], vec![(0, 0)]), "only the first of a chain is looked for");
    order.waive([push(7).places[0].need]);
    assert_eq!(delivered(&arrivals, 1, &mut order.memory()), ids(&[push(7), push(8), push(9)]));
}

#[test]
fn a_push_that_makes_its_ref_waits_for_nothing() {
    let mut made = push(7);
    made.places[0].moved.as_mut().unwrap().makes = true;
    assert_eq!(sort(&[Some(&made)], &HashSet::new(), &mut Memory::default(), true).passing, [0]);
}

#[test]
fn what_the_records_tell_of_a_ref_begins_anywhere() {
    let composed = Candidate { patience: Patience::WaitsForHeld, ..push(7) };
    let sorted = sort(&[Some(&composed)], &HashSet::new(), &mut Memory::default(), true);
    assert_eq!((sorted.passing, sorted.broken), (vec![0], vec![]));
}

#[test]
fn a_push_that_comes_late_after_all_waits_for_nothing() {
    let mut memory = Memory::default();
    memory.moved(push(9).places[0].moved.unwrap());
    let sorted = sort(&[Some(&push(4))], &HashSet::new(), &mut memory, true);
    assert_eq!(sorted.passing, [0]);
    assert_eq!(memory.head(id("ref")).unwrap().push, 9);
}

#[test]
fn what_is_composed_waits_only_for_what_waits_itself() {
    let composed = |own: Candidate| Candidate { patience: Patience::WaitsForHeld, ..own };
    let (early, six, seven) = (revision(5), composed(revision(6)), composed(revision(20)));
    let sorted = sort(&[Some(&early), Some(&six), Some(&seven)], &HashSet::new(), &mut Memory::default(), true);
    assert_eq!((sorted.passing, sorted.waiting), (vec![2], vec![0, 1]));
    let (early, later) = (push(5), composed(push(8)));
    let mut memory = Memory::default();
    memory.moved(push(1).places[0].moved.unwrap());
    let sorted = sort(&[Some(&later), Some(&early)], &HashSet::new(), &mut memory, true);
    assert_eq!(sorted.waiting, [0, 1], "an earlier push to the ref waits");
}

#[test]
fn what_is_composed_waits_after_a_start_until_it_is_known_what_waits() {
    let composed = Candidate { patience: Patience::WaitsForHeld, ..revision(6) };
    let all = [Some(&composed)];
    let sorted = sort(&all, &HashSet::new(), &mut Memory::default(), false);
    assert_eq!((sorted.passing, sorted.waiting, sorted.broken), (vec![], vec![0], vec![]));
    let sorted = sort(&all, &HashSet::new(), &mut Memory::default(), true);
    assert_eq!(sorted.passing, [0]);
}

#[test]
fn patience_ends_after_the_wait_and_for_good_after_twice_that() {
    let of = |recovered, waited| patience(recovered, 3, waited, ORDER_WAIT);
    assert_eq!(of(None, Duration::ZERO), Patience::Waits);
    assert_eq!(of(Some(Recovered::History), Duration::ZERO), Patience::Waits);
    assert_eq!(of(Some(Recovered::Rest), Duration::ZERO), Patience::WaitsForHeld);
    assert_eq!(of(None, ORDER_WAIT), Patience::WaitsForHeld);
    assert_eq!(of(None, ORDER_WAIT * 2), Patience::Passes);
    assert_eq!(patience(None, attempts_max(ORDER_WAIT * 2) + 1, Duration::ZERO, ORDER_WAIT), Patience::Passes);
    assert_eq!([1, 2, 3, 5, 6, 50].map(|attempt| wait(attempt).as_secs()), [1, 2, 4, 16, 30, 30]);
}

#[test]
fn the_poorer_of_two_tellings_waits_for_the_richer_one_and_then_no_longer() {
    let place = Place {
        id: id("run"),
        entity: Entity::Run { number: 1 },
        project: None,
        time: None,
        begun: None,
        before: Before::Nothing,
        moved: None,
        need: id("run"),
        root: None,
    };
    let poor = Candidate { richer: Some(id("build")), ..candidate("poor", place.clone()) };
    let mut rich = candidate("rich", place);
    rich.tells.push(id("build"));
    let sorted = |all: &[&Candidate], kept: &[Uuid]| {
        let all: Vec<_> = all.iter().map(|own| Some(*own)).collect();
        let sorted = sort(&all, &kept.iter().copied().collect(), &mut Memory::default(), true);
        assert_eq!((&sorted.broken, sorted.in_vain), (&Vec::new(), 0), "nothing is missing");
        (sorted.passing, sorted.waiting)
    };
    assert_eq!(sorted(&[&poor], &[]), (vec![], vec![0]));
    assert_eq!(sorted(&[&poor, &rich], &[]), (vec![1, 0], vec![]), "in one batch it follows");
    assert_eq!(sorted(&[&poor], &[id("build")]), (vec![0], vec![]));
    assert_eq!(asked(&[Some(&poor)], &mut Memory::default()), [id("build")]);
    let waited = Candidate { richer: None, has_waited: true, ..poor };
    assert_eq!(sorted(&[&waited], &[]), (vec![0], vec![]));
    assert_eq!(richer(&[], Duration::ZERO, 1), None);
}
