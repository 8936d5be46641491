//! Which faults are planned, what has happened, and the fate of each call.

use crate::clock::Timestamp;
use crate::faults::chaos::{Chaos, Dice};
use crate::faults::failure::{Failure, Service};
use crate::faults::script::Rule;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Faults that are remembered.
const REMEMBERED: usize = 10_000;

/// The names under which events that are no calls are counted.
const DUPLICATE: &str = "duplicate delivery";
const REORDER: &str = "reordered delivery";
const STALE: &str = "stale index";

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// How long it takes before anything else.
    pub(crate) delay: Duration,
    pub(crate) outcome: Outcome,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As it would.
    Pass,
    /// Nothing is done.
    Refuse(Failure),
    /// It is done, and the caller hears of a failure.
    LoseReply(Failure),
}

/// A fault that has happened.
///
/// ```
/// use fourfold::{Store, faults::{Failure, Happened}};
/// let store = Store::in_memory();
/// store.faults().on("ListTables").fail(Failure::Internal);
/// assert!(store.tables().list_tables(None, None).is_err());
/// let log = store.faults().log();
/// assert_eq!((log[0].operation, log[0].number), ("ListTables", 1));
/// assert_eq!(log[0].what, Happened::Refused(Failure::Internal));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultEvent {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// Where.
    pub service: Service,
    /// In which operation; for what is no operation, a name for it.
    pub operation: &'static str,
    /// On what: the name of a queue, a stream, a table or a bucket; empty if the operation is on none.
    pub resource: String,
    /// Which call of this operation on this resource it was, counted from one since faults were planned.
    pub number: u64,
    /// What happened.
    pub what: Happened,
}

/// What a fault came to.
///
/// ```
/// use fourfold::faults::{Failure, Happened};
/// assert_ne!(Happened::Refused(Failure::Internal), Happened::LostReply(Failure::Internal));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// The call failed, and nothing was done.
    Refused(Failure),
    /// The call was done, and its caller was told that it failed. (If it failed by itself, its caller was told why.)
    LostReply(Failure),
    /// The call took so long.
    Slow(Duration),
    /// A message was delivered and stayed visible.
    Duplicated,
    /// A message came before an older one.
    Reordered,
    /// The global indexes of a table saw a change so late.
    Stale(Duration),
}

/// The faults of one store.
#[derive(Default)]
pub(crate) struct Plan {
    /// Is anything planned?
    is_armed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    chaos: Option<(u64, Chaos)>,
    /// Calls so far.
    numbers: HashMap<(Service, &'static str), HashMap<String, u64>>,
    log: VecDeque<FaultEvent>,
    /// Was the seed said already?
    is_told: bool,
}

impl State {
    /// The number of this call.
    fn count(&mut self, service: Service, operation: &'static str, resource: &str) -> u64 {
        let numbers = self.numbers.entry((service, operation)).or_default();
        if let Some(number) = numbers.get_mut(resource) {
            *number += 1;
            return *number;
        }
        numbers.insert(resource.to_owned(), 1);
        1
    }

    fn note(&mut self, event: FaultEvent) {
        if self.log.len() == REMEMBERED {
            self.log.pop_front();
        }
        self.log.push_back(event);
    }
}

impl Plan {
    pub(super) fn add(&self, rule: Rule) {
        self.state.lock().rules.push(rule);
        self.arm();
    }

    pub(super) fn set_chaos(&self, seed: u64, chaos: Chaos) {
        self.state.lock().chaos = Some((seed, chaos));
        self.arm();
    }

    /// Plans nothing any more; numbers begin anew. What happened is remembered.
    pub(super) fn clear(&self) {
        let mut state = self.state.lock();
        let log = std::mem::take(&mut state.log);
        *state = State { log, ..State::default() };
        self.is_armed.store(false, Ordering::Relaxed);
    }

    pub(super) fn log(&self) -> Vec<FaultEvent> {
        self.state.lock().log.iter().cloned().collect()
    }

    pub(super) fn seed(&self) -> Option<u64> {
        self.state.lock().chaos.as_ref().map(|(seed, _)| *seed)
    }

