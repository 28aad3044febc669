//! Batches that wait for the writer.
//!
//! Promise: bounded by number and bytes; every batch taken in is answered exactly once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kausal_trace::SpanBatch;
use tokio::sync::oneshot;

use crate::StoreError;
use crate::api::Acknowledgement;

/// What waits: it has a size.
pub(crate) trait Weigh {
    fn byte_len(&self) -> usize;
}

impl Weigh for SpanBatch {
    fn byte_len(&self) -> usize {
        Self::byte_len(self)
    }
}

/// A batch and who waits for it.
#[derive(Debug)]
pub(crate) struct Submission<B = SpanBatch> {
    pub(crate) batch: B,
    pub(crate) answer: oneshot::Sender<Result<(), StoreError>>,
}

/// Limits of a [`Queue`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) batches: usize,
    pub(crate) bytes: usize,
    pub(crate) wait: Duration,
}

/// The queue in front of the writer.
#[derive(Debug)]
pub(crate) struct Queue<B = SpanBatch> {
    limits: Limits,
    inner: Mutex<Inner<B>>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug)]
struct Inner<B> {
    waiting: VecDeque<Submission<B>>,
    bytes: usize,
    refused: u64,
    /// Why nothing is taken any more.
    ended: Option<StoreError>,
}

/// What became of a batch at the door.
#[derive(Debug)]
pub(crate) enum Entry<B = SpanBatch> {
    Taken(Acknowledgement),
    Refused(StoreError),
    Full(B),
}

impl<B: Weigh> Queue<B> {
    pub(crate) fn new(limits: Limits) -> Self {
        let inner = Inner { waiting: VecDeque::new(), bytes: 0, refused: 0, ended: None };
        Self { limits, inner: inner.into(), filled: Condvar::new(), emptied: Condvar::new() }
    }

    /// Takes the batch if there is room now.
    pub(crate) fn try_push(&self, batch: B) -> Entry<B> {
        let inner = self.lock();
        self.enter(inner, batch)
    }

