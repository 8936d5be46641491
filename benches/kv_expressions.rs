//! Items and expressions of the table engine, without the engine: bytes of items, one attribute of them; expressions
//! read, evaluated on items and on their bytes, and applied.
#![allow(clippy::unwrap_used, reason = "a bench")]

mod support;

use criterion::{BenchmarkId, Criterion};
use fourfold::kv::{
    Item,
    expr::{Condition, PreparedCondition, PreparedUpdate, Projection, Update},
    item,
    serde::{from_item, to_item},
};
use std::hint::black_box;
use support::{ThreadTime, cpu};

const CONDITION: &str = "attribute_exists(id) AND visits < :max AND (contains(tags, :tag) OR #s = :open)";
const UPDATE: &str = "SET visits = if_not_exists(visits, :zero) + :one, keeper.seen = :seen REMOVE draft";

/// An item of about `len` bytes in 20 attributes.
fn subject(len: usize) -> Item {
    let mut item = item! {
        "id" => "user-000017", "visits" => 42, "status" => "open", "tags" => ["a", "b", "c"],
        "keeper" => item! { "name" => "Ann", "seen" => 7 }, "draft" => true,
    };
    for number in 0..14 {
        item.insert(format!("field{number:02}"), "x".repeat(len / 15).into());
    }
    item
}

fn conditions(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("condition");
    let names = [("#s".to_owned(), "status".to_owned())].into();
    let values = item! { ":max" => 100, ":tag" => "c", ":open" => "closed" };
    let prepared = PreparedCondition::new(CONDITION, &names).unwrap();
    let condition = prepared.bind(&values).unwrap();
    group.bench_function("parse", |b| {
        b.iter(|| Condition::parse(black_box(CONDITION), &names, &values).unwrap());
    });
    group.bench_function("bind", |b| b.iter(|| prepared.bind(black_box(&values)).unwrap()));
    for len in [100, 1 << 10, 16 << 10] {
        let item = subject(len);
        assert!(condition.evaluate(&item));
        group.bench_with_input(BenchmarkId::new("evaluate", len), &item, |b, item| {
            b.iter(|| condition.evaluate(black_box(item)));
        });
        let bytes = item.to_bytes();
        assert!(condition.evaluate_bytes(&bytes).unwrap());
        group.bench_with_input(BenchmarkId::new("evaluate bytes", len), &bytes, |b, bytes| {
            b.iter(|| condition.evaluate_bytes(black_box(bytes)).unwrap());
        });
    }
    group.finish();
}

fn codec(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("item");
    for len in [100, 1 << 10, 16 << 10] {
        let item = subject(len);
        let bytes = item.to_bytes();
        group.bench_with_input(BenchmarkId::new("encode", len), &item, |b, item| {
            b.iter(|| black_box(item).to_bytes());
        });
        group.bench_with_input(BenchmarkId::new("decode", len), &bytes, |b, bytes| {
            b.iter(|| Item::from_bytes(black_box(bytes)).unwrap());
        });
        for name in ["draft", "visits"] {
            let id = BenchmarkId::new(format!("get {name}"), len);
            group.bench_with_input(id, &bytes, |b, bytes| {
                b.iter(|| Item::attribute_of(black_box(bytes), name).unwrap());
            });
        }
    }
    group.finish();
}

fn updates(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("update");
    let names = [].into();
    let values = item! { ":zero" => 0, ":one" => 1, ":seen" => 8 };
    let prepared = PreparedUpdate::new(UPDATE, &names).unwrap();
    let update = prepared.bind(&values).unwrap();
    group.bench_function("parse", |b| b.iter(|| Update::parse(black_box(UPDATE), &names, &values).unwrap()));
    group.bench_function("bind", |b| b.iter(|| prepared.bind(black_box(&values)).unwrap()));
    let mut item = subject(1 << 10);
    group.bench_function("apply", |b| {
        b.iter(|| {
            let touched = update.apply(black_box(&mut item), true).unwrap();
            black_box(touched);
        });
    });
    let projection = Projection::parse("id, keeper.name, tags[1]", &names).unwrap();
    group.bench_function("project", |b| b.iter(|| projection.apply(black_box(&item))));
    group.finish();
}

fn serde(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("serde");
    let map: std::collections::BTreeMap<String, String> =
        (0..20).map(|number| (format!("field{number:02}"), "x".repeat(50))).collect();
    let item = to_item(&map).unwrap();
    group.bench_function("to_item", |b| b.iter(|| to_item(black_box(&map)).unwrap()));
    group.bench_function("from_item", |b| {
        b.iter(|| from_item::<std::collections::BTreeMap<String, String>>(black_box(item.clone())).unwrap());
    });
    group.finish();
}

fn main() {
    let mut criterion = cpu();
    codec(&mut criterion);
    conditions(&mut criterion);
    updates(&mut criterion);
    serde(&mut criterion);
    criterion.final_summary();
}
