//! NATS JetStream: each event is published in the binary mode of the CloudEvents binding, and delivered when the stream
//! has acknowledged it. `Nats-Msg-Id` is the event's id, so within the stream's window a repetition is stored once.
//!
//! Source: the CloudEvents NATS binding 1.0.3; JetStream's publish acknowledgement.
//! Not promised: that a stream is there. Until one takes the subject, the events wait as for any sink that is down.

mod line;
mod subject;

use self::{line::Line, subject::Subject};
use super::{Attempt, Error, Outgoing, Secrets, Sink, Tools, Unusable, webhook::binary};
use crate::{
    clock::Clock,
    domain::{self, Nats},
};
use async_nats::jetstream::{
    self,
    context::{PublishError, PublishErrorKind},
    message::PublishMessage,
};
use async_trait::async_trait;
use http::header;
use std::{error::Error as _, sync::Arc, time::Duration};

/// One stream.
pub(super) struct Engine {
    line: Line,
    subject: Subject,
    clock: Arc<dyn Clock>,
    /// How long the stream may take to acknowledge, connecting included, in real time: sockets are.
    whole: Duration,
}

impl Engine {
    /// Nothing is connected to yet.
    pub(super) fn new(
        sink: &domain::Sink,
        settings: &Nats,
        secrets: &Secrets,
        tools: &Tools,
    ) -> Result<Self, Unusable> {
        Ok(Self {
            line: Line::new(sink, settings, secrets, tools.timeouts)?,
            subject: Subject::parse(&settings.subject)?,
            clock: Arc::clone(&tools.clock),
            whole: tools.timeouts.whole,
        })
    }

    /// Where the stream put it.
    async fn publish(&self, event: &Outgoing) -> Result<String, Error> {
        let mut attributes = http::HeaderMap::new();
        let body = binary::parts(&event.json, &mut attributes);
        let body =
            body.ok_or_else(|| Error::Permanent { said: "the event cannot be put into binary mode".to_owned() })?;
        let mut headers = async_nats::HeaderMap::new();
        for (name, value) in &attributes {
            // Here the type of the data is an attribute like the others.
            let name = if name == header::CONTENT_TYPE { "ce-datacontenttype" } else { name.as_str() };
            headers.insert(name, value.to_str().unwrap_or_default());
        }
        let message = PublishMessage::build().payload(body).headers(headers).message_id(event.id.to_string());
        let stream = self.line.stream().await?;
        let published = async { stream.send_publish(self.subject.of(event), message).await?.await };
        let acknowledged = published.await.map_err(|error| failure(&error))?;
        let again = if acknowledged.duplicate { ", where it was already" } else { "" };
        Ok(format!("stream {} at {}{again}", acknowledged.stream, acknowledged.sequence))
    }
}

/// What the stream's word means. What is too large for it stays too large.
fn failure(error: &PublishError) -> Error {
    use jetstream::ErrorCode;
    let own = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    let too_large = [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM];
    match (error.kind(), own) {
        (PublishErrorKind::MaxPayloadExceeded, _) => {
            Error::Permanent { said: "it is larger than the server takes".to_owned() }
        }
        (_, Some(own)) if too_large.contains(&own.error_code()) => {
            Error::Permanent { said: "it is larger than the stream takes".to_owned() }
        }
        (PublishErrorKind::StreamNotFound, _) => Error::transient("no stream takes the subject"),
        (_, Some(own)) => Error::transient(format!("the stream does not take it: {own}")),
        (kind, None) => Error::transient(format!("it was not acknowledged: {kind}")),
    }
}

#[async_trait]
impl Sink for Engine {
    async fn deliver(&self, batch: &[Outgoing]) -> Vec<Attempt> {
        let mut attempts = Vec::with_capacity(batch.len());
        for event in batch {
            let begun = self.clock.monotonic();
            let late = || Err(Error::transient("it was not acknowledged in time"));
            let published = tokio::time::timeout(self.whole, self.publish(event)).await.unwrap_or_else(|_| late());
            let took = self.clock.monotonic().saturating_sub(begun);
            attempts.push(match published {
                Ok(place) => Attempt { answer: place, ..Attempt::delivered(took) },
                Err(error) => {
                    if matches!(error, Error::Transient { .. }) {
                        self.line.doubt().await;
                    }
                    Attempt::failed(error, took)
                }
            });
        }
        attempts
    }

    async fn close(&self) {
        self.line.doubt().await;
    }
}
