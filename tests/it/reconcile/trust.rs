//! Hooks that accept a certificate which Azure DevOps does not trust.

use super::{Pair, lines};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

const UNTRUSTED: &str = "acceptUntrustedCerts";

impl Pair {
    async fn choose(&self, accept: Value) {
        let path = format!("/v1/connections/{}?check=false", self.connection);
        let body = json!({ "accept_untrusted_certs": accept });
        let reply = self.gateway.ask("PATCH", &path).header("if-match", "*").json(&body).send().await;
        assert_eq!((reply.status.as_u16(), &reply.json()["accept_untrusted_certs"]), (200, &accept), "{reply:?}");
    }

    fn trusting(&self) -> BTreeSet<Option<String>> {
        self.hooks().iter().map(|hook| hook.consumer_inputs.get(UNTRUSTED).cloned()).collect()
    }
}

#[tokio::test]
async fn who_chooses_it_has_it_on_every_hook_and_after_every_replacement() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    assert_eq!(pair.trusting(), [None].into());
    pair.choose(json!(true)).await;
    assert_eq!(lines(&pair.run().await), vec!["replace inputs done"; 11]);
    assert_eq!(pair.trusting(), [Some("true".to_owned())].into());
    pair.rotate().await;
    pair.run().await;
    assert_eq!(pair.trusting(), [Some("true".to_owned())].into());
    assert!(pair.run().await.steps.is_empty());
    // Whoever unticks one finds it ticked again; whoever has no opinion any more changes nothing.
    let push = pair.hook("git.push");
    pair.edit(&push.id, |hook| drop(hook.consumer_inputs.remove(UNTRUSTED)));
    pair.advance(Duration::from_mins(10));
    assert_eq!(lines(&pair.run().await), ["replace inputs done"]);
    pair.choose(Value::Null).await;
    assert!(pair.run().await.steps.is_empty());
    pair.advance(Duration::from_mins(10));
    pair.choose(json!(false)).await;
    assert_eq!(lines(&pair.run().await), vec!["replace inputs done"; 11]);
    assert_eq!(pair.trusting(), [Some("false".to_owned())].into());
    let path = format!("/v1/connections/{}", pair.connection);
    let wrong = pair.gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "accept_untrusted_certs": 1 }));
    assert_eq!(wrong.send().await.wrong(), ["/accept_untrusted_certs"]);
}

#[tokio::test]
async fn a_tick_that_a_person_set_outlives_the_hook() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    let push = pair.hook("git.push");
    pair.edit(&push.id, |hook| drop(hook.consumer_inputs.insert(UNTRUSTED.to_owned(), "true".to_owned())));
    assert!(pair.run().await.steps.is_empty());
    pair.rotate().await;
    pair.run().await;
    let anew = pair.hook("git.push");
    assert!(anew.id != push.id && anew.consumer_inputs[UNTRUSTED] == "true", "{anew:?}");
    assert_eq!(pair.trusting().len(), 2, "the others are as they were");
}

#[tokio::test]
async fn who_makes_hooks_by_hand_is_told() {
    let pair = Pair::start().await;
    pair.choose(json!(true)).await;
    pair.by_hand().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    let rows = pair.list().await["data"].clone();
    assert_eq!(rows[0]["by_hand"]["body"]["consumerInputs"][UNTRUSTED], "true", "{rows}");
}
