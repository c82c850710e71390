//! Names of things: of the grammar that the next vocabulary asks for, and one for one thing, whichever event tells of it.

use super::{
    cases, corpus, events, json,
    places::{Body, PLACES, PROJECT, Place, REPOSITORY},
};
use jsonschema::Validator;
use serde_json::{Value, json as literal};
use std::collections::BTreeSet;

/// The members of `schemas/links/domainid.json` in the draft of `CDEvents` 0.6 (cdevents/spec at 8917b18, 2026-06-24) that
/// say what a domain id is.
fn grammar() -> Validator {
    let pattern = "^cdevents:v0:[^:]*:[^:]*:[^:]*:([^:/]([^:]*[^:/])?)?:[^:]+:.+$";
    let schema = literal!({ "type": "string", "format": "uri-reference", "pattern": pattern });
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// The types of things of the same draft (links.md, "Common Resource Types") that there are here, and one of ours: a
/// repository has no type of its own there, and `definition.<kind>` is how one is to be made.
const TYPES: [&str; 5] = ["commit", "pr", "issue", "execution", "definition.repository"];

fn named(event: &Value) -> Vec<(String, String)> {
    let all = event["data"]["context"]["links"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter().map(|link| (text(&link["linkKind"]), text(&link["target"]["domainId"]))).collect()
}

/// Of the grammar, and what it says in words: the type is of the list, and what is percent-encoded is so in upper case.
fn holds(grammar: &Validator, what: &str, name: &str) {
    assert!(grammar.is_valid(&literal!(name)), "{what}: {name}");
    let parts: Vec<&str> = name.split(':').collect();
    assert_eq!(parts.len(), 8, "{what}: every part is there, and none is split: {name}");
    assert!(TYPES.contains(&parts[6]), "{what}: {name}");
    assert!(["azure-devops", "github"].contains(&parts[2]), "{what}: {name}");
    for (at, _) in name.match_indices('%') {
        let hex = &name[at + 1..at + 3];
        assert!(hex.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)), "{what}: {name}");
    }
}

#[test]
fn the_grammar_of_names_takes_and_refuses_what_the_vectors_do() {
    let grammar = grammar();
    for (name, is_one) in [
        // A provider without an instance, with one, nested groups, a package, nothing but what must be there.
        ("cdevents:v0:github::fabrikam:lib:pr:7", true),
        ("cdevents:v0:github:git.corp.example:fabrikam:lib:pr:7", true),
        ("cdevents:v0:azure-devops:dev.azure.com:fabrikam:p/r:commit:a", true),
        ("cdevents:v0:azure-devops:dev.azure.com:fabrikam::issue:7", true),
        ("cdevents:v0:::::artifact:pkg%3Adocker%2Fapp%401.0", true),
        ("cdevents:v0:::::pr:7", true),
        // A part left out, an empty type or id, a slash at either end, another version, another case.
        ("cdevents:v0:github:fabrikam:lib:pr:7", false),
        ("cdevents:v0:github::fabrikam:lib::7", false),
        ("cdevents:v0:github::fabrikam:lib:pr:", false),
        ("cdevents:v0:azure-devops:dev.azure.com:fabrikam:/r:commit:a", false),
        ("cdevents:v0:azure-devops:dev.azure.com:fabrikam:p/:commit:a", false),
        ("cdevents:v1:github::fabrikam:lib:pr:7", false),
        ("CDEvents:v0:github::fabrikam:lib:pr:7", false),
    ] {
        assert_eq!(grammar.is_valid(&literal!(name)), is_one, "{name}");
    }
}

#[test]
fn every_name_is_of_the_grammar_also_where_the_project_is_not_known() {
    let grammar = grammar();
    let mut kinds = BTreeSet::new();
    let documented = corpus::documented();
    let own = cases().into_iter().map(|case| (case.name, case.body));
    for (name, body) in own.chain(documented) {
        let mut bare: Value = serde_json::from_slice(&body).unwrap();
        let all: Vec<_> = events(&name, &body).unwrap();
        forget_projects(&mut bare);
        let without = events(&name, &serde_json::to_vec(&bare).unwrap()).unwrap();
        for event in all.iter().chain(&without) {
            for (kind, id) in named(&json(event)) {
                holds(&grammar, &name, &id);
                kinds.insert(kind);
            }
        }
    }
    let all = ["CHANGE", "COMMIT", "FORK_OF", "GATES", "ISSUE", "MERGE_COMMIT", "RUN", "TRIGGER"];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), all);
}