    /// Takes the batch, waiting for room as long as the limits say.
    pub(crate) fn push(&self, batch: B) -> Entry<B> {
        let full = |inner: &mut Inner<B>| inner.ended.is_none() && !self.has_room(inner, &batch);
        let waited = self.emptied.wait_timeout_while(self.lock(), self.limits.wait, full);
        let (mut inner, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && inner.ended.is_none() {
            inner.refused += 1;
            return Entry::Full(batch);
        }
        self.enter(inner, batch)
    }

    /// Waits for batches and takes as many as `bytes_max` allows, at least one. `None` when the
    /// queue is closed and empty.
    pub(crate) fn take(&self, bytes_max: usize) -> Option<Vec<Submission<B>>> {
        let idle = |inner: &mut Inner<B>| inner.waiting.is_empty() && inner.ended.is_none();
        let waited = self.filled.wait_while(self.lock(), idle);
        let mut inner = waited.unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(next) = inner.waiting.front() {
            bytes += next.batch.byte_len();
            if bytes > bytes_max && !taken.is_empty() {
                break;
            }
            inner.bytes -= next.batch.byte_len();
            taken.extend(inner.waiting.pop_front());
        }
        drop(inner);
        self.emptied.notify_all();
        (!taken.is_empty()).then_some(taken)
    }

    /// Takes no more batches; those that wait are still handed to the writer.
    pub(crate) fn close(&self) {
        self.end(StoreError::Closed);
    }

    /// Takes no more batches and answers those that wait with `error`.
    pub(crate) fn fail(&self, error: &StoreError) {
        let waiting = {
            let mut inner = self.lock();
            inner.ended = Some(error.clone());
            inner.bytes = 0;
            std::mem::take(&mut inner.waiting)
        };
        for submission in waiting {
            answer(submission, Err(error.clone()));
        }
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// Batches refused because there was no room.
    pub(crate) fn refused(&self) -> u64 {
        self.lock().refused
    }

    fn end(&self, error: StoreError) {
        self.lock().ended.get_or_insert(error);
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    fn enter(&self, mut inner: MutexGuard<'_, Inner<B>>, batch: B) -> Entry<B> {
        if let Some(error) = &inner.ended {
            return Entry::Refused(error.clone());
        }
        if !self.has_room(&inner, &batch) {
            inner.refused += 1;
            return Entry::Full(batch);
        }
        let (sender, receiver) = oneshot::channel();
        inner.bytes += batch.byte_len();
        inner.waiting.push_back(Submission { batch, answer: sender });
        drop(inner);
        self.filled.notify_one();
        Entry::Taken(receiver)
    }

    fn has_room(&self, inner: &Inner<B>, batch: &B) -> bool {
        let fits = inner.bytes + batch.byte_len() <= self.limits.bytes
            && inner.waiting.len() < self.limits.batches;
        fits || inner.waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<B>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers a submission; whoever does not wait any more is not told.
pub(crate) fn answer<B>(submission: Submission<B>, outcome: Result<(), StoreError>) {
    drop(submission.answer.send(outcome));
}

/// An acknowledgement that is known already.
pub(crate) fn answered(outcome: Result<(), StoreError>) -> Acknowledgement {
    let (sender, receiver) = oneshot::channel();
    drop(sender.send(outcome));
    receiver
}

#[cfg(test)]
mod tests {
    use kausal_trace::{SpanId, SpanRecord, TraceId};

    use super::*;

    fn batch(bytes: usize) -> SpanBatch {
        let mut batch = SpanBatch::default();
        let content = vec![0; bytes];
        batch.push_encoded(SpanRecord {
            trace: TraceId([1; 16]),
            span: SpanId([1; 8]),
            bytes: &content,
        });
        batch
    }

    fn queue(batches: usize, bytes: usize) -> Queue {
        Queue::new(Limits { batches, bytes, wait: Duration::ZERO })
    }

    #[test]
    fn it_is_bounded_by_bytes_and_by_number_but_takes_any_one_batch() {
        let queue_of_bytes = queue(10, 100);
        assert!(matches!(queue_of_bytes.try_push(batch(500)), Entry::Taken(_)));
        assert!(matches!(queue_of_bytes.try_push(batch(1)), Entry::Full(_)));
        let queue_of_two = queue(2, 1_000);
        assert!(matches!(queue_of_two.try_push(batch(1)), Entry::Taken(_)));
        assert!(matches!(queue_of_two.push(batch(1)), Entry::Taken(_)));
        assert!(matches!(queue_of_two.push(batch(1)), Entry::Full(_)));
        assert_eq!(queue_of_two.refused(), 1);
    }

    #[test]
    fn one_take_stops_at_the_byte_limit() {
        let queue = queue(10, 1_000);
        for _ in 0..5 {
            assert!(matches!(queue.try_push(batch(40)), Entry::Taken(_)));
        }
        let sizes: Vec<usize> =
            (0..3).map(|_| queue.take(100).map_or(0, |taken| taken.len())).collect();
        assert_eq!(sizes, [2, 2, 1]);
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_took_and_then_ends() {
        let queue = queue(10, 1_000);
        assert!(matches!(queue.try_push(batch(1)), Entry::Taken(_)));
        queue.close();
        assert!(matches!(queue.try_push(batch(1)), Entry::Refused(StoreError::Closed)));
        assert_eq!(queue.take(10).map(|taken| taken.len()), Some(1));
        assert!(queue.take(10).is_none());
    }

    #[test]
    fn a_failed_queue_answers_whoever_waits() {
        let queue = queue(10, 1_000);
        let Entry::Taken(receiver) = queue.try_push(batch(1)) else { panic!("there was room") };
        let error = StoreError::WriteFailed { cause: "disk".to_owned() };
        queue.fail(&error);
        assert_eq!(receiver.blocking_recv(), Ok(Err(error)));
        assert!(queue.take(10).is_none());
    }

    #[test]
    fn whoever_waits_for_room_gets_it_when_the_writer_takes() {
        let queue = Queue::new(Limits { batches: 1, bytes: 10, wait: Duration::from_mins(1) });
        assert!(matches!(queue.try_push(batch(1)), Entry::Taken(_)));
        std::thread::scope(|scope| {
            let pushed = scope.spawn(|| matches!(queue.push(batch(1)), Entry::Taken(_)));
            assert_eq!(queue.take(10).map(|taken| taken.len()), Some(1));
            assert!(pushed.join().expect("no panic"));
        });
    }
}
