//! A queue with a dead-letter queue: what cannot be done is tried three times and put aside.
//!
//! `cargo run --example queue`

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::Store;
use fourfold::queue::{NewQueue, QueueAttributes, Receive, Result};

pub(crate) fn main() -> Result<()> {
    let queues = Store::in_memory().queues();
    let failed = queues.create("failed")?;
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 3);
    let jobs = queues.create(NewQueue::new("jobs").attributes(attributes))?;
    for size in ["100x100", "0x0", "640x480"] {
        jobs.send(format!("resize to {size}"))?;
    }
    // Visible again at once if it fails: this example does not wait.
    let request = Receive::new().max_messages(10).visibility_timeout(0);
    while jobs.stats()?.messages() > 0 {
        for job in jobs.receive(request.clone())? {
            if job.body().ends_with("0x0") && !job.body().ends_with("100x100") {
                println!("{}: try {} fails", job.body(), job.receive_count());
            } else {
                println!("{}: done", job.body());
                jobs.delete_message(job.receipt_handle())?;
            }
        }
    }
    for letter in failed.peek(10)? {
        println!("put aside: {} after {} tries", letter.message.body(), letter.message.receive_count());
    }
    Ok(())
}
