//! A batch that is refused for what is in it is sent in halves, down to the event that is meant: one that a receiver does
//! not take, or a batch that is too large for it, is no reason to give up all the others.

use super::super::{Attempt, Outgoing};
use std::collections::BTreeMap;

/// Refusals that a part of the batch may not meet: bad request, conflict, too large, unprocessable.
const ABOUT_CONTENT: [u16; 4] = [400, 409, 413, 422];

/// One attempt for each event, in their order. `send` is given events that stay together; it is not called again once
/// `may_go_on` says no.
pub(super) async fn deliver<F: Future<Output = Attempt>>(
    batch: &[Outgoing],
    may_go_on: impl Fn() -> bool,
    mut send: impl FnMut(Vec<Outgoing>) -> F,
) -> Vec<Attempt> {
    let mut attempts: Vec<Option<Attempt>> = vec![None; batch.len()];
    let mut failed: BTreeMap<&str, Attempt> = BTreeMap::new();
    // The part that comes first lies on top.
    let mut parts = vec![(0..batch.len()).collect::<Vec<usize>>()];
    let mut outage = None;
    while let Some(mut part) = parts.pop() {
        // What follows a failed one of its entity must not overtake it.
        part.retain(|at| !failed.contains_key(batch[*at].entity.as_str()));
        if part.is_empty() {
            continue;
        }
        let attempt = send(part.iter().map(|at| batch[*at].clone()).collect()).await;
        let is_about_content = may_go_on() && attempt.status.is_some_and(|status| ABOUT_CONTENT.contains(&status));
        if is_about_content && part.len() > 1 {
            let later = part.split_off(part.len() / 2);
            parts.extend([later, part]);
            continue;
        }
        if attempt.result.is_err() && !is_about_content {
            outage = Some(attempt);
            break;
        }
        for at in part {
            if attempt.result.is_err() {
                failed.insert(&batch[at].entity, attempt.clone());
            }
            attempts[at] = Some(attempt.clone());
        }
    }
    let behind = |event: &Outgoing| failed.get(event.entity.as_str()).or(outage.as_ref()).cloned();
    let told = |(event, attempt): (&Outgoing, Option<Attempt>)| {
        attempt.or_else(|| behind(event)).expect("what was not sent is behind a failed one, or the sink has failed")
    };
    batch.iter().zip(attempts).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{Error, testing::outgoing},
        *,
    };
    use std::time::Duration;

    /// What became of events of these entities, and how many requests it took.
    async fn sent(entities: &[&str], answer: impl Fn(&[u64]) -> u16) -> (Vec<u16>, Vec<Vec<u64>>) {
        let event = |(at, entity): (usize, &&str)| Outgoing { entity: (*entity).to_owned(), ..outgoing(at as u64) };
        let batch: Vec<Outgoing> = entities.iter().enumerate().map(event).collect();
        let mut requests = Vec::new();
        let attempts = deliver(
            &batch,
            || true,
            |part| {
                let numbers: Vec<u64> = part.iter().map(|event| event.position).collect();
                let status = answer(&numbers);
                requests.push(numbers);
                let failed = || Attempt::failed(Error::transient("no"), Duration::ZERO);
                let attempt = if status < 300 { Attempt::delivered(Duration::ZERO) } else { failed() };
                std::future::ready(attempt.answered(status, b""))
            },
        )
        .await;
        (attempts.iter().map(|attempt| attempt.status.unwrap()).collect(), requests)
    }

    #[tokio::test]
    async fn only_what_a_receiver_does_not_take_fails_and_what_is_behind_it() {
        let refuses = |numbers: &[u64]| if numbers.contains(&2) { 400 } else { 200 };
        let (told, requests) = sent(&["a", "b", "c", "d", "c", "e"], refuses).await;
        assert_eq!(told, [200, 200, 400, 200, 400, 200]);
        let parts: [&[u64]; 6] = [&[0, 1, 2, 3, 4, 5], &[0, 1, 2], &[0], &[1, 2], &[1], &[2]];
        assert_eq!(requests[..6], parts);
        assert_eq!(requests[6..], [[3, 5]], "4 is behind 2");
    }

    #[tokio::test]
    async fn a_batch_that_is_too_large_arrives_in_parts_and_one_that_fits_at_once() {
        let small = |numbers: &[u64]| if numbers.len() > 2 { 413 } else { 204 };
        let (told, requests) = sent(&["a"; 8], small).await;
        assert_eq!((told, requests.len()), (vec![204; 8], 7));
        assert_eq!(sent(&["a"; 8], |_| 200).await.1.len(), 1);
    }

    #[tokio::test]
    async fn a_sink_in_trouble_is_not_asked_again_for_each_part() {
        let batch = [outgoing(1), outgoing(2)];
        let mut requests = 0;
        let late = deliver(
            &batch,
            || false,
            |_| {
                requests += 1;
                std::future::ready(Attempt::failed(Error::transient("no"), Duration::ZERO).answered(400, b""))
            },
        );
        assert!(late.await.iter().all(|attempt| attempt.status == Some(400)));
        assert_eq!(requests, 1, "there is no time for more");
        let (told, requests) = sent(&["a", "b"], |_| 503).await;
        assert_eq!((told, requests.len()), (vec![503; 2], 1));
        let answers = |numbers: &[u64]| if numbers.len() > 1 { 400 } else { 500 };
        let (told, requests) = sent(&["a", "b"], answers).await;
        assert_eq!((told, requests.len()), (vec![500; 2], 2));
        assert!(sent(&[], |_| 500).await.0.is_empty());
    }
}
