//! Tables: making, changing, describing, tagging and deleting them.

use super::definition::{
    attributes, index_updates, indexes, key_schema, on_demand, sse, stream, tags, throughput, warm,
};
use super::describe::table;
use super::{Operation, word};
use crate::fields::{Dialect, Fields};
use crate::refusal::Result;
use crate::value::Value;
use fourfold::kv::{BillingMode, CreateTable, TableClass, TimeToLiveStatus, UpdateTable};

/// Parts of a definition that tables do not have here: they are refused, not ignored.
const NOT_HERE: [&str; 9] = [
    "ResourcePolicy",
    "GlobalTableSourceArn",
    "GlobalTableSettingsReplicationMode",
    "VectorIndexes",
    "VectorIndexUpdates",
    "ReplicaUpdates",
    "MultiRegionConsistency",
    "GlobalTableWitnessUpdates",
    "DisassociationProtectionEnabled",
];

impl Operation<'_> {
    pub(super) async fn create_table(&mut self) -> Result<Value> {
        let input = &mut self.input;
        refuse_what_is_not_here(input)?;
        let mut request = CreateTable::new(input.required_text("TableName")?);
        request.attributes = attributes(input)?.unwrap_or_default();
        request.key_schema = key_schema(input)?.unwrap_or_default();
        request.local_indexes = indexes(input, "LocalSecondaryIndexes")?;
        request.global_indexes = indexes(input, "GlobalSecondaryIndexes")?;
        request.billing_mode = word!(input, "BillingMode", BillingMode)?;
        request.throughput = throughput(input)?;
        // Without a mode the service means provisioned capacity.
        request.billing_mode.get_or_insert(BillingMode::Provisioned);
        request.on_demand = on_demand(input)?;
        request.warm = warm(input)?;
        request.stream = stream(input)?;
        request.sse = sse(input)?;
        request.tags = tags(input)?.unwrap_or_default();
        request.table_class = word!(input, "TableClass", TableClass)?;
        request.deletion_protection = input.flag("DeletionProtectionEnabled")?.unwrap_or(false);
        let description = self.tables.create_table_async(request).await?;
        Ok(Value::map([("TableDescription", Some(table(&description)))]))
    }

    pub(super) async fn update_table(&mut self) -> Result<Value> {
        let input = &mut self.input;
        refuse_what_is_not_here(input)?;
        let mut request = UpdateTable::new(input.required_text("TableName")?);
        request.attributes = attributes(input)?.unwrap_or_default();
        request.billing_mode = word!(input, "BillingMode", BillingMode)?;
        request.throughput = throughput(input)?;
        request.on_demand = on_demand(input)?;
        request.warm = warm(input)?;
        let updates = index_updates(input)?;
        let is_empty_list = updates.as_ref().is_some_and(Vec::is_empty);
        request.global_index_updates = updates.unwrap_or_default();
        request.stream = stream(input)?;
        request.sse = sse(input)?;
        request.table_class = word!(input, "TableClass", TableClass)?;
        request.deletion_protection = input.flag("DeletionProtectionEnabled")?;
        let nothing =
            UpdateTable { attributes: request.attributes.clone(), ..UpdateTable::new(request.table.clone()) };
        if is_empty_list && request != nothing {
            return Err(Dialect::Dynamo.invalid(
                "One or more parameter values were invalid: List of GlobalSecondaryIndexUpdates is empty",
            ));
        }
        let description = self.tables.update_table_async(request).await?;
        Ok(Value::map([("TableDescription", Some(table(&description)))]))
    }

    pub(super) async fn delete_table(&mut self) -> Result<Value> {
        let name = self.input.required_text("TableName")?;
        let description = self.tables.delete_table_async(&name).await?;
        Ok(Value::map([("TableDescription", Some(table(&description)))]))
    }

    pub(super) fn describe_table(&mut self) -> Result<Value> {
        let name = self.input.required_text("TableName")?;
        let description = self.tables.describe_table(&name)?;
        Ok(Value::map([("Table", Some(table(&description)))]))
    }

    pub(super) fn list_tables(&mut self) -> Result<Value> {
        let start = self.input.text("ExclusiveStartTableName")?;
        let page = self.tables.list_tables(start.as_deref(), self.input.count("Limit", usize::MAX)?)?;
        let names: Vec<Value> = page.names.into_iter().map(Value::from).collect();
        Ok(Value::map([
            ("TableNames", Some(names.into())),
            ("LastEvaluatedTableName", page.last_evaluated.map(Value::from)),
        ]))
    }

    pub(super) async fn update_time_to_live(&mut self) -> Result<Value> {
        let name = self.input.required_text("TableName")?;
        let wanted = self.input.structure("TimeToLiveSpecification")?;
        let mut wanted = self.input.required("TimeToLiveSpecification", wanted)?;
        let attribute = wanted.text("AttributeName")?;
        let attribute = wanted.required("timeToLiveSpecification.attributeName", attribute)?;
        let enabled = wanted.flag("Enabled")?;
        let enabled = wanted.required("timeToLiveSpecification.enabled", enabled)?;
        self.tables.update_time_to_live_async(&name, &attribute, enabled).await?;
        let specification =
            Value::map([("AttributeName", Some(attribute.into())), ("Enabled", Some(enabled.into()))]);
        Ok(Value::map([("TimeToLiveSpecification", Some(specification))]))
    }

    pub(super) fn describe_time_to_live(&mut self) -> Result<Value> {
        let name = self.input.required_text("TableName")?;
        let state = self.tables.describe_time_to_live(&name)?;
        let attribute = state.attribute.filter(|_| state.status == TimeToLiveStatus::Enabled);
        let description = Value::map([
            ("TimeToLiveStatus", Some(state.status.name().into())),
            ("AttributeName", attribute.map(Value::from)),
        ]);
        Ok(Value::map([("TimeToLiveDescription", Some(description))]))
    }

    /// The table that has the tags: only an ARN says which.
    fn tagged(&mut self) -> Result<String> {
        let invalid = |message: String| Err(Dialect::Dynamo.invalid(&message));
        let invalid_value =
            |message: &str| invalid(format!("One or more parameter values were invalid: {message}"));
        let Some(arn) = self.input.text("ResourceArn")? else {
            return invalid("Invalid TableArn".to_owned());
        };
        if !arn.starts_with("arn:") {
            return invalid_value(&format!("ARNs must start with 'arn:': {arn}"));
        }
        if arn.split(':').nth(2) != Some("dynamodb") {
            return invalid_value(&format!("Provided Arn is not a DynamoDB resource arn: {arn}"));
        }
        if arn.split(':').nth(3) != Some(self.call.store.region()) {
            return invalid(format!("Invalid TableArn: Invalid ResourceArn provided as input {arn}"));
        }
        if arn.contains("/index/") {
            return invalid_value(&format!(
                "Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}"
            ));
        }
        Ok(arn)
    }

    pub(super) async fn tag_resource(&mut self) -> Result<Value> {
        let arn = self.tagged()?;
        let tags = tags(&mut self.input)?;
        self.tables.tag_resource_async(&arn, tags.unwrap_or_default()).await?;
        Ok(Value::empty())
    }

    pub(super) async fn untag_resource(&mut self) -> Result<Value> {
        let arn = self.tagged()?;
        let keys = self.input.texts("TagKeys")?;
        self.tables.untag_resource_async(&arn, &keys.unwrap_or_default()).await?;
        Ok(Value::empty())
    }

    pub(super) fn list_tags_of_resource(&mut self) -> Result<Value> {
        let arn = self.tagged()?;
        let tags = self.tables.list_tags_of_resource(&arn)?;
        let tags = tags
            .into_iter()
            .map(|tag| Value::map([("Key", Some(tag.key.into())), ("Value", Some(tag.value.into()))]));
        Ok(Value::map([("Tags", Some(tags.collect::<Vec<_>>().into()))]))
    }

    pub(super) fn describe_limits(&self) -> Value {
        let limits = self.tables.describe_limits();
        Value::map([
            ("AccountMaxReadCapacityUnits", Some(limits.account_max_read.into())),
            ("AccountMaxWriteCapacityUnits", Some(limits.account_max_write.into())),
            ("TableMaxReadCapacityUnits", Some(limits.table_max_read.into())),
            ("TableMaxWriteCapacityUnits", Some(limits.table_max_write.into())),
        ])
    }

    pub(super) fn describe_endpoints(&self) -> Value {
        let endpoint = Value::map([
            ("Address", Some(self.call.host().into())),
            ("CachePeriodInMinutes", Some(Value::Int(1440))),
        ]);
        Value::map([("Endpoints", Some(Value::List(vec![endpoint])))])
    }
}

fn refuse_what_is_not_here(input: &mut Fields) -> Result<()> {
    match NOT_HERE.into_iter().find(|member| input.value(member).is_some()) {
        Some(member) => {
            let message = format!("One or more parameter values were invalid: {member} is not supported");
            Err(input.dialect().invalid(&message))
        }
        None => Ok(()),
    }
}
