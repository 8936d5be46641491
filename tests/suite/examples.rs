//! The small examples do what they say, to the end: their own assertions hold, and nothing is refused that they rely on.

#[expect(dead_code, reason = "its main reads what a person asks for")]
#[path = "../../examples/faults.rs"]
mod faults;
#[path = "../../examples/items.rs"]
mod items;
#[path = "../../examples/objects.rs"]
mod objects;
#[path = "../../examples/queue.rs"]
mod queue;
#[path = "../../examples/stream.rs"]
mod stream;
#[path = "../../examples/time.rs"]
mod time;

#[test]
fn small_examples_run_to_the_end() {
    items::main().unwrap();
    objects::main().unwrap();
    queue::main().unwrap();
    stream::main().unwrap();
    time::main().unwrap();
}

#[test]
fn a_bad_day_ends_well_whatever_the_seed() {
    for seed in 0..20 {
        faults::day(seed).unwrap();
    }
}
