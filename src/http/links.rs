//! What a reply leads to: OpenAPI links, for readers and for tools that walk from one operation to the next.

use serde_json::{Map, Value, json};

/// From (operation id, status), the operations that a member of the reply names the thing of: (the parameter, where in the
/// reply, which operations).
const LINKS: &[(&str, &str, &str, &str, &[&str])] = &[
    (
        "create_connection",
        "201",
        "id",
        "$response.body#/id",
        &[
            "read_connection",
            "change_connection",
            "preview_connection_removal",
            "remove_connection",
            "rotate_hook_secret",
            "check_connection",
            "synchronize_connection",
            "discover_projects",
            "discover_repositories",
        ],
    ),
    ("create_connection", "201", "connection", "$response.body#/id", &["receive_hook"]),
    (
        "create_binding",
        "201",
        "id",
        "$response.body#/id",
        &["read_binding", "change_binding", "remove_binding", "read_backfill", "begin_backfill", "cancel_backfill"],
    ),
    (
        "put_project",
        "201",
        "slug",
        "$response.body#/slug",
        &["read_project", "list_bindings", "create_binding", "remove_project"],
    ),
    ("create_token", "201", "id", "$response.body#/id", &["remove_token"]),
    (
        "create_sink",
        "201",
        "id",
        "$response.body#/id",
        &[
            "read_sink",
            "change_sink",
            "remove_sink",
            "pause_sink",
            "resume_sink",
            "rotate_sink_secret",
            "test_sink",
            "replay_to_sink",
            "list_deliveries",
        ],
    ),
    ("receive_hook", "200", "id", "$response.body#/notification", &["read_notification"]),
    ("list_notifications", "200", "id", "$response.body#/data/0/id", &["read_notification", "replay_notification"]),
    (
        "discover_projects",
        "200",
        "azure_project",
        "$response.body#/data/0/id",
        &["discover_repositories", "discover_pipelines", "discover_work_item_types"],
    ),
    ("list_events", "200", "id", "$response.body#/data/0/id", &["read_event", "read_event_deliveries"]),
    ("list_events", "200", "after", "$response.body#/next", &["list_events", "stream_events"]),
];

/// Adds the operation's links to its replies.
pub(super) fn add(operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    for (_, status, parameter, from, targets) in LINKS.iter().filter(|(of, ..)| *of == id) {
        let links = &mut operation["responses"][*status]["links"];
        let mut all: Map<String, Value> = links.as_object().cloned().unwrap_or_default();
        for target in *targets {
            all.insert((*target).to_owned(), json!({ "operationId": target, "parameters": { *parameter: from } }));
        }
        *links = all.into();
    }
}
