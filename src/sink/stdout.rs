//! Events as lines on the process's standard output, for whoever collects the output of containers.
//!
//! Whole lines only, however many sinks write: a call takes the lock of the output once for all its lines. Writing is
//! done by a thread of its own, because a pipe that nobody reads blocks its writer for ever, and such a thread must hold
//! up neither the others nor the end of the process. Not promised: that a line was read by anybody.

use super::{Attempt, Error, Outgoing, Sink, Unusable, judged::alike};
use crate::clock::Clock;
use async_trait::async_trait;
use std::{
    io,
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::sync::oneshot;

/// Most lines that are written at once.
const BATCH_EVENTS_MAX: usize = 100;
/// How long the reader at the other end may be busy.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

type Job = (Vec<u8>, oneshot::Sender<io::Result<()>>);

/// The standard output.
pub(super) struct Stdout {
    jobs: mpsc::SyncSender<Job>,
    clock: Arc<dyn Clock>,
}

impl Stdout {
    /// With a thread that lives as long as this does.
    pub(super) fn open(clock: Arc<dyn Clock>) -> Result<Self, Unusable> {
        Self::onto(io::stdout, clock)
    }

    /// `output` is asked for at every write, so that a lock is held no longer than one.
    fn onto<W: io::Write>(output: impl Fn() -> W + Send + 'static, clock: Arc<dyn Clock>) -> Result<Self, Unusable> {
        // No queue: whoever comes while a write is stuck is told so.
        let (jobs, todo) = mpsc::sync_channel::<Job>(1);
        let write = move || {
            for (lines, done) in todo {
                let mut output = output();
                let _ = done.send(output.write_all(&lines).and_then(|()| output.flush()));
            }
        };
        let thread = std::thread::Builder::new().name("sink-stdout".to_owned());
        thread.spawn(write).map_err(|error| Unusable(format!("no thread for the standard output: {error}")))?;
        Ok(Self { jobs, clock })
    }

    async fn write(&self, batch: &[Outgoing]) -> Result<(), Error> {
        let mut lines = Vec::with_capacity(batch.iter().map(|event| event.json.len() + 1).sum());
        for event in batch {
            lines.extend_from_slice(&event.json);
            lines.push(b'\n');
        }
        let stuck = || Error::transient("nobody reads the standard output");
        let (done, written) = oneshot::channel();
        self.jobs.try_send((lines, done)).map_err(|_| stuck())?;
        match tokio::time::timeout(WRITE_TIMEOUT, written).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(Error::transient(format!("the standard output cannot be written: {error}"))),
            Ok(Err(_)) | Err(_) => Err(stuck()),
        }
    }
}

#[async_trait]
impl Sink for Stdout {
    fn batch_events_max(&self) -> usize {
        BATCH_EVENTS_MAX
    }

    async fn deliver(&self, batch: &[Outgoing]) -> Vec<Attempt> {
        let begun = self.clock.monotonic();
        let result = self.write(batch).await;
        let took = self.clock.monotonic().saturating_sub(begun);
        alike(batch, result, took)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::outgoing, *};
    use crate::clock::ManualClock;
    use std::sync::Mutex;

    /// Takes what it is given in pieces, as a pipe does, and notes them.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<Vec<u8>>>);

    /// The lock is held for as long as a writer is there.
    struct Held<'a>(std::sync::MutexGuard<'a, Vec<u8>>);

    impl io::Write for Held<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let piece = &bytes[..bytes.len().min(7)];
            self.0.extend_from_slice(piece);
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn clock() -> Arc<dyn Clock> {
        Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH))
    }

    #[tokio::test]
    async fn lines_of_several_sinks_do_not_mix() {
        let pipe: &'static Pipe = Box::leak(Box::default());
        let sinks = [0, 1].map(|_| Stdout::onto(|| Held(pipe.0.lock().unwrap()), clock()).unwrap());
        for round in 0..50 {
            let batch = [outgoing(round * 2), outgoing(round * 2 + 1)];
            let (one, other) = tokio::join!(sinks[0].deliver(&batch), sinks[1].deliver(&batch));
            assert!(one.iter().chain(&other).all(|attempt| attempt.result.is_ok()));
        }
        let written = pipe.0.lock().unwrap().clone();
        let lines: Vec<serde_json::Value> =
            written.split_inclusive(|byte| *byte == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect();
        assert_eq!(lines.len(), 200);
    }

    #[tokio::test]
    async fn an_output_that_is_closed_is_told() {
        struct Closed;
        impl io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let sink = Stdout::onto(|| Closed, clock()).unwrap();
        let attempts = sink.deliver(&[outgoing(1), outgoing(2)]).await;
        assert_eq!(attempts.len(), 2);
        let said = attempts[1].result.clone().unwrap_err();
        assert_eq!(said, Error::transient("the standard output cannot be written: broken pipe"));
    }
}
