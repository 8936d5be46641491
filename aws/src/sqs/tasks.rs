//! Tasks that move dead letters.

use super::Operation;
use crate::refusal::Result;
use crate::value::Value;
use fourfold::queue::MoveTask;

impl Operation<'_> {
    pub(super) async fn start_message_move_task(&mut self) -> Result<Value> {
        let source = self.input.required_text("SourceArn")?;
        let destination = self.input.text("DestinationArn")?;
        let rate = self.input.int32("MaxNumberOfMessagesPerSecond")?;
        let handle = self.queues.start_move_async(&source, destination.as_deref(), rate).await?;
        Ok(Value::map([("TaskHandle", Some(handle.into()))]))
    }

    pub(super) async fn cancel_message_move_task(&mut self) -> Result<Value> {
        let handle = self.input.required_text("TaskHandle")?;
        let moved = self.queues.cancel_move_async(&handle).await?;
        Ok(Value::map([("ApproximateNumberOfMessagesMoved", Some(moved.into()))]))
    }

    pub(super) fn list_message_move_tasks(&mut self) -> Result<Value> {
        let source = self.input.required_text("SourceArn")?;
        let max = self.input.int32("MaxResults")?;
        let tasks = self.queues.list_moves(&source, max)?;
        Ok(Value::map([("Results", Some(tasks.into_iter().map(task).collect::<Vec<_>>().into()))]))
    }
}

fn task(task: MoveTask) -> Value {
    Value::map([
        ("TaskHandle", task.handle.map(Value::from)),
        ("Status", Some(task.status.name().into())),
        ("SourceArn", Some(task.source_arn.into())),
        ("DestinationArn", task.destination_arn.map(Value::from)),
        ("MaxNumberOfMessagesPerSecond", task.rate.map(Value::from)),
        ("ApproximateNumberOfMessagesMoved", Some(task.moved.into())),
        ("ApproximateNumberOfMessagesToMove", Some(task.to_move.into())),
        ("FailureReason", task.failure.map(Value::from)),
        ("StartedTimestamp", Some(task.started.as_millis().into())),
    ])
}
