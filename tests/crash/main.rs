//! What survives: crashes on a simulated disk, faults, damage, killed processes, real power cuts. `docs/verification.md`
//! says which promise each of these proves.

#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "in a test, a failure is a panic")]
#![expect(clippy::print_stdout, reason = "how much was looked at is half of the result")]

mod corruption;
mod enumerate;
mod faults;
mod kv;
mod large;
mod life;
mod machine;
mod model;
mod objects;
mod process;
mod queue;
mod random;
mod report;
mod stream;
mod together;
mod transaction;
