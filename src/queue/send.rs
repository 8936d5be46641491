//! Sending: check, number, log, and give it to whoever waits.

use crate::Batch;
use crate::clock::Timestamp;
use crate::queue::core::State;
use crate::queue::digest::sha256_hex;
use crate::queue::error::{Error, Result};
use crate::queue::large::LARGE_BODY_LEN_MAX;
use crate::queue::limits::DELAY_SECONDS_MAX;
use crate::queue::message::{AttributeValue, Attributes, SendMessage, Sent};
use crate::queue::receive::Setting;
use crate::queue::stored::{Shared, Stored};
use crate::queue::throttle::Action;
use crate::queue::tokens::{Token, Tokens};
use crate::queue::{identify, keys, rules};
use std::task::Waker;
use std::time::Duration;

/// What is to be done about one message.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is put into the queue.
    Keep { due: Option<Timestamp>, token: Option<Token> },
    /// It was sent before, as this one.
    Duplicate { first: u64 },
}

/// Sends under way: their messages are numbered one after the other.
#[derive(Debug, Default)]
pub(super) struct Sends {
    messages: Vec<Stored>,
    /// As many, about each of them.
    decided: Vec<Decision>,
    kept: u64,
    last: u64,
}

/// What is wrong with a message apart from its queue's state.
pub(super) fn check(message: &SendMessage, is_fifo: bool) -> Result<()> {
    rules::message(message)?;
    if let Some(group) = &message.group {
        rules::token(group, "MessageGroupId")?;
    }
    if let Some(id) = &message.deduplication_id {
        rules::token(id, "MessageDeduplicationId")?;
        if !is_fifo {
            return Err(Error::invalid(
                "The request include parameter MessageDeduplicationId which is not valid for this queue type",
            ));
        }
    }
    match message.delay {
        Some(delay) if !(0..=DELAY_SECONDS_MAX).contains(&delay) => {
            let reason = format_args!("DelaySeconds must be >= 0 and <= {DELAY_SECONDS_MAX}.");
            Err(Error::parameter(delay, "DelaySeconds", reason))
        }
        Some(delay) if delay > 0 && is_fifo => {
            let reason = "The request include parameter that is not valid for this queue type.";
            Err(Error::parameter(delay, "DelaySeconds", reason))
        }
        _ => Ok(()),
    }
}

/// The same for a message of a batch, where some of it is said in other words.
pub(super) fn check_entry(message: &SendMessage, is_fifo: bool, number: usize) -> Result<()> {
    if !is_fifo && message.deduplication_id.is_some() {
        return Err(Error::invalid("The request include parameter that is not valid for this queue type"));
    }
    check(message, is_fifo).map_err(|error| match error {
        Error::MissingParameter { parameter } => {
            Error::missing(format!("SendMessageBatchRequestEntry.{number}.{parameter}"))
        }
        other => other,
    })
}

/// A FIFO queue's messages have a group.
pub(super) fn check_group(message: &SendMessage, is_fifo: bool) -> Result<()> {
    if is_fifo && message.group.is_none() {
        return Err(Error::missing("MessageGroupId"));
    }
    Ok(())
}

