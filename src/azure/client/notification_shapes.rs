//! How notifications are written in the history.

use super::{
    NotificationRecord,
    records_shapes::{dated, needed, number, raw, text},
    wire::Record,
};
use crate::azure::lenient::{Int, Object, Text};
use serde::Deserialize;
use serde_json::value::RawValue;

raw!(Details<'a> {
    #[serde(borrow)] event: Option<&'a RawValue>,
    #[serde(borrow)] request: Text<'a>,
    #[serde(borrow)] error_message: Text<'a>,
    #[serde(borrow)] error_detail: Text<'a>,
});

raw!(Notified<'a> {
    id: Int,
    #[serde(borrow)] subscription_id: Text<'a>,
    #[serde(borrow)] event_id: Text<'a>,
    #[serde(borrow)] status: Text<'a>,
    #[serde(borrow)] result: Text<'a>,
    #[serde(borrow)] created_date: Text<'a>,
    #[serde(borrow)] details: Object<Details<'a>>,
});

impl<'a> Record<'a> for Notified<'a> {
    type Into = NotificationRecord;

    fn record(self, _: &'a RawValue) -> Result<NotificationRecord, &'static str> {
        let event = self.details.event.filter(|event| event.get().starts_with('{'));
        Ok(NotificationRecord {
            id: number(self.id, "id")?,
            subscription: needed(&self.subscription_id, "subscriptionId")?,
            event_id: text(&self.event_id),
            // The first words of their enumerations, which old servers do not write.
            status: text(&self.status).unwrap_or_else(|| "queued".to_owned()),
            result: text(&self.result).unwrap_or_else(|| "pending".to_owned()),
            created: dated(&self.created_date, "createdDate")?,
            error: text(&self.details.error_message).or_else(|| text(&self.details.error_detail)),
            event: event.map(RawValue::to_owned),
            sent: self.details.request.as_str().and_then(sent),
        })
    }
}

/// The body in the text of a request.
///
/// Source: recorded `details.request` of 2023: lines for method, URI and version, `Headers:` in braces, then `Content:` and
/// the body, indented.
fn sent(request: &str) -> Option<Box<RawValue>> {
    let (_, content) = request.split_once("\nContent:")?;
    let body: &RawValue = serde_json::from_str(content.trim()).ok()?;
    body.get().starts_with('{').then(|| body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::sent;

    #[test]
    fn the_body_of_a_request_is_read_where_it_is_whole() {
        let head = "Method: POST\nURI: https://hooks.example\nHTTP Version: 1.1\nHeaders:\n{\n  X: y\n}\n";
        let of = |content: &str| sent(&format!("{head}{content}")).map(|body| body.get().to_owned());
        assert_eq!(of("Content:\n{\n  \"id\": \"1\"\n}\n").as_deref(), Some("{\n  \"id\": \"1\"\n}"));
        assert_eq!(of("Content:\r\n{}\r\n").as_deref(), Some("{}"));
        for content in ["", "Content:\n", "Content:\n{\"id\": \"1", "Content:\nnot shown", "Content:\n[]"] {
            assert_eq!(of(content), None, "{content}");
        }
    }
}
