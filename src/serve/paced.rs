//! Bodies that keep the account of their connection, and do not wait for ever.

use super::turn::{Turn, paid_by};
use crate::clock::{Clock as _, SystemClock};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Sleep;
use tower::BoxError;

/// How long a request's body may take as a whole. Azure DevOps itself gives a delivery up after less.
const BODY_TIMEOUT: Duration = Duration::from_mins(5);
/// Most of a reply that is handed to the connection at once, so that it shows how fast the rest is taken.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// The body of a request: an error once the sender is too slow, so that it can still be answered.
pub struct Heard<B = Incoming> {
    inner: B,
    turn: Arc<Turn>,
    clock: SystemClock,
    patience: Duration,
    ends: Duration,
    debt: Duration,
    /// Since when the sender is awaited, and for how long. Most are not: their body comes with its header.
    awaited: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl<B> Heard<B> {
    pub(super) fn new(inner: B, turn: Arc<Turn>, clock: SystemClock, patience: Duration) -> Self {
        let ends = clock.monotonic() + BODY_TIMEOUT;
        Self { inner, turn, clock, patience, ends, debt: Duration::ZERO, awaited: None }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Body for Heard<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let now = this.clock.monotonic();
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) {
            if let Some((since, _)) = this.awaited.take() {
                this.turn.heard();
                this.debt += now.saturating_sub(since);
            }
            let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
            this.debt = this.debt.saturating_sub(paid_by(bytes));
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let (_, timer) = this.awaited.get_or_insert_with(|| {
            this.turn.listens();
            let idle = this.patience.saturating_sub(this.debt);
            (now, Box::pin(tokio::time::sleep(idle.min(this.ends.saturating_sub(now)))))
        });
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Drop for Heard<B> {
    fn drop(&mut self) {
        if self.awaited.is_some() {
            self.turn.heard();
        }
    }
}

/// The body of a reply: in pieces, so that the account shows whether they are taken.
pub(super) struct Told<B> {
    inner: B,
    rest: Bytes,
    turn: Arc<Turn>,
    /// The next piece was asked for and is not given yet.
    owing: bool,
}

impl<B> Told<B> {
    pub(super) fn new(inner: B, turn: Arc<Turn>) -> Self {
        Self { inner, rest: Bytes::new(), turn, owing: false }
    }

    fn gave(&mut self, bytes: usize) {
        if std::mem::take(&mut self.owing) {
            self.turn.gave(bytes);
        }
    }
}

impl<B: Body<Data = Bytes, Error: fmt::Display> + Unpin> Body for Told<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if !std::mem::replace(&mut this.owing, true) {
            this.turn.owes();
        }
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(context)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => this.rest = data,
                Some(Ok(Err(other))) => {
                    this.gave(0);
                    return Poll::Ready(Some(Ok(other)));
                }
                Some(Err(error)) => {
                    this.gave(0);
                    return Poll::Ready(Some(Err(io::Error::other(error.to_string()))));
                }
                None => {
                    this.gave(0);
                    return Poll::Ready(None);
                }
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE_BYTES_MAX));
        this.gave(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(inner.lower() + rest);
        hint
    }
}

impl<B> Drop for Told<B> {
    fn drop(&mut self) {
        self.gave(0);
    }
}
