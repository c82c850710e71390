//! Translation, held against golden files, the documented payloads and arbitrary damage.
// clippy.toml allows both in test functions; what they call is test code just as well.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod acts;
mod choices;
mod code;
pub(crate) mod corpus;
mod forms;
mod goldens;
mod keys;
mod names;
mod order;
mod places;
mod properties;
mod pushed;
mod releases;
mod reported;
mod runs;
mod set_back;
mod shared;
mod twice;
mod work_items;

use hookwell::{
    azure::CollectionUrl,
    domain::{
        AzureRef, Binding, BindingId, BranchRule, ConnectionId, IncidentRule, Issues, NotificationId, Selection,
        UpdateReason,
    },
    event::Event,
    translate::{Context, Settings, Untranslatable, translate},
};
use jiff::Timestamp;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

/// A case: `fixtures/azure/{event type}/{name}[@server][@reason={word}].json`.
///
/// `@server` has an on-premises collection as its connection; `@reason=` is the hint from the hook's URL.
struct Case {
    path: PathBuf,
    /// `{event type}/{file name}`.
    name: String,
    body: Vec<u8>,
}

fn fixtures(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind)
}

/// All JSON files two levels below, sorted, as `{folder}/{file}`.
fn files(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for folder in fs::read_dir(root).into_iter().flatten().map(Result::unwrap) {
        for file in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
            names.push(format!("{}/{}", folder.file_name().to_str().unwrap(), file.file_name().to_str().unwrap()));
        }
    }
    names.sort();
    names
}

fn cases() -> Vec<Case> {
    let root = fixtures("azure");
    let read = |name: String| {
        let path = root.join(&name);
        Case { body: fs::read(&path).unwrap(), path, name }
    };
    files(&root).into_iter().map(read).collect()
}

fn reason(name: &str) -> Option<UpdateReason> {
    let (_, word) = name.trim_end_matches(".json").split_once("@reason=")?;
    Some(UpdateReason::from_word(word).expect("a reason that Azure has"))
}

/// What the fixtures speak of, bound to three projects: `web` follows `main` of a repository and one pipeline, `libs`
/// follows release branches of the same repository by name, `board` has the bugs below one area.
fn bindings() -> Vec<Arc<Binding>> {
    let code = |project: &str, repository: &str, branch| Selection::CodeDeployment {
        azure_project: AzureRef(project.to_owned()),
        repository: AzureRef(repository.to_owned()),
        branch,
    };
    let selections = [
        ("web", code("FABRIKAM", "5d7b4a52-0b1c-4a0e-9d55-6f0a3f5e1c01", BranchRule::Exact("main".to_owned()))),
        ("libs", code("0f3d2c1b-7a6e-4d5c-8b4a-392817060504", "storefront", BranchRule::Prefix("release/".to_owned()))),
        (
            "web",
            Selection::BuildProvider {
                azure_project: AzureRef("0F3D2C1B-7A6E-4D5C-8B4A-392817060504".to_owned()),
                pipelines: vec![AzureRef("12".to_owned()), AzureRef("storefront cd".to_owned())],
            },
        ),
        (
            "board",
            Selection::IssueProvider {
                azure_project: AzureRef("fabrikam".to_owned()),
                area_paths: vec!["Fabrikam\\Shop".to_owned()],
                work_item_types: vec!["bug".to_owned(), "User Story".to_owned()],
            },
        ),
    ];
    let binding = |(at, (project, selection)): (usize, (&str, Selection))| Binding {
        id: BindingId(Uuid::from_u128(at as u128 + 1)),
        project: project.parse().unwrap(),
        connection: connection(),
        name: None,
        selection,
        code_deployment: None,
        partial: hookwell::domain::Partial::default(),
        direct_pushes: false,
        deploys: None,
        issues: Issues {
            incidents: if project == "board" { vec![incident()] } else { Vec::new() },
            carried_fields: ["Microsoft.VSTS.Common.Severity", "custom.team"].map(str::to_owned).into(),
            ..Issues::default()
        },
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    };
    selections.into_iter().enumerate().map(binding).map(Arc::new).collect()
}

/// What the board calls one.
fn incident() -> IncidentRule {
    IncidentRule {
        environment: "production".parse().unwrap(),
        work_item_types: vec!["Bug".to_owned()],
        tags: Vec::new(),
        area_paths: vec!["Fabrikam\\Shop\\".to_owned()],
    }
}

fn connection() -> ConnectionId {
    ConnectionId("c0ffee00-0000-4000-8000-000000000001".parse().unwrap())
}

/// Translates with the context that the case's name asks for.
fn events(name: &str, body: &[u8]) -> Result<Vec<Event>, Untranslatable> {
    let url = if name.contains("@server") {
        "https://tfs.example.com/tfs/DefaultCollection"
    } else {
        "https://dev.azure.com/fabrikam"
    };
    let (source, bindings, settings) = (CollectionUrl::parse(url).unwrap(), bindings(), Settings::default());
    translate(body, &context(&source, reason(name), &bindings, &settings))
}

/// As a delivery of this connection is translated.
fn context<'a>(
    source: &'a CollectionUrl,
    reason: Option<UpdateReason>,
    bindings: &'a [Arc<Binding>],
    settings: &'a Settings,
) -> Context<'a> {
    Context {
        connection: connection(),
        source,
        notification: NotificationId("0dd0dd00-0000-4000-8000-000000000001".parse().unwrap()),
        received_at: "2026-11-28T10:00:06Z".parse().unwrap(),
        reason,
        recovered: None,
        bindings,
        processes: &[],
        settings,
    }
}

fn json(event: &Event) -> serde_json::Value {
    serde_json::from_slice(&event.json).unwrap()
}
