//! Short concurrent histories of items and transactions, each with an order in which one thread could have done it all.
//!
//! Threads note when each operation began and ended. A search (Wing and Gong 1993) looks for an order that respects these
//! times and explains every answer.

use fourfold::Store;
use fourfold::kv::{
    CreateTable, Error, PutItem, ScalarType, Tables, TransactGet, TransactGetItems, TransactWriteItems, item,
};
use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

const ROUNDS: u64 = 400;
const THREADS: u64 = 3;
const OPERATIONS: u64 = 4;

/// Two items with a number each.
type State = [Option<u64>; 2];

#[derive(Clone, Copy, Debug)]
enum Operation {
    Put(usize, u64),
    Get(usize),
    /// Puts the second number if the first is there.
    Swap(usize, u64, u64),
    /// Puts the second number to both items if the first has the first number.
    SwapBoth(u64, u64),
    GetBoth,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Done,
    Failed,
    One(Option<u64>),
    Both(State),
}

#[derive(Clone, Copy, Debug)]
struct Event {
    began: u64,
    ended: u64,
    operation: Operation,
    answer: Answer,
}

impl Operation {
    fn random(mut random: u64) -> Self {
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^= random >> 31;
        let item = usize::from(random & 1 == 1);
        let (a, b) = (random >> 8 & 1, random >> 9 & 1);
        match random >> 16 & 7 {
            0 | 1 => Self::Put(item, a),
            2 | 3 => Self::Get(item),
            4 => Self::Swap(item, a, b),
            5 | 6 => Self::SwapBoth(a, b),
            _ => Self::GetBoth,
        }
    }

    /// What one thread alone would be answered.
    fn apply(self, state: &mut State) -> Answer {
        match self {
            Self::Put(item, value) => {
                state[item] = Some(value);
                Answer::Done
            }
            Self::Get(item) => Answer::One(state[item]),
            Self::Swap(item, old, new) if state[item] == Some(old) => {
                state[item] = Some(new);
                Answer::Done
            }
            Self::SwapBoth(old, new) if state[0] == Some(old) => {
                *state = [Some(new); 2];
                Answer::Done
            }
            Self::Swap(..) | Self::SwapBoth(..) => Answer::Failed,
            Self::GetBoth => Answer::Both(*state),
        }
    }

    /// None if it was refused because of a conflict, and so did not happen.
    fn run(self, tables: &Tables) -> Option<Answer> {
        let put = |item: usize, value: u64| {
            PutItem::new("things", item! { "p" => i64::try_from(item).unwrap(), "v" => value })
        };
        let key = |item: usize| item! { "p" => i64::try_from(item).unwrap() };
        let number =
            |item: &fourfold::kv::Item| item["v"].as_number().unwrap().to_string().parse::<u64>().unwrap();
        match self {
            Self::Put(item, value) => {
                tables.put_item(put(item, value)).unwrap();
                Some(Answer::Done)
            }
            Self::Get(item) => {
                Some(Answer::One(tables.table("things").get(key(item)).unwrap().as_ref().map(number)))
            }
            Self::Swap(item, old, new) => {
                match tables.put_item(put(item, new).condition("v = :v").value(":v", old)) {
                    Ok(_) => Some(Answer::Done),
                    Err(Error::ConditionalCheckFailed { .. }) => Some(Answer::Failed),
                    Err(error) => panic!("{error}"),
                }
            }
            Self::SwapBoth(old, new) => {
                let first = put(0, new).condition("v = :v").value(":v", old);
                let both = TransactWriteItems::new().action(first).action(put(1, new));
                match tables.transact_write_items(&both) {
                    Ok(_) => Some(Answer::Done),
                    Err(Error::TransactionCanceled { reasons }) => {
                        let is_conflict = reasons.iter().any(|reason| reason.code() == "TransactionConflict");
                        (!is_conflict).then_some(Answer::Failed)
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            Self::GetBoth => {
                let gets = [0, 1].map(|item| TransactGet::new("things", key(item)));
                let items = tables.transact_get_items(&TransactGetItems::new(gets)).unwrap().items;
                Some(Answer::Both([0, 1].map(|item| items[item].as_ref().map(number))))
            }
        }
    }
}

/// Is there an order of those events that `done` does not have?
fn explains(events: &[Event], done: u32, state: State, seen: &mut HashSet<(u32, State)>) -> bool {
    if done.count_ones() as usize == events.len() {
        return true;
    }
    if !seen.insert((done, state)) {
        return false;
    }
    let left = || (0..events.len()).filter(|number| done >> number & 1 == 0);
    let first_end = left().map(|number| events[number].ended).min().unwrap_or(0);
    left().filter(|number| events[*number].began < first_end).any(|number| {
        let mut after = state;
        events[number].operation.apply(&mut after) == events[number].answer
            && explains(events, done | 1 << number, after, seen)
    })
}

#[test]
fn every_history_has_an_order() {
    for round in 0..ROUNDS {
        let tables = Store::in_memory().tables();
        tables.create_table(CreateTable::new("things").hash("p", ScalarType::N)).unwrap();
        let (time, gate) = (AtomicU64::new(0), Barrier::new(usize::try_from(THREADS).unwrap()));
        let events: Vec<Event> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (tables, time, start) = (&tables, &time, &gate);
                    scope.spawn(move || {
                        start.wait();
                        let mut events = Vec::new();
                        for number in 0..OPERATIONS {
                            let count = (round * THREADS + thread) * OPERATIONS + number;
                            let operation = Operation::random(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                            let began = time.fetch_add(1, Ordering::SeqCst);
                            let answer = operation.run(tables);
                            let ended = time.fetch_add(1, Ordering::SeqCst);
                            events.extend(answer.map(|answer| Event { began, ended, operation, answer }));
                        }
                        events
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(explains(&events, 0, [None; 2], &mut HashSet::new()), "round {round}: {events:#?}");
    }
}

/// The search finds what cannot be.
#[test]
fn an_impossible_history_has_no_order() {
    let event = |began, ended, operation, answer| Event { began, ended, operation, answer };
    let put = event(0, 1, Operation::Put(0, 1), Answer::Done);
    let stale = event(2, 3, Operation::Get(0), Answer::One(None));
    assert!(!explains(&[put, stale], 0, [None; 2], &mut HashSet::new()));
    let at_once = event(0, 3, Operation::Get(0), Answer::One(None));
    assert!(explains(&[put, at_once], 0, [None; 2], &mut HashSet::new()));
    let half = event(2, 3, Operation::GetBoth, Answer::Both([Some(1), None]));
    let both = event(0, 1, Operation::SwapBoth(0, 1), Answer::Done);
    assert!(!explains(&[both, half], 0, [Some(0); 2], &mut HashSet::new()));
}
