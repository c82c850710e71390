//! Any sequence of calls does on disk what it does in the reference model, also when the store is opened again between.

use super::{ALL, at, entry, open, read_all};
use hookwell::store::{Claim, Consumer, Error, Log, MemoryStore, PageLimit, Position, Settlement, Store, Wanted};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Step {
    Append(Log, Vec<u64>),
    Claim { reader: usize, wanted: Wanted, records_max: usize },
    Again { reader: usize, records: Vec<(u64, u32)> },
    Begin { reader: usize, after: u64 },
    Settle { reader: usize, kinds: Vec<u8>, appends: Vec<u64> },
    Advance(i64),
    Trim(Log, i64),
    Forget(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let log = prop_oneof![Just(Log::Notifications), Just(Log::Events)];
    let numbers = || prop::collection::vec(0..60_u64, 1..8);
    prop_oneof![
        6 => (log.clone(), numbers()).prop_map(|(log, numbers)| Step::Append(log, numbers)),
        5 => (0..3_usize, wanted(), 1..9_usize)
            .prop_map(|(reader, wanted, records_max)| Step::Claim { reader, wanted, records_max }),
        2 => (0..3_usize, prop::collection::vec((0..40_u64, 1..5_u32), 0..5))
            .prop_map(|(reader, records)| Step::Again { reader, records }),
        1 => (0..3_usize, 0..20_u64).prop_map(|(reader, after)| Step::Begin { reader, after }),
        5 => (0..3_usize, prop::collection::vec(0..5_u8, 9), prop::collection::vec(0..60_u64, 0..4))
            .prop_map(|(reader, kinds, appends)| Step::Settle { reader, kinds, appends }),
        2 => (1..40_i64).prop_map(Step::Advance),
        2 => (log, 0..80_i64).prop_map(|(log, before)| Step::Trim(log, before)),
        1 => (0..3_usize).prop_map(Step::Forget),
        1 => Just(Step::Reopen),
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let these = prop::collection::vec((0..40_u64).prop_map(Position), 0..6).prop_map(Wanted::These);
    prop_oneof![3 => Just(Wanted::Due), 2 => Just(Wanted::Fresh), 2 => these]
}

fn reader(number: usize) -> Consumer {
    let log = if number == 2 { Log::Events } else { Log::Notifications };
    Consumer { name: format!("reader-{number}"), log }
}

/// One store under test and the claims it has given out.
struct Side {
    store: Box<dyn Store>,
    claims: [Option<Claim>; 3],
}

impl Side {
    async fn run(&mut self, step: &Step, now: i64) -> String {
        match step {
            Step::Append(log, numbers) => {
                let mut answers = Vec::new();
                for number in numbers {
                    answers.push(self.store.append(*log, entry(*number)).await.unwrap());
                }
                format!("{answers:?}")
            }
            Step::Claim { reader: number, wanted, records_max } => {
                let limit = PageLimit { records_max: *records_max, body_bytes_max: usize::MAX };
                let lease = Duration::from_secs(30);
                let claim = self.store.claim_of(&reader(*number), wanted, at(now), lease, limit).await.unwrap();
                let seen = format!("{:?}", claim.records);
                self.claims[*number] = Some(claim);
                seen
            }
            Step::Settle { reader, kinds, appends } => {
                let Some(claim) = self.claims[*reader].take() else { return String::new() };
                let settlements = claim.records.iter().zip(kinds).map(|(_, kind)| match kind {
                    0 => Settlement::Retry { at: at(now + 10) },
                    4 => Settlement::Wait { at: at(now + 5) },
                    1 => Settlement::Dead { reason: format!("at {now}") },
                    _ => Settlement::Done,
                });
                let settlements = settlements.collect();
                let appends = appends.iter().map(|number| (Log::Events, entry(*number))).collect();
                match self.store.settle(claim, settlements, appends).await {
                    Err(Error::LeaseLost) => "lease lost".into(),
                    answer => format!("{:?}", answer.unwrap()),
                }
            }
            Step::Trim(log, before) => {
                while self.store.trim(*log, at(*before)).await.unwrap() > 0 {}
                String::new()
            }
            Step::Again { reader: number, records } => {
                let records = records.iter().map(|(position, attempt)| (Position(*position), *attempt)).collect();
                format!("{:?}", self.store.again(&reader(*number), records, at(now + 3)).await.unwrap())
            }
            Step::Begin { reader: number, after } => {
                let tail = self.store.tail(reader(*number).log).borrow().0;
                format!("{:?}", self.store.begin(&reader(*number), Position((*after).min(tail))).await.is_ok())
            }
            Step::Forget(number) => format!("{:?}", self.store.forget(&reader(*number)).await.is_ok()),
            Step::Advance(_) | Step::Reopen => String::new(),
        }
    }

    async fn all(&self) -> String {
        let mut all = String::new();
        for log in Log::ALL {
            let tail = *self.store.tail(log).borrow();
            all += &format!("{log:?} {:?}-{tail:?} {:?}\n", self.store.trimmed(log), read_all(&*self.store, log).await);
        }
        for number in 0..3 {
            let cursor = self.store.cursor(&reader(number)).await.unwrap();
            all += &format!("{cursor:?} {:?}\n", self.store.dead(&reader(number), Position(0), 1_000).await.unwrap());
        }
        for log in Log::ALL {
            all += &format!("{:?}\n", self.store.consumers(log).await.unwrap());
        }
        for number in 0..3 {
            all += &format!("{:?}\n", self.store.waiting(&reader(number), Position(0), 1_000).await.unwrap());
        }
        let keys: Vec<_> = (0..60).map(super::key).collect();
        all += &format!("{:?}\n", self.store.contains(Log::Events, &keys).await.unwrap());
        for number in 0..60 {
            all += &format!("{:?}", self.store.find(Log::Events, super::key(number)).await.unwrap());
        }
        all
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_store_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut model = Side { store: Box::new(MemoryStore::new()), claims: [None, None, None] };
            let mut embedded = Side { store: Box::new(open(dir.path())), claims: [None, None, None] };
            let mut now = 100;
            for step in &steps {
                match step {
                    Step::Advance(seconds) => now += seconds,
                    Step::Reopen => {
                        embedded.store.close().await;
                        embedded.store = Box::new(open(dir.path()));
                        // Leases do not survive an opening: the model gives its own back by waiting them out.
                        now += 30;
                        embedded.claims = [None, None, None];
                        model.claims = [None, None, None];
                        for number in 0..3 {
                            let _ = model.store.claim(&reader(number), at(now), Duration::ZERO, ALL).await.unwrap();
                            let _ = embedded.store.claim(&reader(number), at(now), Duration::ZERO, ALL).await.unwrap();
                        }
                    }
                    step => assert_eq!(embedded.run(step, now).await, model.run(step, now).await, "{step:?}"),
                }
            }
            assert_eq!(embedded.all().await, model.all().await);
            embedded.store.close().await;
            embedded.store = Box::new(open(dir.path()));
            assert_eq!(embedded.all().await, model.all().await);
        });
    }
}
