//! Between asynchronous doors and the synchronous reader.
//!
//! Promise: a bounded number of reads at work; a read whose asker has left stops at its next step.

use std::sync::Arc;

use kausal_runtime::clock::Stopwatch;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::ReadError;
use crate::metrics::Metrics;
use crate::reader::Reader;
use crate::stop::Stop;
use crate::traces::Traces;

/// What answers, as doors use it: the [`Reader`] for our own questions, [`Traces`] for Jaeger's.
/// Clones share the places.
pub struct Doors<R: ?Sized = Reader> {
    source: Arc<R>,
    places: Arc<Semaphore>,
    metrics: Metrics,
}

impl<R: ?Sized> Clone for Doors<R> {
    fn clone(&self) -> Self {
        let (source, places) = (self.source.clone(), self.places.clone());
        Self { source, places, metrics: self.metrics.clone() }
    }
}

impl Doors {
    /// Doors to a reader.
    pub fn new(reader: Reader, metrics: Metrics) -> Self {
        let places = reader.concurrent_max();
        Self::of(Arc::new(reader.counting(metrics.clone())), places, metrics)
    }

    /// The reader.
    pub fn reader(&self) -> &Reader {
        &self.source
    }
}

impl<R: Traces> Doors<R> {
    /// The same doors for Jaeger's questions; they share the places.
    pub fn traces(&self) -> Doors<dyn Traces> {
        let source: Arc<dyn Traces> = self.source.clone();
        Doors { source, places: self.places.clone(), metrics: self.metrics.clone() }
    }
}

impl<R: ?Sized + Send + Sync + 'static> Doors<R> {
    /// Doors to whatever answers, with room for `concurrent_max` questions at a time.
    pub fn of(source: Arc<R>, concurrent_max: usize, metrics: Metrics) -> Self {
        Self { source, places: Arc::new(Semaphore::new(concurrent_max)), metrics }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Answers one question; `question` names it in metrics.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        question: &'static str,
        work: impl FnOnce(&R, &Stop) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let place = self.places.clone().acquire_owned().await;
        let place = place.map_err(|_| ReadError::Abandoned)?;
        let stop = Stop::default();
        let _stop_when_nobody_waits = stop.on_drop();
        let (source, metrics) = (self.source.clone(), self.metrics.clone());
        let task = spawn_blocking(move || {
            let (_place, _at_work) = (place, metrics.begin());
            let watch = Stopwatch::start();
            let answer = work(&source, &stop);
            let outcome = answer.as_ref().err().map_or("ok", ReadError::code);
            metrics.answered(question, outcome, watch.elapsed().as_secs_f64());
            answer
        });
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, question, "a read ended before its answer");
            Err(ReadError::Failed)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::testing::Bed;

    #[tokio::test]
    async fn work_stops_when_its_asker_leaves() {
        let bed = Bed::new();
        let doors = bed.doors();
        let ((begun, begins), (done, ends)) = (tokio::sync::oneshot::channel(), sync_channel(1));
        let asker = tokio::spawn(async move {
            let answer = doors.read("test", move |_, stop| {
                begun.send(()).ok();
                loop {
                    if let Err(error) = stop.check() {
                        done.send(error.code()).ok();
                        return Err::<(), _>(error);
                    }
                }
            });
            answer.await.map_err(|error| error.code())
        });
        begins.await.unwrap();
        asker.abort();
        let waiting = spawn_blocking(move || ends.recv());
        assert_eq!(waiting.await.unwrap(), Ok("abandoned"));
    }

    #[tokio::test]
    async fn a_read_that_panics_is_an_answer() {
        let bed = Bed::new();
        let doors = bed.doors();
        let answer = doors.read("test", |_, _| -> Result<(), _> { panic!("on purpose") });
        assert_eq!(answer.await.unwrap_err().code(), "internal");
    }
}
