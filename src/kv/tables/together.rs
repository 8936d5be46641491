//! Which changes of a table one request may ask for together, and what it may say of encryption.

use crate::kv::error::{Error, Result};
use crate::kv::record::Definition;
use crate::kv::schema::{SseSpecification, WarmThroughput};
use crate::kv::tables::update::{GlobalIndexUpdate, UpdateTable};

fn invalid<T>(what: &str) -> Result<T> {
    Err(Error::validation(format!("One or more parameter values were invalid: {what}")))
}

/// Refuses to keep an index warm without saying how warm.
pub(crate) fn check_warm_indexes(request: &UpdateTable) -> Result<()> {
    for update in &request.global_index_updates {
        let GlobalIndexUpdate::Update(index) = update else { continue };
        if index.warm == Some(WarmThroughput::default()) {
            return invalid(&format!(
                "WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for \
                 index: {}",
                index.name
            ));
        }
    }
    Ok(())
}

/// Refuses changes that stand alone beside others.
pub(crate) fn check_alone(request: &UpdateTable) -> Result<()> {
    let has_indexes = !request.global_index_updates.is_empty();
    let warms = request.warm.is_some_and(|warm| warm != WarmThroughput::default());
    let present = [
        request.sse.is_some(),
        request.table_class.is_some(),
        request.deletion_protection.is_some(),
        warms,
        request.on_demand.is_some(),
        request.throughput.is_some(),
        has_indexes,
        request.stream.is_some(),
        request.billing_mode.is_some(),
    ];
    let count = present.into_iter().filter(|is_present| *is_present).count();
    if count < 2 {
        return Ok(());
    }
    let alone = [
        (request.sse.is_some(), "Server-Side Encryption modification"),
        (request.table_class.is_some(), "TableClass modification"),
        (request.deletion_protection.is_some(), "DeletionProtection modification"),
    ];
    if let Some((_, what)) = alone.iter().find(|(is_present, _)| *is_present) {
        return invalid(&format!("{what} must be the only operation in the request"));
    }
    if warms {
        let creates = |update: &GlobalIndexUpdate| matches!(update, GlobalIndexUpdate::Create(_));
        return invalid(if request.global_index_updates.iter().any(creates) {
            "Create global secondary index cannot be specified when updating WarmThroughput"
        } else {
            "WarmThroughput must be the only operation in the request"
        });
    }
    if request.on_demand.is_some() && (count > 2 || request.billing_mode.is_none()) {
        return invalid("OnDemandThroughput can only be combined with BillingMode in an UpdateTable request");
    }
    Ok(())
}

/// Refuses changes of capacity, of the stream and of the number of indexes at once.
pub(crate) fn check_apart(definition: &Definition, request: &UpdateTable) -> Result<()> {
    let changes_capacity = request.throughput.is_some()
        || request.billing_mode.is_some_and(|billing| billing != definition.billing);
    let changes_number =
        request.global_index_updates.iter().any(|update| !matches!(update, GlobalIndexUpdate::Update(_)));
    match (request.stream.is_some(), changes_capacity, changes_number) {
        (true, true, _) => invalid("You cannot modify stream status while updating table IOPS"),
        (_, true, true) => invalid("You cannot create or delete index while updating table IOPS"),
        (true, _, true) => invalid("You cannot create or delete index while changing stream status"),
        _ => Ok(()),
    }
}

/// Can a table be encrypted like this?
pub(crate) fn check_sse(sse: &SseSpecification) -> Result<()> {
    let is_off = sse.enabled == Some(false);
    match (&sse.sse_type, &sse.kms_key) {
        (Some(_), _) if is_off => invalid("SSEType can not be specified if Enabled is false"),
        (_, Some(_)) if is_off => invalid("KMSMasterKeyId can not be specified if Enabled is false"),
        (Some(kind), _) if kind == "AES256" => invalid("SSEType AES256 is not supported"),
        (None, Some(_)) => invalid("SSEType KMS is required if KMSMasterKeyId is specified"),
        _ => Ok(()),
    }
}

/// Does this change how a table is encrypted?
pub(crate) fn check_sse_change(sse: &SseSpecification, before: Option<&SseSpecification>) -> Result<()> {
    check_sse(sse)?;
    let before = before.filter(|before| before.enabled == Some(true));
    let turns_on = sse.enabled == Some(true) || sse.sse_type.is_some();
    if before.is_none() && !turns_on {
        return invalid("Table is already encrypted by default");
    }
    if sse.kms_key.is_some() && before.is_some_and(|before| before.kms_key == sse.kms_key) {
        return invalid(
            "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to change \
             Master Key",
        );
    }
    Ok(())
}
