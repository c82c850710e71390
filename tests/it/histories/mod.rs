//! Random stories of everything that can happen, each told to a gateway in every way in which it can hear of it: by hooks in
//! order, in any order and twice, by subscriptions that overlap, by their history, by Azure's records, and by all of these
//! mixed. What it tells must be the same each time, but for what is in [`tables`].
//!
//! `HOOKWELL_HISTORIES` says how many stories, `HOOKWELL_HISTORY_SEED` which one is the first. What fails says its seed and the
//! smallest story that still fails.

mod act;
mod compare;
mod tables;
mod told;
mod world;

use self::{
    act::Step,
    compare::{compared, facts},
    told::{Lived, live},
};
use hookwell::domain::Notification;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// How many stories the normal suite tells.
const STORIES: u64 = 6;
/// Steps of a story.
const STEPS_MAX: usize = 40;

/// A way in which a gateway hears of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By subscriptions without overlap: of updates of pull requests the filtered ones.
    Filtered,
    /// By all of them, in any order and twice, at once.
    Shuffled,
    /// The same, with time between.
    Slowly,
    /// By the history of the subscriptions alone.
    History,
    /// By Azure's records alone.
    Records,
    /// Some by hooks, then the records, then the history.
    Mixed,
}

const WAYS: [Way; 6] = [Way::Filtered, Way::Shuffled, Way::Slowly, Way::History, Way::Records, Way::Mixed];

/// Well mixed (the end of splitmix64), and the same each time.
fn mixed(seed: u64, n: usize) -> u64 {
    let mut mixed = (seed << 32 | u64::try_from(n).unwrap()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

/// All of them twice and in another order.
fn shuffled(delivered: &[Notification], seed: u64) -> Vec<&Notification> {
    let twice = delivered.iter().chain(delivered).enumerate();
    let mut twice: Vec<(u64, &Notification)> = twice.map(|(n, own)| (mixed(seed, n), own)).collect();
    twice.sort_unstable_by_key(|(place, _)| *place);
    twice.into_iter().map(|(_, own)| own).collect()
}

/// A number of the act that it tells.
fn occasion(own: &Notification) -> usize {
    let body: serde_json::Value = serde_json::from_slice(&own.body).unwrap();
    let id: uuid::Uuid = body["id"].as_str().unwrap().parse().unwrap();
    usize::from(id.as_bytes()[0]) * 256 + usize::from(id.as_bytes()[1])
}

fn is_unfiltered_update(own: &Notification) -> bool {
    own.event_type.as_deref() == Some("git.pullrequest.updated") && own.reason.is_none()
}

/// The events of a gateway that heard of the story in this way.
async fn told(lived: &Lived, way: Way, seed: u64) -> Vec<hookwell::event::Event> {
    let listener = lived.listener(way != Way::Shuffled).await;
    let delivered = &lived.delivered;
    match way {
        Way::Filtered => {
            for own in delivered.iter().filter(|own| !is_unfiltered_update(own)) {
                listener.wait_until(own.received_at);
                listener.hears(own).await;
                listener.translate().await;
            }
        }
        Way::Shuffled => {
            listener.wait_until(delivered.last().map_or(lived.began(), |own| own.received_at));
            for own in shuffled(delivered, seed) {
                listener.hears(own).await;
            }
        }
        Way::Slowly => {
            for (n, own) in shuffled(delivered, seed).into_iter().enumerate() {
                listener.wait_until(own.received_at);
                listener.hears(own).await;
                if mixed(seed, n).is_multiple_of(5) {
                    listener.translate().await;
                    listener.gateway.advance(std::time::Duration::from_secs(mixed(seed, n) % 11));
                }
            }
        }
        Way::History => {
            listener.wait_until(delivered.last().map_or(lived.began(), |own| own.received_at));
            for own in delivered {
                listener.reads(own).await;
            }
        }
        Way::Records => listener.sweeps().await,
        Way::Mixed => {
            // The tellings of one act are lost together: nobody knows a push that only a subscription without a filter told, and that
            // without what came before it, nobody knows.
            let is_lost = |own: &Notification| mixed(seed, occasion(own)).is_multiple_of(2);
            for (n, own) in delivered.iter().enumerate().filter(|(_, own)| !is_lost(own)) {
                listener.wait_until(own.received_at);
                listener.hears(own).await;
                if mixed(seed, n).is_multiple_of(3) {
                    listener.translate().await;
                }
            }
            listener.translate().await;
            listener.sweeps().await;
            listener.translate().await;
            for own in delivered.iter().filter(|own| is_lost(own)) {
                listener.reads(own).await;
            }
        }
    }
    listener.tells().await
}

/// Lines about what differs in a story.
async fn wrong(story: &[Step], seed: u64) -> Vec<String> {
    let lived = live(story).await;
    let in_order = lived.listener(false).await;
    for own in &lived.delivered {
        in_order.wait_until(own.received_at);
        in_order.hears(own).await;
        in_order.translate().await;
    }
    let wanted = facts(&in_order.tells().await, lived.began());
    let mut wrong = Vec::new();
    for way in WAYS {
        wrong.extend(compared(way, &wanted, &facts(&told(&lived, way, seed).await, lived.began())));
    }
    wrong
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_story_is_the_same_however_it_is_told() {
    let (first, count) = (asked("HOOKWELL_HISTORY_SEED").unwrap_or(1), asked("HOOKWELL_HISTORIES").unwrap_or(STORIES));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for seed in first..first + count {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let config = Config { cases: 1, max_shrink_iters: 300, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let ran = runner.run(&act::stories(STEPS_MAX), |story| {
            let wrong = runtime.block_on(wrong(&story, seed));
            if wrong.is_empty() { Ok(()) } else { Err(TestCaseError::fail(wrong.join("\n"))) }
        });
        if let Err(TestError::Fail(why, story)) = ran {
            panic!("seed {seed}, and its smallest story: {story:?}\n{why}");
        }
        ran.unwrap();
    }
}
