//! What a caller may hold of a server, and for how long.

use std::time::Duration;

/// Bounds of a [`Server`](crate::Server).
///
/// ```
/// use fourfold_aws::Limits;
/// use std::time::Duration;
///
/// let mut limits = Limits::default();
/// assert_eq!(limits.connections, 20_000);
/// limits.body_wait = Duration::from_secs(5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at a time. More wait to be accepted. Default: 20 000.
    pub connections: usize,
    /// Requests at a time on a connection of HTTP/2. Default: 250.
    pub streams: u32,
    /// Bytes of a request's head. Default: 64 KiB; at least 8 KiB.
    pub head_len: usize,
    /// How long a head may take to come, and a connection may be idle. Default: 75 s.
    pub head_wait: Duration,
    /// How long a body may take to come, and another second for each 64 KiB that have come. Default: 30 s.
    pub body_wait: Duration,
    /// How long an answer may wait until whom it is for takes some of it, which shows when the system's buffers, of some
    /// megabytes, have room again. What is silent, as a long poll is, waits for
    /// nobody. Default: 75 s.
    pub answer_wait: Duration,
    /// How long requests have to end when the server is stopped. Default: 5 s.
    pub stop_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            streams: 250,
            head_len: 64 << 10,
            head_wait: Duration::from_secs(75),
            body_wait: Duration::from_secs(30),
            answer_wait: Duration::from_secs(75),
            stop_wait: Duration::from_secs(5),
        }
    }
}
