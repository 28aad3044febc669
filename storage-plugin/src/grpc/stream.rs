//! Streams whose work ends when nobody reads them.

use std::pin::Pin;

use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Messages that wait for a slow reader; with those in flight a few MiB a stream.
const MESSAGES_WAITING_MAX: usize = 2;

/// Messages, one after another.
pub(crate) type Messages<M> = Pin<Box<dyn tokio_stream::Stream<Item = Result<M, Status>> + Send>>;

/// Where a producer puts its messages.
pub(crate) struct Out<M>(Sender<Result<M, Status>>);

/// The reader of a stream has left.
#[derive(Debug)]
pub(crate) struct Left;

impl<M> Out<M> {
    /// Sends messages in a row.
    pub(crate) async fn all(&self, messages: impl IntoIterator<Item = M>) -> Result<(), Left> {
        for message in messages {
            self.0.send(Ok(message)).await.map_err(|_| Left)?;
        }
        Ok(())
    }

    /// Ends the stream with an error.
    pub(crate) async fn fail(&self, status: Status) -> Left {
        // Whether anybody still hears it makes no difference: the stream is over.
        self.0.send(Err(status)).await.ok();
        Left
    }
}

/// A stream of what `produce` sends. The producer is dropped as soon as the stream is.
pub(crate) fn stream<M, F>(produce: impl FnOnce(std::sync::Arc<Out<M>>) -> F) -> Messages<M>
where
    M: Send + 'static,
    F: Future<Output = Result<(), Left>> + Send + 'static,
{
    let (sender, receiver) = channel(MESSAGES_WAITING_MAX);
    let closed = sender.clone();
    let work = produce(std::sync::Arc::new(Out(sender)));
    tokio::spawn(async move {
        tokio::select! {
            () = closed.closed() => {}
            _ = work => {}
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio_stream::StreamExt;

    use super::*;

    #[tokio::test]
    async fn the_producer_goes_with_its_stream() {
        let (alive, gone) = oneshot::channel::<()>();
        let mut traces = stream(move |out| async move {
            let _alive = alive;
            loop {
                out.all([1]).await?;
            }
        });
        assert!(traces.next().await.is_some());
        drop(traces);
        // Nothing is ever sent: this returns when the producer was dropped.
        assert!(gone.await.is_err());
    }

    #[tokio::test]
    async fn an_error_is_the_last_message() {
        let traces = stream(|out| async move {
            out.all([1, 2]).await?;
            Err(out.fail(Status::internal("broken")).await)
        });
        let messages: Vec<_> = traces.collect().await;
        assert_eq!(messages.len(), 3);
        assert!(messages[..2].iter().all(Result::is_ok) && messages[2].is_err());
    }
}
