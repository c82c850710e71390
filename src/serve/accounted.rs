//! A service whose requests and replies keep the account of the connection that they come over.

use super::{
    paced::{Heard, Told},
    turn::Turn,
};
use crate::{clock::SystemClock, http::Peer};
use ::http::{Request, Response};
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tower::Service;

/// The service within, for one connection.
#[derive(Clone)]
pub(super) struct Accounted<S> {
    pub(super) inner: S,
    pub(super) turn: Arc<Turn>,
    pub(super) peer: IpAddr,
    pub(super) clock: SystemClock,
    pub(super) patience: Duration,
}

/// The answer that is owed; also when nobody waits for it any more, the account is kept.
pub(super) struct Answer<F> {
    inner: Pin<Box<F>>,
    turn: Arc<Turn>,
}

impl<S, B> Service<Request<Incoming>> for Accounted<S>
where
    S: Service<Request<Heard>, Response = Response<B>, Error = Infallible>,
{
    type Response = Response<Told<B>>;
    type Error = Infallible;
    type Future = Answer<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        self.turn.asked();
        let (turn, clock) = (Arc::clone(&self.turn), self.clock.clone());
        let mut request = request.map(|body| Heard::new(body, turn, clock, self.patience));
        request.extensions_mut().insert(Peer(self.peer));
        Answer { inner: Box::pin(self.inner.call(request)), turn: Arc::clone(&self.turn) }
    }
}

impl<F, B> Future for Answer<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<Told<B>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.inner.as_mut().poll(context));
        Poll::Ready(answer.map(|response| response.map(|body| Told::new(body, Arc::clone(&self.turn)))))
    }
}

impl<F> Drop for Answer<F> {
    fn drop(&mut self) {
        self.turn.gave(0);
    }
}
