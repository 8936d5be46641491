//! Tables.

use super::{Answer, Known, Refused, answer, check, front, is, list, no};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types as sdk;
use fourfold::Store;
use fourfold::kv::{
    AttributeValue, BatchGetItem, BatchWriteItem, ConditionCheck, ConditionParts, CreateTable, DeleteItem,
    Error, GetItem, Item, KeysAndAttributes, PutItem, Query, ReturnValues, ScalarType, Scan, SearchParts,
    TransactGet, TransactGetItems, TransactWrite, TransactWriteItems, UpdateItem, WriteRequest,
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// A request. Keys and items are written as on the wire.
#[derive(Debug)]
enum Do {
    /// With the hash key `id`, and the range key `at` of numbers if so.
    Create(&'static str, bool),
    Drop(&'static str),
    Describe(&'static str),
    Tables,
    Put(&'static str, &'static str, What),
    Get(&'static str, &'static str, What),
    Update(&'static str, &'static str, &'static str, What),
    Delete(&'static str, &'static str, What),
    Query(&'static str, &'static str, What),
    Scan(&'static str, What),
    PutAll(&'static str, &'static [&'static str]),
    GetAll(&'static str, &'static [&'static str]),
    /// Puts what is first, if what is second is there.
    PutIf(&'static str, &'static str, &'static str),
    GetBoth(&'static str, &'static str, &'static str),
}

/// What else is asked.
#[derive(Clone, Copy, Debug, Default)]
struct What {
    condition: Option<&'static str>,
    projection: Option<&'static str>,
    names: &'static [(&'static str, &'static str)],
    values: &'static str,
    returns: Option<&'static str>,
    limit: Option<usize>,
    backward: bool,
    after: Option<&'static str>,
}

const PLAIN: What = What {
    condition: None,
    projection: None,
    names: &[],
    values: "{}",
    returns: None,
    limit: None,
    backward: false,
    after: None,
};

const fn when(condition: &'static str) -> What {
    What { condition: Some(condition), ..PLAIN }
}

const fn with(values: &'static str) -> What {
    What { values, ..PLAIN }
}

const ANN: &str = r#"{"id":{"S":"ann"}}"#;
const ANNA: &str = r#"{"id":{"S":"ann"},"n":{"N":"7.50"},"raw":{"B":"AP8="},"tags":{"SS":["b","a"]},"list":{"L":[{"N":"1"},{"BOOL":true},{"NULL":true}]},"map":{"M":{"x":{"S":"y"}}}}"#;
const BOB: &str = r#"{"id":{"S":"bob"}}"#;
const EVENT: [&str; 5] = [
    r#"{"id":{"S":"ann"},"at":{"N":"1"},"what":{"S":"in"}}"#,
    r#"{"id":{"S":"ann"},"at":{"N":"2"},"what":{"S":"look"}}"#,
    r#"{"id":{"S":"ann"},"at":{"N":"10"},"what":{"S":"buy"}}"#,
    r#"{"id":{"S":"ann"},"at":{"N":"11"},"what":{"S":"out"}}"#,
    r#"{"id":{"S":"bob"},"at":{"N":"5"},"what":{"S":"in"}}"#,
];
const ANN_AT: &str = r#"{":id":{"S":"ann"}}"#;
const INVALID: &str = "ValidationException";
const FAILED: &str = "ConditionalCheckFailedException";
const UNKNOWN: &str = "ResourceNotFoundException";

#[tokio::test]
async fn tables_answer_alike() {
    use Do::*;
    let old = What { returns: Some("ALL_OLD"), ..PLAIN };
    let one = r#"{":one":{"N":"1"}}"#;
    let counted = What { returns: Some("UPDATED_NEW"), names: &[("#n", "n")], ..with(one) };
    let range = r#"{":id":{"S":"ann"},":a":{"N":"2"},":b":{"N":"10"}}"#;
    let rows = vec![
        is(Create("users", false), "users CREATING"),
        no(Create("users", false), "ResourceInUseException"),
        no(Create("not a name", false), INVALID),
        front(Create("x", false), INVALID),
        is(Create("events", true), "events CREATING"),
        is(Tables, "events users"),
        is(Describe("events"), "at RANGE"),
        no(Describe("nope"), UNKNOWN),
        // One item.
        is(Put("users", ANNA, PLAIN), ""),
        is(Get("users", ANN, PLAIN), r#""N":"7.5""#),
        is(Get("users", BOB, PLAIN), "null"),
        is(Put("users", BOB, old), "null"),
        is(Put("users", BOB, old), "bob"),
        no(Put("nope", BOB, PLAIN), UNKNOWN),
        no(Put("users", r#"{"n":{"N":"1"}}"#, PLAIN), INVALID),
        no(Put("users", r#"{"id":{"N":"1"}}"#, PLAIN), INVALID),
        no(Put("users", r#"{"id":{"S":""}}"#, PLAIN), INVALID),
        front(Put("users", r#"{"id":{"S":"x"},"e":{"SS":[]}}"#, PLAIN), INVALID),
        front(Put("users", r#"{"id":{"S":"x"},"e":{"SS":["a","a"]}}"#, PLAIN), INVALID),
        front(Put("users", r#"{"id":{"S":"x"},"e":{"N":"seven"}}"#, PLAIN), INVALID),
        front(Put("users", r#"{"id":{"S":"x"},"e":{"N":"1e200"}}"#, PLAIN), INVALID),
        no(Put("users", BOB, What { returns: Some("ALL_NEW"), ..PLAIN }), INVALID),
        no(Put("users", BOB, when("attribute_not_exists(id)")), FAILED),
        is(Put("users", BOB, when("attribute_exists(id)")), ""),
        no(Put("users", BOB, when("nonsense (")), INVALID),
        no(Put("users", BOB, when("a = :missing")), INVALID),
        no(Put("users", BOB, when("#a = id")), INVALID),
        no(Put("users", BOB, What { values: one, ..when("attribute_exists(id)") }), INVALID),
        front(Put("users", BOB, with(one)), INVALID),
        no(Put("users", BOB, when("size = :x")), INVALID),
        no(Put("users", BOB, when("")), INVALID),
        is(
            Get("users", ANN, What { projection: Some("#m.x, tags"), names: &[("#m", "map")], ..PLAIN }),
            r#""x":{"S":"y"}"#,
        ),
        is(
            Get("users", ANN, What { projection: Some("#l[1]"), names: &[("#l", "list")], ..PLAIN }),
            r#"[{"BOOL":true}]"#,
        ),
        no(Get("users", ANN, What { projection: Some("list"), ..PLAIN }), INVALID),
        no(Get("users", ANN, What { projection: Some("a, a"), ..PLAIN }), INVALID),
        no(Get("users", ANN, What { names: &[("#l", "list")], ..PLAIN }), INVALID),
        no(Get("users", ANNA, PLAIN), INVALID),
        no(Get("users", "{}", PLAIN), INVALID),
        no(Get("nope", ANN, PLAIN), UNKNOWN),
        is(Update("users", BOB, "SET #n = if_not_exists(#n, :one) + :one", counted), r#""N":"2""#),
        is(Update("users", BOB, "ADD #n :one", counted), r#""N":"3""#),
        is(Update("users", BOB, "REMOVE n", What { returns: Some("ALL_OLD"), ..PLAIN }), r#""N":"3""#),
        is(Update("users", BOB, "SET a = :one, b = :one", with(one)), ""),
        is(Update("users", r#"{"id":{"S":"new"}}"#, "SET a = :one", with(one)), ""),
        no(Update("users", BOB, "SET id = :one", with(one)), INVALID),
        no(Update("users", BOB, "SET a = nope", PLAIN), INVALID),
        no(Update("users", BOB, "SET a = :one SET b = :one", with(one)), INVALID),
        no(Update("users", BOB, "SET a = :one, a = :one", with(one)), INVALID),
        no(Update("users", ANN, "ADD tags :one", with(one)), INVALID),
        no(Update("users", BOB, "SET a.b = :one", with(one)), INVALID),
        no(Update("users", BOB, "SET a = :one", What { condition: Some("a > :one"), ..with(one) }), FAILED),
        is(Delete("users", r#"{"id":{"S":"new"}}"#, old), "new"),
        is(Delete("users", r#"{"id":{"S":"new"}}"#, old), "null"),
        no(Delete("users", ANN, when("attribute_not_exists(id)")), FAILED),
        no(Delete("nope", ANN, PLAIN), UNKNOWN),
        // Many items.
        is(PutAll("events", &EVENT), ""),
        front(PutAll("events", &[]), INVALID),
        no(PutAll("events", &[EVENT[0], EVENT[0]]), INVALID),
        no(PutAll("events", &[BOB]), INVALID),
        no(PutAll("nope", &[BOB]), UNKNOWN),
        is(
            GetAll(
                "events",
                &[r#"{"id":{"S":"ann"},"at":{"N":"10"}}"#, r#"{"id":{"S":"ann"},"at":{"N":"3"}}"#],
            ),
            "buy",
        ),
        no(GetAll("events", &[ANN]), INVALID),
        no(GetAll("nope", &[ANN]), UNKNOWN),
        is(Query("events", "id = :id", with(ANN_AT)), "4 of 4"),
        is(
            Query(
                "events",
                "id = :id AND #at BETWEEN :a AND :b",
                What { names: &[("#at", "at")], ..with(range) },
            ),
            "2 of 2",
        ),
        is(Query("events", "id = :id", What { backward: true, limit: Some(1), ..with(ANN_AT) }), "out"),
        is(
            Query(
                "events",
                "id = :id",
                What { after: Some(r#"{"id":{"S":"ann"},"at":{"N":"2"}}"#), ..with(ANN_AT) },
            ),
            "2 of 2",
        ),
        is(
            Query(
                "events",
                "id = :id",
                What {
                    condition: Some("begins_with(what, :b)"),
                    ..with(r#"{":id":{"S":"ann"},":b":{"S":"b"}}"#)
                },
            ),
            "1 of 4",
        ),
        no(Query("events", "id > :id", with(ANN_AT)), INVALID),
        no(Query("events", "what = :id", with(ANN_AT)), INVALID),
        no(Query("events", "id = :id AND id = :id", with(ANN_AT)), INVALID),
        no(Query("events", "id = :id", What { condition: Some("id = :id"), ..with(ANN_AT) }), INVALID),
        no(Query("events", "id = :id", What { after: Some(ANN), ..with(ANN_AT) }), INVALID),
        front(Query("events", "id = :id", What { limit: Some(0), ..with(ANN_AT) }), INVALID),
        no(Query("nope", "id = :id", with(ANN_AT)), UNKNOWN),
        is(Scan("events", PLAIN), "5 of 5"),
        is(Scan("events", What { condition: Some("what = :w"), ..with(r#"{":w":{"S":"in"}}"#) }), "2 of 5"),
        is(Scan("events", What { limit: Some(2), ..PLAIN }), "2 of 2"),
        no(Scan("nope", PLAIN), UNKNOWN),
        // Transactions.
        is(PutIf("users", r#"{"id":{"S":"cid"}}"#, ANN), ""),
        no(
            PutIf("users", r#"{"id":{"S":"dan"}}"#, r#"{"id":{"S":"nobody"}}"#),
            "TransactionCanceledException",
        ),
        no(PutIf("users", ANN, ANN), INVALID),
        no(PutIf("nope", ANN, BOB), UNKNOWN),
        is(GetBoth("users", ANN, r#"{"id":{"S":"dan"}}"#), "null"),
        no(GetBoth("users", ANN, ANN), INVALID),
        // The end.
        is(Drop("events"), "events"),
        no(Drop("events"), UNKNOWN),
        is(Tables, "users"),
    ];
    check(&rows, native, |config| Client::new(config), by_sdk).await;
}

fn json(text: &str) -> BTreeMap<String, Value> {
    serde_json::from_str(text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    aws_smithy_types::base64::decode(value.as_str().unwrap()).unwrap()
}

/// An item as the library has it.
fn item(text: &str) -> Result<Item, Error> {
    json(text).iter().map(|(name, value)| Ok((name.clone(), own(value)?))).collect()
}

fn own(value: &Value) -> Result<AttributeValue, Error> {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    let texts = || value.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned());
    Ok(match &**kind {
        "S" => AttributeValue::S(value.as_str().unwrap().to_owned()),
        // Numbers and sets are checked when they are made.
        "N" => AttributeValue::number(value.as_str().unwrap())?,
        "B" => AttributeValue::B(bytes(value).into()),
        "SS" => AttributeValue::string_set(texts())?,
        "L" => AttributeValue::L(value.as_array().unwrap().iter().map(own).collect::<Result<_, _>>()?),
        "M" => AttributeValue::M(item(&value.to_string())?),
        "BOOL" => AttributeValue::Bool(value.as_bool().unwrap()),
        "NULL" => AttributeValue::Null,
        other => panic!("{other}"),
    })
}

fn own_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => serde_json::json!({ "S": text }),
        AttributeValue::N(number) => serde_json::json!({ "N": number.to_string() }),
        AttributeValue::B(bytes) => serde_json::json!({ "B": aws_smithy_types::base64::encode(bytes) }),
        AttributeValue::Ss(set) => serde_json::json!({ "SS": set.iter().collect::<Vec<_>>() }),
        AttributeValue::L(list) => serde_json::json!({ "L": list.iter().map(own_json).collect::<Vec<_>>() }),
        AttributeValue::M(map) => serde_json::json!({ "M": own_object(map) }),
        AttributeValue::Bool(bool) => serde_json::json!({ "BOOL": bool }),
        AttributeValue::Null => serde_json::json!({ "NULL": true }),
        other => panic!("{other:?}"),
    }
}

fn own_object(item: &Item) -> BTreeMap<&String, Value> {
    item.iter().map(|(name, value)| (name, own_json(value))).collect()
}

fn own_told(item: Option<&Item>) -> String {
    item.map_or_else(|| "null".to_owned(), |item| serde_json::to_string(&own_object(item)).unwrap())
}

/// An item as the SDK has it.
fn theirs(text: &str) -> HashMap<String, sdk::AttributeValue> {
    json(text).iter().map(|(name, value)| (name.clone(), their(value))).collect()
}

fn their(value: &Value) -> sdk::AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    let texts = || value.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned());
    match &**kind {
        "S" => sdk::AttributeValue::S(text()),
        "N" => sdk::AttributeValue::N(text()),
        "B" => sdk::AttributeValue::B(Blob::new(bytes(value))),
        "SS" => sdk::AttributeValue::Ss(texts().collect()),
        "L" => sdk::AttributeValue::L(value.as_array().unwrap().iter().map(their).collect()),
        "M" => sdk::AttributeValue::M(theirs(&value.to_string())),
        "BOOL" => sdk::AttributeValue::Bool(value.as_bool().unwrap()),
        "NULL" => sdk::AttributeValue::Null(true),
        other => panic!("{other}"),
    }
}

fn their_json(value: &sdk::AttributeValue) -> Value {
    match value {
        sdk::AttributeValue::S(text) => serde_json::json!({ "S": text }),
        sdk::AttributeValue::N(number) => serde_json::json!({ "N": number }),
        sdk::AttributeValue::B(bytes) => serde_json::json!({ "B": aws_smithy_types::base64::encode(bytes) }),
        sdk::AttributeValue::Ss(set) => serde_json::json!({ "SS": set }),
        sdk::AttributeValue::L(list) => {
            serde_json::json!({ "L": list.iter().map(their_json).collect::<Vec<_>>() })
        }
        sdk::AttributeValue::M(map) => serde_json::json!({ "M": their_object(map) }),
        sdk::AttributeValue::Bool(bool) => serde_json::json!({ "BOOL": bool }),
        sdk::AttributeValue::Null(_) => serde_json::json!({ "NULL": true }),
        other => panic!("{other:?}"),
    }
}

fn their_object(item: &HashMap<String, sdk::AttributeValue>) -> BTreeMap<&String, Value> {
    item.iter().map(|(name, value)| (name, their_json(value))).collect()
}

fn their_told(item: Option<&HashMap<String, sdk::AttributeValue>>) -> String {
    item.map_or_else(|| "null".to_owned(), |item| serde_json::to_string(&their_object(item)).unwrap())
}

fn native(store: &Store, _: &mut Known, request: &Do) -> Answer {
    by_library(store, request).map_err(|error| Refused::new(error.code(), &error))
}

fn by_library(store: &Store, request: &Do) -> Result<String, Error> {
    let tables = store.tables();
    let nothing = String::new();
    Ok(match *request {
        Do::Create(name, has_range) => {
            let create = CreateTable::new(name).hash("id", ScalarType::S);
            let create = if has_range { create.range("at", ScalarType::N) } else { create };
            let made = tables.create_table(create)?;
            format!("{} {}", made.table_name, made.table_status.unwrap())
        }
        Do::Drop(name) => tables.delete_table(name)?.table_name,
        Do::Describe(name) => {
            let table = tables.describe_table(name)?;
            let keys = table.key_schema.iter().map(|key| format!("{} {}", key.name, key.key_type));
            format!("{} {} {} {}", list(keys), table.item_count, table.table_size_bytes, table.table_arn)
        }
        Do::Tables => list(tables.list_tables(None, None)?.names),
        Do::Put(table, text, what) => {
            let mut put = PutItem::new(table, item(text)?);
            what.condition(&mut put.when)?;
            put.return_values = what.returned();
            own_told(tables.put_item(put)?.attributes.as_ref())
        }
        Do::Get(table, key, what) => {
            let mut get = GetItem::new(table, item(key)?);
            get.consistent_read = true;
            get.projection = what.projection.map(Into::into);
            get.names = what.own_names();
            own_told(tables.get_item(&get)?.item.as_ref())
        }
        Do::Update(table, key, update, what) => {
            let mut request = UpdateItem::new(table, item(key)?).update(update);
            what.condition(&mut request.when)?;
            request.return_values = what.returned();
            own_told(tables.update_item(request)?.attributes.as_ref())
        }
        Do::Delete(table, key, what) => {
            let mut delete = DeleteItem::new(table, item(key)?);
            what.condition(&mut delete.when)?;
            delete.return_values = what.returned();
            own_told(tables.delete_item(delete)?.attributes.as_ref())
        }
        Do::Query(table, condition, what) => {
            let mut query = Query::new(table).key_condition(condition);
            query.is_backward = what.backward;
            what.search(&mut query.what)?;
            let page = tables.query(&query)?;
            let items = list(page.items.iter().map(|item| own_told(Some(item))));
            let last = own_told(page.last_evaluated_key.as_ref());
            format!("{} of {}: {items}, {last}", page.count, page.scanned_count)
        }
        Do::Scan(table, what) => {
            let mut scan = Scan::new(table);
            what.search(&mut scan.what)?;
            let page = tables.scan(&scan)?;
            let items = list(page.items.iter().map(|item| own_told(Some(item))));
            let last = own_told(page.last_evaluated_key.as_ref());
            format!("{} of {}: {items}, {last}", page.count, page.scanned_count)
        }
        Do::PutAll(table, items) => {
            let puts = items.iter().map(|text| Ok(WriteRequest::Put(item(text)?)));
            let requests = BTreeMap::from([(table.to_owned(), puts.collect::<Result<_, Error>>()?)]);
            let done = tables.batch_write_item(&BatchWriteItem { requests, ..BatchWriteItem::default() })?;
            assert!(done.unprocessed.is_empty());
            nothing
        }
        Do::GetAll(table, keys) => {
            let keys = keys.iter().map(|key| item(key)).collect::<Result<Vec<_>, _>>()?;
            let requests = BTreeMap::from([(table.to_owned(), KeysAndAttributes::new(keys))]);
            let got = tables.batch_get_item(&BatchGetItem { requests, ..BatchGetItem::default() })?;
            list(got.responses[table].iter().map(|item| own_told(Some(item))))
        }
        Do::PutIf(table, put, there) => {
            let check = ConditionCheck::new(table, item(there)?).condition("attribute_exists(id)");
            let write = TransactWriteItems::new().action(PutItem::new(table, item(put)?));
            tables.transact_write_items(&write.action(TransactWrite::Check(check)))?;
            nothing
        }
        Do::GetBoth(table, one, other) => {
            let gets = [TransactGet::new(table, item(one)?), TransactGet::new(table, item(other)?)];
            let got = tables.transact_get_items(&TransactGetItems::new(gets))?;
            list(got.items.iter().map(|item| own_told(item.as_ref())))
        }
    })
}

impl What {
    fn own_names(&self) -> Option<BTreeMap<String, String>> {
        let names = self.names.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned()));
        (!self.names.is_empty()).then(|| names.collect())
    }

    fn own_values(&self) -> Result<Option<Item>, Error> {
        let values = item(self.values)?;
        Ok((!values.is_empty()).then_some(values))
    }

    fn returned(&self) -> Option<ReturnValues> {
        self.returns.and_then(ReturnValues::from_name)
    }

    fn condition(&self, when: &mut ConditionParts) -> Result<(), Error> {
        when.condition = self.condition.map(Into::into);
        (when.names, when.values) = (self.own_names(), self.own_values()?);
        Ok(())
    }

    fn search(&self, what: &mut SearchParts) -> Result<(), Error> {
        what.filter = self.condition.map(Into::into);
        what.projection = self.projection.map(Into::into);
        (what.names, what.values) = (self.own_names(), self.own_values()?);
        what.limit = self.limit;
        what.exclusive_start_key = self.after.map(item).transpose()?;
        Ok(())
    }

    fn names(&self) -> Option<HashMap<String, String>> {
        Some(self.own_names()?.into_iter().collect())
    }

    fn values(&self) -> Option<HashMap<String, sdk::AttributeValue>> {
        Some(theirs(self.values)).filter(|values| !values.is_empty())
    }
}

async fn by_sdk(dynamo: &Client, _: &mut Known, request: &Do) -> Answer {
    let nothing = String::new();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Ok(match *request {
        Do::Create(name, has_range) => {
            let attribute = |name: &str, kind| {
                sdk::AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
            };
            let key = |name: &str, kind| {
                sdk::KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
            };
            let create = dynamo.create_table().table_name(name).billing_mode(sdk::BillingMode::PayPerRequest);
            let create = create.attribute_definitions(attribute("id", sdk::ScalarAttributeType::S));
            let create = create.key_schema(key("id", sdk::KeyType::Hash));
            let made = answer!(if has_range {
                let create = create.attribute_definitions(attribute("at", sdk::ScalarAttributeType::N));
                create.key_schema(key("at", sdk::KeyType::Range))
            } else {
                create
            })?;
            let made = made.table_description.unwrap();
            format!("{} {}", made.table_name.unwrap(), made.table_status.unwrap())
        }
        Do::Drop(name) => {
            let gone = answer!(dynamo.delete_table().table_name(name))?;
            gone.table_description.unwrap().table_name.unwrap()
        }
        Do::Describe(name) => {
            let table = answer!(dynamo.describe_table().table_name(name))?.table.unwrap();
            let keys = table.key_schema().iter();
            let keys = keys.map(|key| format!("{} {}", key.attribute_name(), key.key_type()));
            let (count, size) = (table.item_count().unwrap(), table.table_size_bytes().unwrap());
            format!("{} {count} {size} {}", list(keys), table.table_arn().unwrap())
        }
        Do::Tables => list(answer!(dynamo.list_tables())?.table_names()),
        Do::Put(table, item, what) => {
            let put = dynamo.put_item().table_name(table).set_item(Some(theirs(item)));
            let put = put.set_condition_expression(owned(what.condition));
            let put = put.set_expression_attribute_names(what.names());
            let put = put.set_expression_attribute_values(what.values());
            their_told(answer!(put.set_return_values(what.returns.map(Into::into)))?.attributes())
        }
        Do::Get(table, key, what) => {
            let get = dynamo.get_item().table_name(table).set_key(Some(theirs(key))).consistent_read(true);
            let get = get.set_projection_expression(owned(what.projection));
            their_told(answer!(get.set_expression_attribute_names(what.names()))?.item())
        }
        Do::Update(table, key, update, what) => {
            let request = dynamo.update_item().table_name(table).set_key(Some(theirs(key)));
            let request = request.update_expression(update).set_condition_expression(owned(what.condition));
            let request = request.set_expression_attribute_names(what.names());
            let request = request.set_expression_attribute_values(what.values());
            their_told(answer!(request.set_return_values(what.returns.map(Into::into)))?.attributes())
        }
        Do::Delete(table, key, what) => {
            let delete = dynamo.delete_item().table_name(table).set_key(Some(theirs(key)));
            let delete = delete.set_condition_expression(owned(what.condition));
            their_told(answer!(delete.set_return_values(what.returns.map(Into::into)))?.attributes())
        }
        Do::Query(table, condition, what) => {
            let query = dynamo.query().table_name(table).key_condition_expression(condition);
            let query = query.set_filter_expression(owned(what.condition));
            let query = query.set_expression_attribute_names(what.names());
            let query = query.set_expression_attribute_values(what.values());
            let query = query.set_limit(what.limit.map(|limit| i32::try_from(limit).unwrap()));
            let query = query.scan_index_forward(!what.backward);
            let page = answer!(query.set_exclusive_start_key(what.after.map(theirs)))?;
            let items = list(page.items().iter().map(|item| their_told(Some(item))));
            let last = their_told(page.last_evaluated_key());
            format!("{} of {}: {items}, {last}", page.count(), page.scanned_count())
        }
        Do::Scan(table, what) => {
            let scan = dynamo.scan().table_name(table).set_filter_expression(owned(what.condition));
            let scan = scan.set_expression_attribute_values(what.values());
            let page = answer!(scan.set_limit(what.limit.map(|limit| i32::try_from(limit).unwrap())))?;
            let items = list(page.items().iter().map(|item| their_told(Some(item))));
            let last = their_told(page.last_evaluated_key());
            format!("{} of {}: {items}, {last}", page.count(), page.scanned_count())
        }
        Do::PutAll(table, items) => {
            let puts = items.iter().map(|item| {
                let put = sdk::PutRequest::builder().set_item(Some(theirs(item))).build().unwrap();
                sdk::WriteRequest::builder().put_request(put).build()
            });
            let done = answer!(dynamo.batch_write_item().request_items(table, puts.collect()))?;
            assert!(done.unprocessed_items().is_none_or(HashMap::is_empty));
            nothing
        }
        Do::GetAll(table, keys) => {
            let keys = keys.iter().map(|key| theirs(key)).collect();
            let keys = sdk::KeysAndAttributes::builder().set_keys(Some(keys)).build().unwrap();
            let got = answer!(dynamo.batch_get_item().request_items(table, keys))?;
            list(got.responses().unwrap()[table].iter().map(|item| their_told(Some(item))))
        }
        Do::PutIf(table, put, there) => {
            let put = sdk::Put::builder().table_name(table).set_item(Some(theirs(put))).build().unwrap();
            let check = sdk::ConditionCheck::builder().table_name(table).set_key(Some(theirs(there)));
            let check = check.condition_expression("attribute_exists(id)").build().unwrap();
            let write = dynamo.transact_write_items();
            let write = write.transact_items(sdk::TransactWriteItem::builder().put(put).build());
            let check = sdk::TransactWriteItem::builder().condition_check(check).build();
            answer!(write.transact_items(check)).map(|_| nothing)?
        }
        Do::GetBoth(table, one, other) => {
            let get = |key: &str| {
                let get = sdk::Get::builder().table_name(table).set_key(Some(theirs(key))).build().unwrap();
                sdk::TransactGetItem::builder().get(get).build()
            };
            let got = dynamo.transact_get_items().transact_items(get(one)).transact_items(get(other));
            list(answer!(got)?.responses().iter().map(|got| their_told(got.item())))
        }
    })
}
