//! What the service refuses of a table's definition, in its words.

use crate::kv::error::{Error, Result};
use crate::kv::schema::{
    AttributeDefinition, BillingMode, Index, KeyElement, KeyType, Projection, ProjectionType,
    StreamSpecification, StreamViewType, Throughput,
};
use crate::kv::tables::capacity::{check_new_warm, check_on_demand};
use crate::kv::tables::create::CreateTable;
use crate::kv::tables::together::check_sse;
use std::collections::BTreeSet;

/// Local indexes of a table, at most.
pub const LOCAL_INDEXES_MAX: usize = 5;
/// Global indexes of a table, at most.
pub const GLOBAL_INDEXES_MAX: usize = 20;
/// Partition keys of a global index, at most; sort keys as well.
pub const INDEX_KEYS_MAX: usize = 4;
/// Attributes that an index names besides its keys, at most.
pub const NON_KEY_ATTRIBUTES_MAX: usize = 20;
/// The same of all indexes of a table.
pub const NON_KEY_ATTRIBUTES_TOTAL_MAX: usize = 100;
/// Units of throughput, at most.
const UNITS_MAX: i64 = 1_000_000_000_000;
/// Bytes of the name of a key attribute, at most.
pub const KEY_NAME_LEN_MAX: usize = 255;

const INVALID: &str = "One or more parameter values were invalid: ";

fn invalid<T>(what: impl AsRef<str>) -> Result<T> {
    Err(Error::validation(format!("{INVALID}{}", what.as_ref())))
}

/// A field that breaks a rule of the service's model.
pub(crate) fn constraint<T>(value: &str, field: &str, rule: &str) -> Result<T> {
    Err(Error::validation(format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {rule}"
    )))
}

/// Can a table or an index be called so?
pub(crate) fn check_name(name: &str, field: &str) -> Result<()> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
        return constraint(name, field, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
    }
    if name.len() < 3 {
        return constraint(name, field, "Member must have length greater than or equal to 3");
    }
    if name.len() > 255 {
        return constraint(name, field, "Member must have length less than or equal to 255");
    }
    Ok(())
}

/// Can this be made?
pub(crate) fn check_create(request: &CreateTable) -> Result<()> {
    check_name(&request.name, "tableName")?;
    check_names(request)?;
    check_billing(request)?;
    if let Some(sse) = &request.sse {
        check_sse(sse)?;
    }
    check_attributes(&request.attributes)?;
    check_table_keys(&request.key_schema, &request.attributes)?;
    check_indexes(request)?;
    check_used(request)
}

/// Names are of a legal length, whatever else is wrong.
fn check_names(request: &CreateTable) -> Result<()> {
    let indexes = request.local_indexes.iter().chain(&request.global_indexes).flatten();
    let keys = request.key_schema.iter().chain(indexes.clone().flat_map(|index| &index.key_schema));
    for element in keys {
        check_key_name(&element.name, "keySchema.1.member.attributeName")?;
    }
    for attribute in &request.attributes {
        check_key_name(&attribute.name, "attributeDefinitions.1.member.attributeName")?;
    }
    for name in indexes.flat_map(|index| index.projection.non_key_attributes.iter().flatten()) {
        check_key_name(name, "projection.nonKeyAttributes")?;
    }
    Ok(())
}

fn check_key_name(name: &str, field: &str) -> Result<()> {
    if name.is_empty() {
        return constraint(name, field, "Member must have length greater than or equal to 1");
    }
    if name.len() > KEY_NAME_LEN_MAX {
        return constraint(name, field, "Member must have length less than or equal to 255");
    }
    Ok(())
}