/// Whatever names a project.
fn forget_projects(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !name.to_ascii_lowercase().contains("project") && name != "resourceContainers");
            members.values_mut().for_each(forget_projects);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_projects),
        Value::String(text) if text.contains("://") => *text = String::new(),
        _ => {}
    }
}

#[test]
fn a_commit_has_one_name_whichever_event_tells_of_it_and_however_its_parts_are_written() {
    for place in PLACES {
        let wanted = format!("{}:{PROJECT}/{REPOSITORY}:commit:{}", place.group, "c".repeat(40));
        for loud in [false, true] {
            for body in Body::all(place) {
                let mut value = body.value.clone();
                if loud {
                    shout(&mut value);
                }
                let names: BTreeSet<String> = place
                    .told(&value, body.reason)
                    .iter()
                    .flat_map(|event| named(&json(event)))
                    .filter(|(_, name)| name.contains(":commit:"))
                    .map(|(_, name)| name)
                    .collect();
                let expected = BTreeSet::from_iter(body.has_commit.then(|| wanted.clone()));
                assert_eq!(names, expected, "{} at {}, in upper case: {loud}", body.what, place.url);
            }
        }
    }
}

/// Ids and commits in upper case, as some tools write them.
fn shout(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(shout),
        Value::Array(items) => items.iter_mut().for_each(shout),
        Value::String(text) => {
            for id in [PROJECT, REPOSITORY, &"c".repeat(40)] {
                *text = text.replace(id, &id.to_uppercase());
            }
        }
        _ => {}
    }
}

#[test]
fn changes_runs_and_tickets_have_one_name_each() {
    for place in PLACES {
        for (kind, name, tellers) in [
            ("CHANGE", format!("{PROJECT}/{REPOSITORY}:pr:31"), &["build 2.0", "run", "stage", "work item linked"][..]),
            ("RUN", format!("{PROJECT}:execution:712"), &["release", "deployment", "work item linked"]),
            ("ISSUE", ":issue:88".to_owned(), &["work item linked"]),
            ("GATES", format!("{PROJECT}:execution:712"), &["approval"]),
        ] {
            for what in tellers {
                let body =
                    Body::all(place).into_iter().find(|body| body.what == *what).unwrap_or_else(|| panic!("{what}"));
                let event = json(&place.told(&body.value, body.reason)[0]);
                let names: Vec<_> =
                    named(&event).into_iter().filter(|(own, _)| own == kind).map(|(_, id)| id).collect();
                assert_eq!(names, [format!("{}:{name}", place.group)], "{kind} of {what} at {}", place.url);
            }
        }
    }
}