impl State {
    /// Is the message short enough?
    pub(super) fn check_len(&self, message: &SendMessage) -> Result<()> {
        if message.large.is_some() {
            return Ok(());
        }
        let len = message.body.as_bytes().len();
        let is_too_large =
            len > LARGE_BODY_LEN_MAX && self.large.as_ref().is_some_and(|active| active.setting.from <= len);
        let max = if is_too_large { LARGE_BODY_LEN_MAX } else { self.live.settings.message_len_max as usize };
        if rules::message_len(message) > max {
            return Err(Error::invalid(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {max} bytes."
            )));
        }
        Ok(())
    }

    /// A FIFO queue's messages have a deduplication id, or a body that makes one.
    pub(super) fn check_deduplication(&self, message: &SendMessage) -> Result<()> {
        let settings = &self.live.settings;
        if settings.is_fifo && message.deduplication_id.is_none() && !settings.is_content_based {
            return Err(Error::invalid(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                 explicitly",
            ));
        }
        Ok(())
    }

    /// Counts a send against the service's rates.
    pub(super) fn throttle_send(&mut self, setting: Setting<'_>, group: Option<&str>) -> Result<()> {
        if !setting.dials.throttle || !setting.core.identity.is_fifo {
            return Ok(());
        }
        let group = group.filter(|_| self.live.settings.is_limited_by_group).unwrap_or_default();
        self.throttle.count(Action::Send, group, setting.now)
    }

    /// Decides about the next message, which was checked.
    pub(super) fn decide_send(&mut self, setting: Setting<'_>, sends: &mut Sends, message: SendMessage) {
        let (now, is_fifo) = (setting.now, setting.core.identity.is_fifo);
        let deduplication_id = if is_fifo {
            let id = message.deduplication_id.or(message.content);
            Some(id.unwrap_or_else(|| sha256_hex(message.body.as_bytes())))
        } else {
            None
        };
        let group = message.group.map(|group| self.index.share(group));
        let token =
            deduplication_id.as_deref().map(|id| Token::new(group.as_deref().unwrap_or_default(), id));
        let seq = self.index.next_number(now).max(sends.last + 1);
        let stored = Stored {
            seq,
            ordinal: self.index.counts.taken + sends.kept + 1,
            group,
            deduplication_id,
            trace: trace(message.system_attributes),
            attributes: message.attributes,
            body: message.body,
            large: message.large,
            origin: None,
        };
        sends.messages.push(stored);
        if let Some(first) = token.and_then(|token| self.find_duplicate(sends, token, now)) {
            sends.decided.push(Decision::Duplicate { first });
            return;
        }
        let delay = message.delay.map_or(self.live.settings.delay, i32::cast_unsigned);
        let due = (delay > 0 && !is_fifo).then(|| now + Duration::from_secs(u64::from(delay)));
        (sends.kept, sends.last) = (sends.kept + 1, seq);
        sends.decided.push(Decision::Keep { due, token });
    }

    /// The message that was sent with this id within the window, or before in the same request.
    fn find_duplicate(&mut self, sends: &Sends, token: Token, now: Timestamp) -> Option<u64> {
        self.index.tokens.advance(now);
        let scope = self.live.settings.scope;
        let before = sends.iter().find_map(|(message, decision)| match decision {
            Decision::Keep { token: Some(other), .. } if other.equals(token, scope) => Some(message.seq),
            _ => None,
        });
        before.or_else(|| self.index.tokens.find(token, scope))
    }

    /// Adds to a batch what was decided.
    pub(super) fn put_sends(
        &mut self,
        batch: &mut Batch,
        sends: &Sends,
        now: Timestamp,
    ) -> crate::Result<()> {
        for (message, decision) in sends.iter() {
            let (due, token) = match decision {
                Decision::Keep { due, token } => (due, token),
                Decision::Duplicate { .. } => {
                    // Its large body is in the batch, and nobody's: the sweep takes it.
                    self.note_large(batch, message)?;
                    continue;
                }
            };
            self.put_message(batch, message)?;
            if let Some(due) = due {
                let group = message.group.as_deref().unwrap_or_default();
                let key = keys::delay(*due, message.seq);
                batch.put_in(self.spaces.delays.id(), &key, group.as_bytes())?;
            }
            if let Some(token) = token {
                batch.put_in(self.spaces.tokens.id(), &keys::number(message.seq), &token.encode())?;
            }
        }
        if let Some(floor) = self.index.delay_floor(now) {
            batch.floor_in(self.spaces.delays.id(), &keys::delay(floor.min(now), 0))?;
        }
        if let Some(floor) = self.index.tokens.floor() {
            let floor = floor.min(Tokens::start(now));
            batch.floor_in(self.spaces.tokens.id(), &keys::number(floor))?;
        }
        Ok(())
    }

    /// Applies what was logged, and serves those who wait.
    pub(super) fn apply_sends(
        &mut self,
        setting: Setting<'_>,
        sends: Sends,
        wakers: &mut Vec<Waker>,
    ) -> Vec<Sent> {
        let identity = &setting.core.identity;
        let answer = |message: Shared, seq: u64| Sent {
            id: identify::message_id(identity.salt, seq),
            sequence_number: identity.is_fifo.then_some(seq),
            message,
        };
        let mut sent = Vec::with_capacity(sends.decided.len());
        let is_first = self.index.oldest().is_none();
        for (message, decision) in Shared::all(sends.messages).zip(sends.decided) {
            match decision {
                Decision::Duplicate { first } => sent.push(answer(message, first)),
                Decision::Keep { due, token } => {
                    self.index.insert(&message, due);
                    if let Some(token) = token {
                        self.index.tokens.insert(message.seq, token);
                    }
                    let seq = message.seq;
                    sent.push(answer(message, seq));
                }
            }
        }
        if is_first {
            setting.store.wake_sweeper();
        }
        self.settle(setting, wakers);
        sent
    }
}

impl Sends {
    /// For so many messages.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { messages: Vec::with_capacity(count), decided: Vec::with_capacity(count), ..Self::default() }
    }

    fn iter(&self) -> impl Iterator<Item = (&Stored, &Decision)> {
        self.messages.iter().zip(&self.decided)
    }

    /// Is there anything to log?
    pub(super) fn is_empty(&self) -> bool {
        self.kept == 0
    }

    /// Is there a large body of a message that is not kept?
    pub(super) fn has_orphan(&self) -> bool {
        self.iter().any(|(message, decision)| {
            matches!(decision, Decision::Duplicate { .. }) && message.large.is_some()
        })
    }
}

fn trace(mut attributes: Attributes) -> Option<String> {
    match attributes.remove("AWSTraceHeader")?.into_value() {
        AttributeValue::Text(text) => Some(text),
        AttributeValue::Binary(_) => None,
    }
}
