//! Amazon SQS: its operations, by JSON and by the older query protocol.
//!
//! An operation takes a tree and gives a tree ([`Value`]); the protocols differ in how they get it from bytes, and in the
//! form of a refusal.

mod json;
mod messages;
mod permissions;
mod query;
mod queues;
mod rendering;
mod tasks;
mod xml;

pub(crate) use json::{json, refused as refused_in_json};
pub(crate) use query::{is_action, query};
pub(crate) use xml::refused as refused_in_xml;

use crate::call::Call;
use crate::fields::Fields;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use fourfold::queue::{Error, Queue, Queues};

/// An operation in progress: the request, and what it is about.
struct Operation<'a> {
    call: &'a Call<'a>,
    queues: Queues,
    input: Fields,
}

/// Carries out an operation.
async fn perform(call: &Call<'_>, name: &str, input: Fields) -> Result<Value> {
    let mut operation = Operation { call, queues: call.store.queues(), input };
    let operation = &mut operation;
    match name {
        "CreateQueue" => operation.create_queue().await,
        "DeleteQueue" => operation.delete_queue().await,
        "GetQueueUrl" => operation.get_queue_url(),
        "ListQueues" => operation.list_queues(),
        "ListDeadLetterSourceQueues" => operation.list_dead_letter_source_queues(),
        "GetQueueAttributes" => operation.get_queue_attributes(),
        "SetQueueAttributes" => operation.set_queue_attributes().await,
        "PurgeQueue" => operation.purge_queue().await,
        "TagQueue" => operation.tag_queue().await,
        "UntagQueue" => operation.untag_queue().await,
        "ListQueueTags" => operation.list_queue_tags(),
        "SendMessage" => operation.send_message().await,
        "SendMessageBatch" => operation.send_message_batch().await,
        "ReceiveMessage" => operation.receive_message().await,
        "DeleteMessage" => operation.delete_message().await,
        "DeleteMessageBatch" => operation.delete_message_batch().await,
        "ChangeMessageVisibility" => operation.change_message_visibility().await,
        "ChangeMessageVisibilityBatch" => operation.change_message_visibility_batch().await,
        "StartMessageMoveTask" => operation.start_message_move_task().await,
        "CancelMessageMoveTask" => operation.cancel_message_move_task().await,
        "ListMessageMoveTasks" => operation.list_message_move_tasks(),
        "AddPermission" => operation.add_permission().await,
        "RemovePermission" => operation.remove_permission().await,
        _ => Err(Refusal::unknown_operation()),
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let refusal = Self::new(error.shape(), error.to_string());
        refusal.with_query_code(error.query_code()).with_status(error.status())
    }
}

impl Operation<'_> {
    /// The queue that the request is for.
    fn queue(&mut self) -> Result<Queue> {
        let url = self.input.required_text("QueueUrl")?;
        let name = self.name_in(&url)?;
        Ok(self.queues.get(name)?)
    }

    /// The name in a queue's URL; a bare name is one too.
    fn name_in<'u>(&self, url: &'u str) -> Result<&'u str> {
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => url.strip_prefix('/').unwrap_or(url),
        };
        match path.split_once('/') {
            None if !path.is_empty() => Ok(path),
            Some((account, name)) if !name.is_empty() && !name.contains('/') => {
                if account == self.call.store.account() {
                    Ok(name)
                } else {
                    Err(Error::QueueDoesNotExist.into())
                }
            }
            _ => {
                let message = format!("The address {url} is not valid for this endpoint.");
                Err(Refusal::new("InvalidAddress", message).with_status(404))
            }
        }
    }

    /// The URL by which the caller finds a queue: at the endpoint that it called.
    fn url_of(&self, queue: &Queue) -> String {
        format!("{}/{}/{}", self.call.endpoint(), self.call.store.account(), queue.name())
    }
}
