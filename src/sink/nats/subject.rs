//! To which subject an event goes: a template, filled in with what subscribers select by.

use crate::{
    domain::{Slug, without_version},
    sink::{Outgoing, Unusable},
};

/// Most characters of a template.
const TEMPLATE_CHARS_MAX: usize = 200;
const TYPE: &str = "{type}";
const PROJECT: &str = "{project}";
const CONNECTION: &str = "{connection}";
/// Stands for the project of an event that belongs to none.
const NONE: &str = "_";

/// A template that gives subjects which may be published to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Subject(String);

impl Subject {
    /// Refused is what could be no subject, and what would be one of the server's own: a publish to `$JS.API.…` is a
    /// command.
    pub(super) fn parse(template: &str) -> Result<Self, Unusable> {
        let sample = template.replace(TYPE, "type").replace(PROJECT, "project").replace(CONNECTION, "connection");
        let token = |token: &str| {
            !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        if template.len() > TEMPLATE_CHARS_MAX || !sample.split('.').all(token) || sample.starts_with("_INBOX") {
            let said = "the subject must be words of letters, figures, dashes and underscores with dots between; {type}, {project} and {connection} are filled in";
            return Err(Unusable(said.to_owned()));
        }
        Ok(Self(template.to_owned()))
    }

    /// The type goes in without its version, which `ce-type` has: subscribers should not go deaf when it is raised.
    pub(super) fn of(&self, event: &Outgoing) -> String {
        let kind = without_version(&event.kind);
        let kind: Vec<String> = kind.split('.').filter(|token| !token.is_empty()).map(token).collect();
        let project = event.projects.first().map_or(NONE, Slug::as_str);
        let connection = event.connection.to_string();
        self.0.replace(TYPE, &kind.join(".")).replace(PROJECT, &token(project)).replace(CONNECTION, &token(&connection))
    }
}

/// One word of a subject.
fn token(text: &str) -> String {
    text.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'), "_")
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::outgoing, *};

    #[test]
    fn a_template_is_filled_in() {
        let subject = |template: &str| Subject::parse(template).unwrap().of(&outgoing(1));
        assert_eq!(subject("events"), "events");
        assert_eq!(subject("hookwell.{project}.{type}"), "hookwell.shop.dev.cdevents.service.deployed");
        let connection = outgoing(1).connection.to_string();
        assert_eq!(subject("a.{connection}-x.b"), format!("a.{connection}-x.b"));
        let mut odd = outgoing(1);
        odd.projects.clear();
        odd.kind = "a..b *>\r\nPUB x.1.2.3".to_owned();
        assert_eq!(Subject::parse("{project}.{type}").unwrap().of(&odd), "_.a.b_____PUB_x");
    }

    #[test]
    fn what_can_be_no_subject_or_is_the_servers_is_refused() {
        let long = "x".repeat(201);
        for template in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "a.*",
            "a.>",
            "$JS.API.STREAM.DELETE.x",
            "$SYS.x",
            "_INBOX.x",
            "a\r\nb",
            "{id}",
            &long,
        ] {
            assert!(Subject::parse(template).is_err(), "{template}");
        }
    }
}
