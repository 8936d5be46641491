//! Queues: creating, finding, describing and deleting them.

use super::Operation;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use fourfold::queue::{Error, NewQueue, QueueAttributes, QueuePage};

impl Operation<'_> {
    pub(super) async fn create_queue(&mut self) -> Result<Value> {
        let name = self.input.text("QueueName")?.ok_or_else(no_name)?;
        let attributes = self.input.text_map("Attributes")?.unwrap_or_default();
        // `tags` is how the model spells it.
        let tags = match self.input.text_map("tags")? {
            None => self.input.text_map("Tags")?,
            tags => tags,
        };
        let mut queue = NewQueue::new(name).attributes(QueueAttributes::from_iter(attributes));
        for (key, value) in tags.unwrap_or_default() {
            queue = queue.tag(key, value);
        }
        let queue = self.queues.create_async(queue).await?;
        Ok(Value::map([("QueueUrl", Some(self.url_of(&queue).into()))]))
    }

    pub(super) async fn delete_queue(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        self.queues.delete_async(queue.name()).await?;
        Ok(Value::empty())
    }

    pub(super) fn get_queue_url(&mut self) -> Result<Value> {
        let name = self.input.text("QueueName")?.filter(|name| !name.is_empty()).ok_or_else(no_name)?;
        let owner = self.input.text("QueueOwnerAWSAccountId")?;
        if owner.is_some_and(|owner| owner != self.call.store.account()) {
            return Err(Error::QueueDoesNotExist.into());
        }
        let queue = self.queues.get(&name)?;
        Ok(Value::map([("QueueUrl", Some(self.url_of(&queue).into()))]))
    }

    pub(super) fn list_queues(&mut self) -> Result<Value> {
        let prefix = self.input.text("QueueNamePrefix")?.unwrap_or_default();
        let (max, token) = (self.input.int32("MaxResults")?, self.input.text("NextToken")?);
        let page = self.queues.list(&prefix, max, token.as_deref())?;
        Ok(self.page(&page, "QueueUrls"))
    }

    pub(super) fn list_dead_letter_source_queues(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let (max, token) = (self.input.int32("MaxResults")?, self.input.text("NextToken")?);
        let page = queue.dead_letter_sources(max, token.as_deref())?;
        // This list is there when it is empty, unlike others.
        Ok(match self.page(&page, "queueUrls") {
            Value::Map(members) if members.is_empty() => {
                Value::map([("queueUrls", Some(Value::List(Vec::new())))])
            }
            page => page,
        })
    }

    fn page(&self, page: &QueuePage, member: &'static str) -> Value {
        let urls = page.queues.iter().map(|queue| self.url_of(queue).into()).collect();
        let token = page.next_token.clone().map(Value::from);
        Value::map([(member, Value::unless_empty(urls)), ("NextToken", token)])
    }

    pub(super) fn get_queue_attributes(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let names = self.input.texts("AttributeNames")?.unwrap_or_default();
        let attributes = queue.attributes(&names)?;
        let attributes = (!attributes.is_empty()).then(|| Value::texts(attributes));
        Ok(Value::map([("Attributes", attributes)]))
    }

    pub(super) async fn set_queue_attributes(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let attributes = self.input.text_map("Attributes")?.filter(|attributes| !attributes.is_empty());
        let attributes = self.input.required("Attribute.Name", attributes)?;
        queue.set_attributes_async(&QueueAttributes::from_iter(attributes)).await?;
        Ok(Value::empty())
    }

    pub(super) async fn purge_queue(&mut self) -> Result<Value> {
        self.queue()?.purge_async().await?;
        Ok(Value::empty())
    }

    pub(super) async fn tag_queue(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let tags = self.input.text_map("Tags")?;
        queue.tag_async(self.input.required("Tags", tags)?).await?;
        Ok(Value::empty())
    }

    pub(super) async fn untag_queue(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let keys = self.input.texts("TagKeys")?;
        queue.untag_async(&self.input.required("TagKeys", keys)?).await?;
        Ok(Value::empty())
    }

    pub(super) fn list_queue_tags(&mut self) -> Result<Value> {
        let tags = self.queue()?.tags()?;
        let tags = (!tags.is_empty()).then(|| Value::texts(tags));
        Ok(Value::map([("Tags", tags)]))
    }
}

#[cold]
fn no_name() -> Refusal {
    let message = "Value for parameter QueueName is invalid. Reason: Must specify a queue name.".to_owned();
    Error::InvalidParameterValue { message }.into()
}
