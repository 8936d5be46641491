//! The service's rates for FIFO queues, for those who want to meet them.

use crate::Timestamp;
use crate::queue::error::{Error, Result};
use std::collections::BTreeMap;

/// Requests of a kind in a second, for a queue, or sends for a group.
const RATE: u32 = 300;

/// What is counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Send,
    Receive,
    Delete,
}

/// Requests of the present second.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    second: u64,
    requests: BTreeMap<(Action, String), u32>,
}

impl Throttle {
    /// Counts a request, or refuses it. `group` is empty where the queue has one rate.
    pub(super) fn count(&mut self, action: Action, group: &str, now: Timestamp) -> Result<()> {
        if now.as_secs() != self.second {
            self.second = now.as_secs();
            self.requests.clear();
        }
        let count = self.requests.entry((action, group.to_owned())).or_default();
        if *count >= RATE {
            return Err(Error::RequestThrottled);
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_for_each_second_action_and_group() {
        let mut throttle = Throttle::default();
        let now = Timestamp::from_secs(5);
        for _ in 0..RATE {
            throttle.count(Action::Send, "", now).unwrap();
        }
        assert!(throttle.count(Action::Send, "", now).is_err());
        assert!(throttle.count(Action::Receive, "", now).is_ok());
        assert!(throttle.count(Action::Send, "g", now).is_ok());
        assert!(throttle.count(Action::Send, "", Timestamp::from_secs(6)).is_ok());
    }
}
