//! The vocabulary's words for what Microsoft's processes call otherwise.

/// The vocabulary's word for a type of Microsoft's processes; any other type keeps its own.
pub(super) fn ticket_type(kind: &str) -> &str {
    let words = [
        ("Bug", "bug"),
        ("Task", "task"),
        ("User Story", "enhancement"),
        ("Product Backlog Item", "enhancement"),
        ("Requirement", "enhancement"),
        ("Change Request", "enhancement"),
        ("Feature", "enhancement"),
        ("Epic", "enhancement"),
        ("Incident", "incident"),
        ("Question", "question"),
    ];
    words.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(kind)).map_or(kind, |(_, word)| word)
}

/// Azure counts priorities from 1, the highest, to 4.
pub(super) fn priority(number: &str) -> &str {
    match number {
        "1" => "high",
        "2" => "medium",
        "3" | "4" => "low",
        other => other,
    }
}

/// Tags come as `one; two`.
pub(super) fn labels(tags: Option<&str>) -> Vec<&str> {
    tags.unwrap_or_default().split(';').map(str::trim).filter(|tag| !tag.is_empty()).collect()
}