#[test]
fn what_is_at_github_has_github_s_names_whichever_event_tells_of_it() {
    let place = &PLACES[0];
    let sha = "d".repeat(40);
    let at = |host: &str, thing: &str| format!("cdevents:v0:github:{host}:corp:tool:{thing}");
    let commit = |host: &str| at(host, &format!("commit:{sha}"));
    let build = |repository: Value, more: Value| {
        let mut body = Body::named(place, "build 2.0");
        body["resource"]["repository"] = repository;
        body["resource"]["sourceVersion"] = literal!(sha);
        body["resource"]["sourceBranch"] = literal!("refs/heads/main");
        body["resource"]["triggerInfo"] = more;
        body
    };
    let run = |repository: Value| {
        let mut body = Body::named(place, "run");
        let own = literal!({ "repository": repository, "refName": "refs/heads/main", "version": sha });
        body["resource"]["run"]["resources"]["repositories"]["self"] = own;
        body
    };
    let checkout = |what: &str, checkout: Value| {
        let mut body = Body::named(place, what);
        body["resource"]["run"]["resources"] = Value::Null;
        body["resource"]["repositories"] = literal!([checkout]);
        body
    };
    let release = |artifact: Value| {
        let mut body = Body::named(place, "release");
        body["resource"]["release"]["artifacts"] = literal!([artifact]);
        body
    };
    let reference = |members: &[(&str, &str)]| {
        let named = members.iter().map(|(name, id)| ((*name).to_owned(), literal!({ "id": id })));
        Value::Object(named.collect())
    };
    let cut = literal!({ "change": { "version": sha }, "alias": "self", "id": "corp/tool", "type": "GitHub" });
    let enterprise = |url: Value| literal!({ "id": "corp/tool", "type": "GitHubEnterprise", "url": url });
    let number = literal!({ "pr.number": "9", "pr.isFork": "True", "pr.sourceSha": "e".repeat(40) });
    let of_build = [("repository", "corp/tool"), ("repository.provider", "GitHub"), ("sourceVersion", sha.as_str())];
    for (what, body, names) in [
        ("a build", build(literal!({ "id": "corp/tool", "type": "GitHub" }), Value::Null), vec![commit("")]),
        (
            "a build of a fork's pull request",
            build(literal!({ "id": "corp/tool", "type": "GitHub" }), number),
            vec![commit(""), at("", &format!("commit:{}", "e".repeat(40))), at("", "pr:9")],
        ),
        ("a run by name", run(literal!({ "fullName": "corp/tool", "type": "gitHub" })), vec![commit("")]),
        (
            "a run by number",
            run(literal!({ "id": "4711", "fullName": "corp/tool", "type": "gitHub" })),
            vec![commit("")],
        ),
        (
            "a run of nobody knows which server",
            run(literal!({ "fullName": "corp/tool", "type": "gitHubEnterprise" })),
            vec![],
        ),
        ("a build of nobody knows which server", build(enterprise(Value::Null), Value::Null), vec![]),
        (
            "a build at a server of one's own",
            build(enterprise(literal!("https://x:token@git.corp.example/corp/tool.git")), Value::Null),
            vec![commit("git.corp.example")],
        ),
        ("a stage", checkout("stage", cut.clone()), vec![commit("")]),
        ("a job", checkout("job", cut), vec![commit("")]),
        ("a build of neither", build(literal!({ "id": "corp/tool" }), Value::Null), vec![]),
        ("a build at another place", build(literal!({ "id": "corp/tool", "type": "Bitbucket" }), Value::Null), vec![]),
        (
            "a release of a build",
            release(literal!({ "type": "Build", "definitionReference": reference(&of_build) })),
            vec![commit("")],
        ),
        (
            "a release of a repository",
            release(literal!({ "type": "GitHub",
                "definitionReference": reference(&[("definition", "corp/tool"), ("version", &sha)]) })),
            vec![commit("")],
        ),
    ] {
        let event = json(&place.told(&body, None)[0]);
        let found: Vec<String> =
            named(&event).into_iter().map(|(_, name)| name).filter(|name| !name.contains(":execution:")).collect();
        assert_eq!(found, names, "{what}");
        assert!(found.iter().all(|name| grammar().is_valid(&literal!(name))), "{what}");
    }
}

#[test]
fn the_head_that_somebody_pushed_is_named_beside_what_was_built() {
    let place: &Place = &PLACES[1];
    let (head, other) = ("f".repeat(40), "0b7385b4-0000-4000-8000-000000000001");
    for (what, repository, is_fork, heads) in [
        (
            "in the same repository",
            literal!({ "id": REPOSITORY, "type": "TfsGit" }),
            "False",
            vec![format!("{PROJECT}/{REPOSITORY}")],
        ),
        ("a fork's, which a build does not name", literal!({ "id": REPOSITORY, "type": "TfsGit" }), "True", vec![]),
        (
            "in a repository of another project",
            literal!({ "id": REPOSITORY, "type": "TfsGit", "url": format!("https://dev.azure.com/x/{other}/_git/y") }),
            "False",
            vec![format!("{other}/{REPOSITORY}")],
        ),
    ] {
        let mut body = Body::named(place, "build 2.0");
        body["resource"]["repository"] = repository;
        body["resource"]["triggerInfo"] = literal!({ "pr.number": "31", "pr.sourceSha": head, "pr.isFork": is_fork });
        let event = json(&place.told(&body, None)[0]);
        let found: Vec<String> =
            named(&event).into_iter().map(|(_, name)| name).filter(|name| name.ends_with(&head)).collect();
        let wanted: Vec<_> = heads.iter().map(|groups| format!("{}:{groups}:commit:{head}", place.group)).collect();
        assert_eq!(found, wanted, "{what}");
        assert_eq!(event["data"]["customData"]["azuredevops"]["pullRequest"]["head"], head, "{what}");
    }
}
