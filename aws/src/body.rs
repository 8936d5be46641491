//! Bodies of requests and answers: in one piece, or as they come.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of a body that need no room among those of all requests: however many long ones wait, short ones come through.
const SMALL_LEN_MAX: usize = 4 << 10;

/// A body of a request or an answer, never more of it in memory than a piece.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use fourfold_aws::Body;
/// use http_body_util::BodyExt;
/// let body = Body::from("hello");
/// assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Body(Inner);

enum Inner {
    Whole(Bytes),
    Stream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send + Sync>>),
}

impl Body {
    /// A body that is somebody else's.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<BodyError>,
    {
        Self(Inner::Stream(Box::pin(body.map_err(Into::into))))
    }

    /// Is it in one piece?
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.0, Inner::Whole(_))
    }

    /// All of it in one piece, if that has `len_max` bytes at most.
    pub(crate) async fn all(self, len_max: usize) -> Result<Bytes, Broken> {
        self.all_within(len_max, &mut Room::new(usize::MAX).seat()).await
    }

    /// The same, if there is room for it besides all others. What is in memory already needs none.
    pub(crate) async fn all_within(self, len_max: usize, seat: &mut Seat) -> Result<Bytes, Broken> {
        let mut body = match self.0 {
            Inner::Whole(bytes) if bytes.len() > len_max => return Err(Broken::TooLong),
            Inner::Whole(bytes) => return Ok(bytes),
            Inner::Stream(body) => body,
        };
        // Most bodies come as one piece, which is not copied.
        let (mut first, mut all) = (Bytes::new(), Vec::new());
        while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            let Ok(piece) = frame.map_err(Broken::Cut)?.into_data() else { continue };
            if first.len() + all.len() + piece.len() > len_max {
                return Err(Broken::TooLong);
            }
            let len = first.len() + all.len() + piece.len();
            if len > SMALL_LEN_MAX && !seat.grow(len - seat.len) {
                return Err(Broken::NoRoom);
            }
            if first.is_empty() && all.is_empty() {
                first = piece;
            } else {
                all.extend_from_slice(&std::mem::take(&mut first));
                all.extend_from_slice(&piece);
            }
        }
        Ok(if all.is_empty() { first } else { all.into() })
    }
}

impl Default for Inner {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Stream(_) => f.write_str("a stream"),
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(Inner::Whole(bytes.into()))
    }
}

/// Why there is no body in one piece.
#[derive(Debug)]
pub(crate) enum Broken {
    /// More bytes came than any request may have.
    TooLong,
    /// Bodies of all requests together would have more bytes than the server keeps.
    NoRoom,
    /// The caller took too long, or broke off.
    Cut(BodyError),
}

/// Bytes that bodies may have in memory, those of all requests together.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    left: Arc<AtomicUsize>,
}

/// What one body takes of a room, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    left: Arc<AtomicUsize>,
    len: usize,
}

impl Room {
    pub(crate) fn new(len: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(len)) }
    }

    pub(crate) fn seat(&self) -> Seat {
        Seat { left: Arc::clone(&self.left), len: 0 }
    }
}

impl Seat {
    /// Takes more, if there is more.
    fn grow(&mut self, by: usize) -> bool {
        // Relaxed: nothing else hangs on the number.
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(by));
        self.len += if taken.is_ok() { by } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.left.fetch_add(self.len, Ordering::Relaxed);
    }
}

/// A caller whose bytes come slower than the server waits for them.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of the request came too slowly")
    }
}

impl std::error::Error for TooSlow {}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Inner::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Inner::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Inner::Stream(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.is_empty(),
            Inner::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Stream(body) => body.size_hint(),
        }
    }
}
