//! A body that must keep coming: slow senders do not hold a request open for ever.

use crate::body::{BodyError, TooSlow};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that buy another second.
const RATE: u64 = 64 << 10;

/// A request's body from a socket, with a deadline that moves on with what has come.
pub(crate) struct Paced<B> {
    body: B,
    begun: Instant,
    wait: Duration,
    received: u64,
    /// Only once something had to be waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Paced<B> {
    /// As long as `wait`, and as [`RATE`] adds.
    pub(crate) fn new(body: B, wait: Duration) -> Self {
        Self { body, begun: Instant::now(), wait, received: 0, timer: None }
    }

    fn deadline(&self) -> Instant {
        self.begun + self.wait + Duration::from_secs(self.received / RATE)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Paced<B>
where
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
                self.received += data.len() as u64;
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let deadline = self.deadline();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
