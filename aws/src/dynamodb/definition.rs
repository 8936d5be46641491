//! What a table is to be, as requests say it.

use super::word;
use crate::fields::{Dialect, Fields};
use crate::refusal::Result;
use fourfold::kv::{
    AttributeDefinition, GlobalIndexUpdate, Index, KeyElement, KeyType, OnDemandThroughput, Projection,
    ProjectionType, ScalarType, SseSpecification, StreamSpecification, StreamViewType, Tag, Throughput,
    WarmThroughput,
};

pub(super) fn attributes(input: &mut Fields) -> Result<Option<Vec<AttributeDefinition>>> {
    let Some(all) = input.structures("AttributeDefinitions")? else { return Ok(None) };
    let read = |mut input: Fields| {
        let name = input.required_text("AttributeName")?;
        let scalar_type =
            input.word("AttributeType", ScalarType::from_name, ScalarType::ALL, ScalarType::name)?;
        Ok(AttributeDefinition { name, scalar_type: input.required("AttributeType", scalar_type)? })
    };
    all.into_iter().map(read).collect::<Result<_>>().map(Some)
}

pub(super) fn key_schema(input: &mut Fields) -> Result<Option<Vec<KeyElement>>> {
    let Some(all) = input.structures("KeySchema")? else { return Ok(None) };
    let read = |mut input: Fields| {
        let name = input.required_text("AttributeName")?;
        let key_type = word!(input, "KeyType", KeyType)?;
        Ok(KeyElement { name, key_type: input.required("KeyType", key_type)? })
    };
    all.into_iter().map(read).collect::<Result<_>>().map(Some)
}

/// An index that is to be made, or changed: then it has neither keys nor projection.
fn index(mut input: Fields) -> Result<Index> {
    Ok(Index {
        name: input.required_text("IndexName")?,
        key_schema: key_schema(&mut input)?.unwrap_or_default(),
        projection: input.structure("Projection")?.map(projection).transpose()?.unwrap_or_default(),
        throughput: throughput(&mut input)?,
        on_demand: on_demand(&mut input)?,
        warm: warm(&mut input)?,
    })
}

pub(super) fn indexes(input: &mut Fields, member: &str) -> Result<Option<Vec<Index>>> {
    let Some(all) = input.structures(member)? else { return Ok(None) };
    all.into_iter().map(index).collect::<Result<_>>().map(Some)
}

pub(super) fn index_updates(input: &mut Fields) -> Result<Option<Vec<GlobalIndexUpdate>>> {
    let Some(all) = input.structures("GlobalSecondaryIndexUpdates")? else { return Ok(None) };
    let mut updates = Vec::new();
    for mut input in all {
        let before = updates.len();
        if let Some(create) = input.structure("Create")? {
            updates.push(GlobalIndexUpdate::Create(index(create)?));
        }
        if let Some(update) = input.structure("Update")? {
            updates.push(GlobalIndexUpdate::Update(index(update)?));
        }
        if let Some(mut delete) = input.structure("Delete")? {
            updates.push(GlobalIndexUpdate::Delete(delete.required_text("IndexName")?));
        }
        let refused = |what: &str| {
            let message = format!("One or more parameter values were invalid: {what}");
            Err(input.dialect().invalid(&message))
        };
        match updates.len() - before {
            1 => {}
            0 => {
                return refused(
                    "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, \
                     GlobalSecondaryIndexUpdate.Delete must not be null",
                );
            }
            _ => {
                return refused(
                    "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object",
                );
            }
        }
    }
    Ok(Some(updates))
}

fn projection(mut input: Fields) -> Result<Projection> {
    Ok(Projection {
        projection_type: word!(input, "ProjectionType", ProjectionType)?,
        non_key_attributes: input.texts("NonKeyAttributes")?,
    })
}

pub(super) fn throughput(input: &mut Fields) -> Result<Option<Throughput>> {
    let Some(mut input) = input.structure("ProvisionedThroughput")? else { return Ok(None) };
    let (read, write) = (input.int("ReadCapacityUnits")?, input.int("WriteCapacityUnits")?);
    Ok(Some(Throughput {
        read: input.required("provisionedThroughput.readCapacityUnits", read)?,
        write: input.required("provisionedThroughput.writeCapacityUnits", write)?,
    }))
}

pub(super) fn on_demand(input: &mut Fields) -> Result<Option<OnDemandThroughput>> {
    let Some(mut input) = input.structure("OnDemandThroughput")? else { return Ok(None) };
    let (max_read, max_write) = (input.int("MaxReadRequestUnits")?, input.int("MaxWriteRequestUnits")?);
    Ok(Some(OnDemandThroughput { max_read, max_write }))
}

pub(super) fn warm(input: &mut Fields) -> Result<Option<WarmThroughput>> {
    let Some(mut input) = input.structure("WarmThroughput")? else { return Ok(None) };
    let (read, write) = (input.int("ReadUnitsPerSecond")?, input.int("WriteUnitsPerSecond")?);
    Ok(Some(WarmThroughput { read, write }))
}

pub(super) fn stream(input: &mut Fields) -> Result<Option<StreamSpecification>> {
    let Some(mut input) = input.structure("StreamSpecification")? else { return Ok(None) };
    let enabled = input.flag("StreamEnabled")?;
    let enabled = input.required("streamSpecification.streamEnabled", enabled)?;
    Ok(Some(StreamSpecification { enabled, view_type: word!(input, "StreamViewType", StreamViewType)? }))
}

pub(super) fn sse(input: &mut Fields) -> Result<Option<SseSpecification>> {
    let Some(mut input) = input.structure("SSESpecification")? else { return Ok(None) };
    Ok(Some(SseSpecification {
        enabled: input.flag("Enabled")?,
        sse_type: input.text("SSEType")?,
        kms_key: input.text("KMSMasterKeyId")?,
    }))
}

pub(super) fn tags(input: &mut Fields) -> Result<Option<Vec<Tag>>> {
    let Some(all) = input.structures("Tags")? else { return Ok(None) };
    let read = |mut input: Fields| {
        let invalid = |what: &str| {
            Dialect::Dynamo.invalid(&format!("The Tag {what} provided is invalid, {what}: null"))
        };
        let key = input.text("Key")?.ok_or_else(|| invalid("Key"))?;
        Ok(Tag { key, value: input.text("Value")?.ok_or_else(|| invalid("Value"))? })
    };
    all.into_iter().map(read).collect::<Result<_>>().map(Some)
}
