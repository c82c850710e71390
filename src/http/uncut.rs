//! A request that changes something runs to its end, also when its client hangs up in the middle.
//!
//! The server drops what it was doing for a client that is gone. A commit which the store has been asked for happens all
//! the same, and the lock and the idempotency slot that guard it would be free before it has: the client's next try
//! would make the thing a second time. Reading may be dropped anywhere, and so may a delivery: its key makes a repeat
//! the same entry.

use futures_util::future::Either;
use http::{Method, Request};
use std::{
    convert::Infallible,
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll},
};
use tower::Service;

/// The service within, with its changes run on tasks of their own.
#[derive(Clone)]
pub(super) struct Uncut<S>(pub(super) S);

type Running<R> = Pin<Box<dyn Future<Output = Result<R, Infallible>> + Send>>;

impl<S, B> Service<Request<B>> for Uncut<S>
where
    S: Service<Request<B>, Error = Infallible, Response: Send + 'static, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Either<S::Future, Running<S::Response>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let changes = !reads && request.uri().path().starts_with("/v1/");
        let answer = self.0.call(request);
        if !changes {
            return Either::Left(answer);
        }
        let running = tokio::spawn(answer);
        // Nobody aborts it, so if it has no reply it panicked: that is answered where all panics are.
        Either::Right(Box::pin(async { running.await.unwrap_or_else(|ended| resume_unwind(ended.into_panic())) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::panic::AssertUnwindSafe;

    #[derive(Clone)]
    struct Panics;

    impl Service<Request<()>> for Panics {
        type Response = ();
        type Error = Infallible;
        type Future = Running<()>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            Box::pin(async { panic!("by the handler") })
        }
    }

    #[tokio::test]
    async fn a_panic_on_the_task_is_one_of_the_request() {
        let request = Request::post("/v1/connections").body(()).expect("a request");
        let ended = AssertUnwindSafe(Uncut(Panics).call(request)).catch_unwind().await;
        assert_eq!(ended.expect_err("it panics").downcast_ref(), Some(&"by the handler"));
    }
}
