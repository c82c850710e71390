//! One hook in another's place, and none that stays although it should have gone.

use super::witness::Witness;
use crate::real::{Real, SHOP};
use hookwell::simulator::{Draft, Failing, Rule, When};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

#[tokio::test]
async fn what_was_not_really_deleted_is_found_and_deleted_by_the_next_run() {
    for binding in [json!({ "role": "build_provider" }), json!({ "role": "issue_provider" })] {
        let real = Real::start().await;
        let binding = real.bind("shop", SHOP, binding).await;
        real.run().await;
        let there = real.ours().len();
        let not_found = Rule::new("DELETE", "hooks/subscriptions", When::Always, Failing::NotFound);
        real.simulator().fail(|faults| faults.rules = vec![not_found]);
        real.unbind(&binding).await;
        real.run().await;
        assert_eq!((real.ours().len(), real.listed().await.len()), (there, 0), "it looks as if they were gone");
        real.simulator().fail(|faults| faults.rules.clear());
        real.run().await;
        assert_eq!(real.ours().len(), 0);
        let (calls, _) = real.simulator().totals();
        real.run().await;
        real.run().await;
        assert!(real.simulator().totals().0 <= calls + 3, "one more look, then nothing is asked any more");
    }
}

/// While every hook is made anew, again and again, pushes go on all the time.
#[tokio::test]
async fn nothing_that_happens_while_hooks_are_replaced_is_lost() {
    let (real, mut witness) = (Real::start().await, Witness::default());
    let simulator = real.simulator();
    real.bind("shop", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await;
    real.settle().await;
    let project = simulator.project(SHOP).unwrap();
    let repository = simulator.repository(project, "web shop").unwrap();
    for round in 0..12 {
        match round % 4 {
            0 => real.rotate().await,
            1 => real.change_token(round).await,
            2 => edit_all(&real, |draft| draft.resource_version = Some("latest".to_owned())),
            _ => edit_all(&real, |draft| {
                let url = draft.consumer_inputs.get_mut("url").unwrap();
                url.push_str(if url.contains('?') { "&by=hand" } else { "?by=hand" });
            }),
        }
        real.pass(Duration::from_mins(11)).await;
        let before: BTreeSet<String> = real.ours().into_iter().map(|hook| hook.id).collect();
        let mut run = std::pin::pin!(real.run());
        let mut pushes = 0;
        let report = loop {
            let push = simulator.push_commit(repository, "main", &format!("{round}.{pushes}"), &["/a"]).unwrap();
            witness.pushed_surely(repository, push);
            pushes += 1;
            // As far as the next answer, and then another push.
            tokio::select! {
                report = &mut run => break report,
                () = tokio::time::sleep(Duration::from_millis(2)) => {}
            }
        };
        assert_eq!(report.steps.iter().filter(|step| step.what == "replace").count(), before.len(), "{report:?}");
        assert!(real.ours().iter().all(|hook| !before.contains(&hook.id)) && pushes > 3, "{pushes}");
    }
    real.pass(Duration::from_secs(1)).await;
    witness.everything_became_one_event(&real).await;
}

fn edit_all(real: &Real, change: impl Fn(&mut Draft)) {
    for hook in real.ours() {
        assert!(real.simulator().hooks().edit(hook.id.parse().unwrap(), &change));
    }
}
