//! The decoded copies of the registry: a change costs work for what it touched.

use crate::harness::Gateway;
use hookwell::{
    app::{App, kind},
    domain::{
        AzureRef, Binding, BindingId, BranchRule, ConnectionId, Deploys, Ignored, Issues, Meaning, Selection, Tracking,
    },
    store::{Change, Expected, Registry as _},
};
use jiff::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

const BINDINGS: u128 = 40;

fn connection() -> ConnectionId {
    ConnectionId(Uuid::from_u128(1))
}

fn selecting(project: &str, repository: &str) -> Selection {
    Selection::CodeDeployment {
        azure_project: AzureRef(project.to_owned()),
        repository: AzureRef(repository.to_owned()),
        branch: BranchRule::Any,
    }
}

fn binding(number: u128, name: &str) -> Change {
    let id = BindingId(Uuid::from_u128(number));
    let record = Binding {
        id,
        project: "web".parse().unwrap(),
        connection: connection(),
        name: Some(name.to_owned()),
        selection: selecting("Fabrikam", &format!("r{number}")),
        code_deployment: None,
        partial: hookwell::domain::Partial::default(),
        direct_pushes: false,
        deploys: Some(Deploys {
            tracking: Tracking::Push,
            reaches: Vec::new(),
            include_paths: Vec::new(),
            exclude_paths: Vec::new(),
            ignored: Ignored::default(),
            delay_minutes: 0,
        }),
        issues: Issues::default(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    };
    put(kind::BINDING, id, serde_json::to_vec(&record).unwrap())
}

fn meaning(number: u128, repository: &str) -> Change {
    let id = BindingId(Uuid::from_u128(number));
    let (of, ids) = (selecting("Fabrikam", &format!("r{number}")), selecting("p", repository));
    let record = Meaning { binding: id, of, ids, process: Vec::new() };
    put(kind::MEANING, id, serde_json::to_vec(&record).unwrap())
}

fn put(kind: &'static str, id: BindingId, value: Vec<u8>) -> Change {
    Change { kind, id: id.to_string(), expected: Expected::Any, value: Some(value.into()) }
}

/// Each binding as translation and deployments get it, by its address in memory.
fn copies(app: &App) -> [Vec<(BindingId, usize)>; 3] {
    let directory = app.directory();
    let address = |binding: &Arc<Binding>| (binding.id, Arc::as_ptr(binding) as usize);
    [directory.bindings_of(connection()), directory.selecting(connection()), directory.deploying(connection())]
        .map(|list| list.iter().map(address).collect())
}

#[tokio::test]
async fn a_binding_or_a_meaning_that_changes_leaves_the_copies_of_all_others_where_they_are() {
    let gateway = Gateway::start().await;
    let all = (1..=BINDINGS).flat_map(|number| [binding(number, "before"), meaning(number, "of-before")]);
    gateway.store.commit(all.collect()).await.unwrap();
    let mut before = copies(&gateway.app);
    let both = BINDINGS as usize * 2;
    assert_eq!(before.each_ref().map(Vec::len), [both / 2, both, both]);
    // Kept alive, so that no address is given twice.
    let mut held = vec![gateway.app.directory()];
    for (change, moved) in [(binding(7, "after"), [1, 2, 2]), (meaning(9, "of-after"), [0, 1, 1])] {
        gateway.store.commit(vec![change]).await.unwrap();
        let after = copies(&gateway.app);
        held.push(gateway.app.directory());
        let others = before.iter().zip(&after).map(|(before, after)| {
            assert_eq!(before.len(), after.len());
            before.iter().zip(after).filter(|(before, after)| before != after).count()
        });
        assert_eq!(others.collect::<Vec<_>>(), moved);
        before = after;
    }
    let named = |name: &str| {
        let directory = gateway.app.directory();
        directory.selecting(connection()).iter().filter(|own| own.name.as_deref() == Some(name)).count()
    };
    assert_eq!([named("before"), named("after")], [both - 2, 2]);
    let gone = Change { value: None, ..binding(7, "") };
    gateway.store.commit(vec![gone]).await.unwrap();
    assert_eq!(copies(&gateway.app).map(|list| list.len()), [both / 2 - 1, both - 2, both - 2]);
}