    fn arm(&self) {
        // Relaxed: the lock orders what is planned; this only says that it is worth a look.
        self.is_armed.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_armed(&self) -> bool {
        self.is_armed.load(Ordering::Relaxed)
    }

    /// What happens to this call.
    pub(crate) fn decide(
        &self,
        service: Service,
        operation: &'static str,
        resource: &str,
        at: Timestamp,
    ) -> Option<Fate> {
        if !self.is_armed() {
            return None;
        }
        let mut state = self.state.lock();
        let number = state.count(service, operation, resource);
        let mut fate = Fate { delay: Duration::ZERO, outcome: Outcome::Pass };
        for rule in &mut state.rules {
            rule.apply(service, operation, resource, &mut fate);
        }
        if let Some((seed, chaos)) = &state.chaos {
            by_chance(chaos, &Dice::new(*seed, service, operation, resource, number), &mut fate);
        }
        let slow = (!fate.delay.is_zero()).then_some(Happened::Slow(fate.delay));
        let ends = match fate.outcome {
            Outcome::Pass => None,
            Outcome::Refuse(failure) => Some(Happened::Refused(failure)),
            Outcome::LoseReply(failure) => Some(Happened::LostReply(failure)),
        };
        for what in slow.into_iter().chain(ends) {
            state.note(FaultEvent { at, service, operation, resource: resource.to_owned(), number, what });
        }
        (slow.is_some() || ends.is_some()).then_some(fate)
    }

    /// Does the next message that this queue delivers stay visible?
    #[inline]
    pub(crate) fn duplicates(&self, queue: &str, at: Timestamp) -> bool {
        self.is_armed()
            && self.strikes(DUPLICATE, Service::Queue, queue, at, |chaos, dice| {
                dice.hits(0, chaos.duplicate_per_mille).then_some(Happened::Duplicated)
            })
    }

    /// Does the next message that this queue delivers come before an older one?
    #[inline]
    pub(crate) fn reorders(&self, queue: &str, at: Timestamp) -> bool {
        self.is_armed()
            && self.strikes(REORDER, Service::Queue, queue, at, |chaos, dice| {
                dice.hits(0, chaos.reorder_per_mille).then_some(Happened::Reordered)
            })
    }

    /// How late the next change of an item is in the global indexes of this table.
    #[inline]
    pub(crate) fn staleness(&self, table: &str, at: Timestamp) -> Duration {
        let mut late = Duration::ZERO;
        if self.is_armed() {
            self.strikes(STALE, Service::Table, table, at, |chaos, dice| {
                let hits = dice.hits(0, chaos.stale_per_mille) && !chaos.stale.is_zero();
                hits.then(|| {
                    late = dice.duration(1, chaos.stale);
                    Happened::Stale(late)
                })
            });
        }
        late
    }

    fn strikes(
        &self,
        event: &'static str,
        service: Service,
        resource: &str,
        at: Timestamp,
        by_chance: impl FnOnce(&Chaos, &Dice) -> Option<Happened>,
    ) -> bool {
        let mut state = self.state.lock();
        let Some((seed, chaos)) = state.chaos.clone() else { return false };
        let number = state.count(service, event, resource);
        let what = by_chance(&chaos, &Dice::new(seed, service, event, resource, number));
        let Some(what) = what else { return false };
        state.note(FaultEvent { at, service, operation: event, resource: resource.to_owned(), number, what });
        true
    }

    /// Says the seed, once, if a test is failing.
    pub(super) fn tell_if_panicking(&self) {
        if !self.is_armed() || !std::thread::panicking() {
            return;
        }
        let mut state = self.state.lock();
        if let (Some((seed, _)), false) = (&state.chaos, state.is_told) {
            eprintln!("faults of this run: seed {seed}, {} so far", state.log.len());
            state.is_told = true;
        }
    }
}

/// Chance adds to what the rules say, and does not overrule them.
fn by_chance(chaos: &Chaos, dice: &Dice, fate: &mut Fate) {
    if dice.hits(0, chaos.slow_per_mille) {
        fate.delay = fate.delay.saturating_add(dice.duration(1, chaos.slow));
    }
    if fate.outcome != Outcome::Pass {
        return;
    }
    fate.outcome = if dice.hits(2, chaos.throttle_per_mille) {
        Outcome::Refuse(Failure::Throttle)
    } else if dice.hits(3, chaos.fail_per_mille) {
        Outcome::Refuse(dice.failure(4))
    } else if dice.hits(5, chaos.lose_per_mille) {
        Outcome::LoseReply(Failure::Internal)
    } else {
        Outcome::Pass
    };
}

/// The last handle of a store is gone: if that is because its test fails, the seed is worth knowing.
impl Drop for Plan {
    fn drop(&mut self) {
        self.tell_if_panicking();
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Plan")
            .field("seed", &state.chaos.as_ref().map(|(seed, _)| seed))
            .field("chaos", &state.chaos.as_ref().map(|(_, chaos)| chaos))
            .field("rules", &state.rules)
            .field("happened", &state.log.len())
            .finish_non_exhaustive()
    }
}
