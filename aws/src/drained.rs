//! Answers that must be taken: who stops reading holds neither a connection nor what is left of an answer for ever.
//!
//! There are two places where an answer waits for its reader. A connection that takes no bytes is [`Drained`]'s matter. One of
//! HTTP/2 may take bytes and still give a stream no room, so its streams are [`watched`]. Neither looks at an answer that has
//! nothing to say yet: a long poll, or the events of a subscription, may be silent as long as they like.

use crate::body::{Body, BodyError};
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Bytes of an answer that are handed on at once: what HTTP/2 keeps of a stream whose reader is slow.
const PIECE_LEN: usize = 64 << 10;

/// A connection whose writes come to something in time, or end it.
#[derive(Debug)]
pub(crate) struct Drained<T> {
    socket: T,
    wait: Duration,
    /// Only while bytes wait to be taken.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<T> Drained<T> {
    /// Bytes may wait as long as this until one of them is taken.
    pub(crate) fn new(socket: T, wait: Duration) -> Self {
        Self { socket, wait, timer: None }
    }

    fn in_time<R>(&mut self, written: Poll<io::Result<R>>, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.timer = None;
            return written;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.wait)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Drained<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Drained<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.in_time(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, bytes);
        self.in_time(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        self.in_time(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.socket).poll_shutdown(context);
        self.in_time(closed, context)
    }
}

/// Since when a stream of HTTP/2 has something to say that its reader has no room for.
type Since = Arc<Mutex<Option<Instant>>>;

tokio::task_local! {
    /// That of the stream whose task this is.
    static SINCE: Since;
}

/// Runs the streams of connections of HTTP/2. One whose reader gives it no room for as long as `wait` is dropped, which resets
/// it; the others of its connection go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) wait: Duration,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(watched(self.wait, stream));
    }
}

async fn watched(wait: Duration, stream: impl Future<Output = ()>) {
    let since = Since::default();
    tokio::select! {
        () = SINCE.scope(Arc::clone(&since), stream) => {}
        () = stalled(&since, wait) => {}
    }
}

/// Ends when nothing was taken for as long as `wait`.
async fn stalled(since: &Since, wait: Duration) {
    loop {
        let begun = *since.lock().unwrap_or_else(PoisonError::into_inner);
        match begun {
            Some(begun) if begun.elapsed() >= wait => return,
            Some(begun) => sleep_until(begun + wait).await,
            None => sleep(wait).await,
        }
    }
}

/// The body of an answer as the stream that it goes out on is to see it: in pieces, and with an eye on its reader. On a
/// connection of HTTP/1.1 it is the body itself.
pub(crate) fn seen(body: Body) -> Body {
    match SINCE.try_with(Arc::clone) {
        Ok(since) if !body.is_end_stream() => Body::new(Seen::new(body, since)),
        _ => body,
    }
}

/// A body that says when it waits for its reader, which is whenever nobody asks for its next piece.
#[derive(Debug)]
struct Seen {
    body: Body,
    /// What is left of the piece that was there last.
    rest: Bytes,
    since: Since,
}

impl Seen {
    fn new(body: Body, since: Since) -> Self {
        let seen = Self { body, rest: Bytes::new(), since };
        seen.waits_for_reader(true);
        seen
    }

    fn waits_for_reader(&self, waits: bool) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = waits.then(Instant::now);
    }
}

impl http_body::Body for Seen {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.rest.is_empty() {
            let frame = Pin::new(&mut self.body).poll_frame(context);
            self.waits_for_reader(matches!(frame, Poll::Ready(Some(_))));
            match ready!(frame).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.rest = data,
                Some(Err(other)) => return Poll::Ready(Some(Ok(other))),
                None => return Poll::Ready(None),
            }
        } else {
            self.waits_for_reader(true);
        }
        let len = self.rest.len().min(PIECE_LEN);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        match hint.exact() {
            Some(len) => SizeHint::with_exact(len + rest),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    const WAIT: Duration = Duration::from_secs(75);

    #[tokio::test(start_paused = true)]
    async fn bytes_that_nobody_takes_end_the_connection() {
        let (socket, _reader) = duplex(10);
        let mut socket = Drained::new(socket, WAIT);
        let begun = Instant::now();
        let error = socket.write_all(&[7; 11]).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, WAIT));
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_is_waited_for() {
        let (socket, mut reader) = duplex(10);
        let mut socket = Drained::new(socket, WAIT);
        let reading = tokio::spawn(async move {
            let mut taken = 0;
            while taken < 100 {
                sleep(WAIT / 2).await;
                taken += reader.read(&mut [0; 10]).await.unwrap();
            }
            reader
        });
        socket.write_all(&[7; 100]).await.unwrap();
        let mut reader = reading.await.unwrap();
        // With nothing to say, it may be silent.
        sleep(100 * WAIT).await;
        socket.write_all(b"later").await.unwrap();
        reader.read_exact(&mut [0; 5]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_room_is_dropped_and_a_silent_one_is_not() {
        let begun = Instant::now();
        watched(WAIT, async {
            let _body = seen(Body::from("not asked for"));
            std::future::pending::<()>().await;
        })
        .await;
        assert!((WAIT..=2 * WAIT).contains(&begun.elapsed()), "{:?}", begun.elapsed());

        let silent = watched(WAIT, async {
            let nothing = futures_util::stream::pending::<Result<Frame<Bytes>, BodyError>>();
            let mut body = seen(Body::new(http_body_util::StreamBody::new(nothing)));
            std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        });
        assert!(tokio::time::timeout(100 * WAIT, silent).await.is_err(), "it was cut off");
    }
}
