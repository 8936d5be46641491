//! `SubscribeToShard`: the events of a shard, pushed as frames of an event stream for as long as the subscription lives.

use super::records::{KINDS, dry, record};
use super::shards::child;
use super::wire::Form;
use super::{Operation, invalid_argument};
use crate::body::{Body, BodyError};
use crate::fields::Fields;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use fourfold::stream::{Error, Event, GetShardIterator, IteratorKind, SequenceNumber, Start, Subscription};
use http_body::Frame;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub(super) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

impl Operation {
    /// What follows on the answer's head.
    pub(super) fn subscribe_to_shard(&mut self, form: Form) -> Result<Body> {
        let arn = self.input.required_text("ConsumerARN")?;
        let shard = self.input.required_text("ShardId")?;
        let position = self.input.structure("StartingPosition")?;
        let mut position = self.input.required("StartingPosition", position)?;
        let start = self.start(&arn, &shard, &mut position)?;
        if self.is_dry()? {
            return Err(dry());
        }
        let subscription = self.streams.subscribe(&arn, &shard, start)?;
        Ok(Body::new(Events { subscription, form, state: State::New }))
    }

    /// Where to begin. What a shard iterator may not name, a subscription may not either.
    fn start(&self, arn: &str, shard: &str, position: &mut Fields) -> Result<Start> {
        let kind = super::word(position, "Type", "startingPosition.type", &KINDS)?;
        let kind = position.required("startingPosition.type", kind)?;
        let (number, time) = (position.text("SequenceNumber")?, position.time("Timestamp")?);
        let stream = self.streams.stream_by_arn(&self.streams.consumer(arn)?.stream_arn)?;
        let mut request = GetShardIterator::new(shard, kind);
        (request.starting_sequence_number, request.timestamp) = (number.as_deref(), time);
        stream.get_shard_iterator(&request)?;
        let number = || {
            let number = number.as_deref().and_then(|number| number.parse::<SequenceNumber>().ok());
            number.ok_or_else(|| invalid_argument("StartingPosition has no valid SequenceNumber.".to_owned()))
        };
        match kind {
            IteratorKind::TrimHorizon => Ok(Start::TrimHorizon),
            IteratorKind::AtTimestamp => Ok(time.map_or(Start::Latest, Start::AtTimestamp)),
            IteratorKind::AtSequenceNumber => number().map(Start::AtSequenceNumber),
            IteratorKind::AfterSequenceNumber => number().map(Start::AfterSequenceNumber),
            IteratorKind::Latest => Ok(Start::Latest),
        }
    }
}

/// A subscription as frames.
struct Events {
    subscription: Subscription,
    form: Form,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first frame has the members of the answer that are not events: none.
    New,
    Open,
    Over,
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let message = match this.state {
            State::Over => return Poll::Ready(None),
            State::New => {
                this.state = State::Open;
                message(this.form, "event", "initial-response", &Value::empty())
            }
            State::Open => match ready!(this.subscription.poll_event(context)) {
                None => {
                    this.state = State::Over;
                    return Poll::Ready(None);
                }
                Some(Ok(event)) => message(this.form, "event", "SubscribeToShardEvent", &described(&event)),
                Some(Err(error)) => {
                    this.state = State::Over;
                    failed(this.form, error)
                }
            },
        };
        let mut bytes = Vec::new();
        Poll::Ready(Some(match write_message_to(&message, &mut bytes) {
            Ok(()) => Ok(Frame::data(bytes.into())),
            Err(error) => Err(error.into()),
        }))
    }
}

fn message(form: Form, kind: &'static str, name: &'static str, payload: &Value) -> Message {
    let name_header = if kind == "event" { ":event-type" } else { ":exception-type" };
    Message::new(form.encode(payload))
        .add_header(header(":message-type", kind))
        .add_header(header(name_header, name))
        .add_header(header(":content-type", form.of_events()))
}

fn header(name: &'static str, value: &'static str) -> Header {
    Header::new(name, HeaderValue::String(value.into()))
}

fn failed(form: Form, error: Error) -> Message {
    let name = match error.code() {
        // Of faults an event stream knows this one alone.
        _ if error.fault() == fourfold::Fault::Service => "InternalFailureException",
        code => code,
    };
    let refusal = Refusal::from(error);
    message(form, "exception", name, &Value::map([("message", Some(refusal.message.into()))]))
}

fn described(event: &Event) -> Value {
    let records: Vec<Value> = event.records.iter().map(record).collect();
    Value::map([
        ("Records", Some(records.into())),
        (
            "ContinuationSequenceNumber",
            event.continuation_sequence_number.map(|number| number.to_string().into()),
        ),
        ("MillisBehindLatest", Some(event.millis_behind_latest.into())),
        ("ChildShards", Value::unless_empty(event.child_shards.iter().map(child).collect())),
    ])
}