fn check_billing(request: &CreateTable) -> Result<()> {
    match (request.billing_mode.unwrap_or(BillingMode::Provisioned), request.throughput) {
        (BillingMode::Provisioned, None) => invalid(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        (BillingMode::PayPerRequest, Some(_)) => invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        (BillingMode::Provisioned, Some(units)) => check_throughput(units, None),
        (BillingMode::PayPerRequest, None) => Ok(()),
    }?;
    let billing = request.billing_mode.unwrap_or(BillingMode::Provisioned);
    check_on_demand(request.on_demand, billing, None, false)?;
    check_new_warm(request.warm, billing, request.throughput, None)
}

/// Is there something to provision, and not more than there could be? `index`: of which index, if of one.
pub(crate) fn check_throughput(units: Throughput, index: Option<&str>) -> Result<()> {
    for (value, field) in [
        (units.read, "provisionedThroughput.readCapacityUnits"),
        (units.write, "provisionedThroughput.writeCapacityUnits"),
    ] {
        if value < 1 {
            let value = value.to_string();
            return constraint(&value, field, "Member must have value greater than or equal to 1");
        }
    }
    for (value, name) in [(units.read, "ReadCapacityUnits"), (units.write, "WriteCapacityUnits")] {
        if value > UNITS_MAX {
            let of_index = index.map(|index| format!(" for index {index}")).unwrap_or_default();
            return Err(Error::validation(format!(
                "Given value {value} for {name} is out of bounds{of_index}"
            )));
        }
    }
    Ok(())
}

fn check_attributes(attributes: &[AttributeDefinition]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for attribute in attributes {
        if !seen.insert(&attribute.name) {
            let name = &attribute.name;
            return Err(Error::validation(format!("Attribute Name is duplicated: {name}")));
        }
    }
    Ok(())
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    format!("[{}]", names.into_iter().collect::<Vec<_>>().join(", "))
}

fn defined(attributes: &[AttributeDefinition]) -> String {
    list(attributes.iter().map(|attribute| &*attribute.name))
}

fn key_names(keys: &[KeyElement]) -> impl Iterator<Item = &str> {
    keys.iter().map(|element| &*element.name)
}

/// Is each key attribute defined?
pub(crate) fn check_defined(keys: &[KeyElement], attributes: &[AttributeDefinition]) -> Result<()> {
    let is_defined = |name: &str| attributes.iter().any(|attribute| attribute.name == name);
    if key_names(keys).all(is_defined) {
        return Ok(());
    }
    invalid(format!(
        "Some index key attributes are not defined in AttributeDefinitions. Keys: {}, AttributeDefinitions: {}",
        list(key_names(keys)),
        defined(attributes)
    ))
}

fn check_table_keys(keys: &[KeyElement], attributes: &[AttributeDefinition]) -> Result<()> {
    if keys.is_empty() {
        return constraint("[]", "keySchema", "Member must have length greater than or equal to 1");
    }
    if keys.len() > 2 {
        return constraint(
            &list(key_names(keys)),
            "keySchema",
            "Member must have length less than or equal to 2",
        );
    }
    if keys.len() == 2 || attributes.is_empty() {
        let is_defined = |name: &str| attributes.iter().any(|attribute| attribute.name == name);
        let names: BTreeSet<&str> = key_names(keys).collect();
        // The same name twice counts as two keys, of which one has no definition.
        if !key_names(keys).all(is_defined) || (names.len() < 2 && attributes.len() < 2) {
            return Err(Error::validation("Invalid KeySchema: Some index key attribute have no definition"));
        }
    }
    check_defined(keys, attributes)?;
    check_one_and_one(keys)
}

/// A partition key, perhaps a sort key, not the same.
fn check_one_and_one(keys: &[KeyElement]) -> Result<()> {
    match keys {
        [first, second] if first.name == second.name => Err(Error::validation(
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        )),
        [first, ..] if first.key_type != KeyType::Hash => {
            Err(Error::validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"))
        }
        [_, second] if second.key_type != KeyType::Range => {
            Err(Error::validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"))
        }
        _ => Ok(()),
    }
}

fn check_indexes(request: &CreateTable) -> Result<()> {
    let (locals, globals) = (&request.local_indexes, &request.global_indexes);
    if locals.as_ref().is_some_and(Vec::is_empty) {
        return invalid("List of LocalSecondaryIndexes is empty");
    }
    if globals.as_ref().is_some_and(Vec::is_empty) {
        return invalid("List of GlobalSecondaryIndexes is empty");
    }
    for index in locals.iter().flatten() {
        check_name(&index.name, "localSecondaryIndexes.1.member.indexName")?;
        check_local(index, request)?;
        check_projection(&index.projection)?;
    }
    for index in globals.iter().flatten() {
        check_global(index, &request.attributes)?;
        check_index_billing(index, request.billing_mode.unwrap_or(BillingMode::Provisioned))?;
    }
    if locals.iter().flatten().count() > LOCAL_INDEXES_MAX {
        return invalid(format!(
            "Number of LocalSecondaryIndexes exceeds per-table limit of {LOCAL_INDEXES_MAX}"
        ));
    }
    if globals.iter().flatten().count() > GLOBAL_INDEXES_MAX {
        return invalid(format!(
            "GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_INDEXES_MAX}"
        ));
    }
    let mut names = BTreeSet::new();
    let all = || locals.iter().chain(globals).flatten();
    for index in all() {
        if !names.insert(&index.name) {
            return invalid(format!("Duplicate index name: {}", index.name));
        }
    }
    check_projected_total(
        all().map(|index| index.projection.non_key_attributes.iter().flatten().count()).sum(),
    )
}

/// Do all indexes together name no more attributes than a table may?
pub(crate) fn check_projected_total(count: usize) -> Result<()> {
    if count <= NON_KEY_ATTRIBUTES_TOTAL_MAX {
        return Ok(());
    }
    invalid(format!(
        "The total number of projected attributes exceeds the per-table limit of {NON_KEY_ATTRIBUTES_TOTAL_MAX}"
    ))
}

fn check_local(index: &Index, request: &CreateTable) -> Result<()> {
    let table = &request.key_schema;
    if table.len() < 2 {
        return invalid(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
        );
    }
    check_defined(&index.key_schema, &request.attributes)?;
    check_one_and_one(&index.key_schema)?;
    let (Some(hash), Some(table_hash)) = (index.key_schema.first(), table.first()) else {
        return constraint("[]", "keySchema", "Member must have length greater than or equal to 1");
    };
    if index.key_schema.len() != 2 {
        return invalid(format!("Index KeySchema does not have a range key for index: {}", index.name));
    }
    if hash.name != table_hash.name {
        return invalid(format!(
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: {}. index hash \
             key: {}, table hash key: {}",
            index.name, hash.name, table_hash.name
        ));
    }
    Ok(())
}

/// Can this be a global index of a table with these attributes?
pub(crate) fn check_global(index: &Index, attributes: &[AttributeDefinition]) -> Result<()> {
    check_name(&index.name, "globalSecondaryIndexes.1.member.indexName")?;
    let keys = &index.key_schema;
    if keys.is_empty() {
        return constraint("[]", "keySchema", "Member must have length greater than or equal to 1");
    }
    if keys.len() > 2 * INDEX_KEYS_MAX {
        let names = list(key_names(keys));
        return constraint(&names, "keySchema", "Member must have length less than or equal to 8");
    }
    check_defined(keys, attributes)?;
    if keys.first().is_some_and(|first| first.key_type != KeyType::Hash) {
        return Err(Error::validation(
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ));
    }
    let hash = keys.iter().take_while(|element| element.key_type == KeyType::Hash).count();
    if keys[hash..].iter().any(|element| element.key_type == KeyType::Hash) {
        return invalid("All HASH key attributes must precede RANGE key attributes in the KeySchema");
    }
    let mut seen = BTreeSet::new();
    if !key_names(keys).all(|name| seen.insert(name)) {
        return Err(Error::validation(if keys.len() == 2 {
            "Both the Hash Key and the Range Key element in the KeySchema have the same name"
        } else {
            "The KeySchema contains multiple key attributes with the same name"
        }));
    }
    for (count, kind) in [(hash, KeyType::Hash), (keys.len() - hash, KeyType::Range)] {
        if count > INDEX_KEYS_MAX {
            return invalid(format!(
                "The KeySchema exceeds the maximum allowed number of {kind} key attributes"
            ));
        }
    }
    check_projection(&index.projection)
}

/// Is a global index provisioned if and only if its table is?
pub(crate) fn check_index_billing(index: &Index, billing: BillingMode) -> Result<()> {
    match (billing, index.throughput) {
        (BillingMode::Provisioned, None) => {
            invalid(format!("ProvisionedThroughput is not specified for index: {}", index.name))
        }
        (BillingMode::PayPerRequest, Some(_)) => invalid(format!(
            "ProvisionedThroughput should not be specified for index: {} when BillingMode is PAY_PER_REQUEST",
            index.name
        )),
        (BillingMode::Provisioned, Some(units)) => check_throughput(units, Some(&index.name)),
        (BillingMode::PayPerRequest, None) => Ok(()),
    }?;
    check_on_demand(index.on_demand, billing, Some(&index.name), false)?;
    check_new_warm(index.warm, billing, index.throughput, Some(&index.name))
}

fn check_projection(projection: &Projection) -> Result<()> {
    let names = projection.non_key_attributes.as_deref();
    match (projection.projection_type, names) {
        (None, _) => invalid("Unknown ProjectionType: null"),
        (Some(ProjectionType::Include), None) => {
            invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
        }
        (_, Some([])) => constraint(
            "[]",
            "projection.nonKeyAttributes",
            "Member must have length greater than or equal to 1",
        ),
        (Some(kind @ (ProjectionType::All | ProjectionType::KeysOnly)), Some(_)) => {
            invalid(format!("ProjectionType is {kind}, but NonKeyAttributes is specified"))
        }
        (Some(ProjectionType::Include), Some(names)) if names.len() > NON_KEY_ATTRIBUTES_MAX => constraint(
            &list(names.iter().map(String::as_str)),
            "projection.nonKeyAttributes",
            "Member must have length less than or equal to 20",
        ),
        (Some(ProjectionType::Include), Some(names)) => {
            let mut seen = BTreeSet::new();
            match names.iter().find(|name| !seen.insert(*name)) {
                Some(twice) => invalid(format!("Duplicate element in NonKeyAttributes: {twice}")),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Is each definition of an attribute used by a key?
fn check_used(request: &CreateTable) -> Result<()> {
    let indexes = request.local_indexes.iter().chain(&request.global_indexes).flatten();
    let has_indexes = indexes.clone().next().is_some();
    let index_keys = indexes.flat_map(|index| key_names(&index.key_schema));
    let used: BTreeSet<&str> = key_names(&request.key_schema).chain(index_keys).collect();
    if request.attributes.iter().all(|attribute| used.contains(&*attribute.name)) {
        return Ok(());
    }
    if !has_indexes {
        return invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in \
             AttributeDefinitions",
        );
    }
    invalid(format!(
        "Some AttributeDefinitions are not used. AttributeDefinitions: {}, keys used: {}",
        defined(&request.attributes),
        list(used)
    ))
}

/// The view of a stream that is to run, or none. The service words it one way for a table that is made, and another for
/// one that is there.
pub(crate) fn check_stream(
    stream: StreamSpecification,
    is_new_table: bool,
) -> Result<Option<StreamViewType>> {
    match (stream.enabled, stream.view_type) {
        (true, Some(view)) => Ok(Some(view)),
        (false, None) => Ok(None),
        (true, None) if is_new_table => {
            invalid("Table is being created with a stream enabled, UpdateViewType is required")
        }
        (true, None) => invalid("If stream is being enabled then UpdateViewType is required"),
        (false, Some(_)) if is_new_table => {
            invalid("Table is being created with a stream disabled, UpdateViewType should not be specified")
        }
        (false, Some(_)) => invalid("If stream is being disabled, then UpdateViewType must not be specified"),
    }
}
